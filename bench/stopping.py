"""Programs of random bits, each stopped: the core has to come back to its host, and compute exactly afterwards."""

from dataclasses import dataclass

import numpy as np
from figures import Figure
from layers import Shape, network_of
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import Image
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane_hw.config import TINY, CoreConfig
from spikeplane_hw.memory_map import Control, Register, Space, memory_map
from tqdm import tqdm

__all__ = ["Stops", "measure", "stop_programs"]

PROGRAMS = 1_000
CORES = (TINY,)
SETTINGS = range(Register.OUTER_STEPS.value, Register.INPUT_STEPS.value + 1)
LONGEST = 20_000
"""Cycles that a program runs at most before it is stopped."""
MOST_FLIPS = 16
EVENTS = 40


@dataclass(kw_only=True)
class Stops:
    """What was stopped."""

    programs: int = 0
    busy: int = 0
    """Of these, how many had not ended by then."""
    exact: int = 0
    """After how many a sound image passed its self-test."""


def stop_programs(driver: Driver, image: Image, count: int, seed: int = 1) -> Stops:
    """Run ``count`` random programs on the simulated board of ``driver``, stop each, and test it with ``image``.

    Half of them are random bits, half are ``image``'s program with a few bits flipped. A DeviceError names what is
    wrong; ``image`` is loaded afterwards.
    """
    random = np.random.default_rng(seed)
    stops = Stops()
    for number in tqdm(range(count), desc=driver.config.name, disable=None):
        scramble(driver, image, random, whole=number % 2 == 0)
        control = Control.RUN if random.random() < 0.5 else Control(int(random.integers(1, Control.STOP.value)))
        driver.write_register(Register.CONTROL, control.value)
        driver.transport.advance(int(random.integers(LONGEST)))
        stops.programs += 1
        stops.busy += driver.read_registers(Register.STATUS)[0] & 1
        driver.stop()
        driver.load(image)
        stops.exact += driver.self_test() == len(image.vectors)
    return stops


def scramble(driver: Driver, image: Image, random: np.random.Generator, *, whole: bool) -> None:
    """Write random settings and a random program, and send random events."""
    spaces = memory_map(driver.config)
    for space in (Space.PROGRAM, Space.PASSES):
        if whole:
            address, shape = 0, (spaces[space].depth, spaces[space].word_bytes)
            words = random.integers(0, 256, shape, np.uint8)
        else:
            address, words = image.contents[space]
            words = words.copy()
            for _ in range(random.integers(MOST_FLIPS + 1)):
                words[random.integers(len(words)), random.integers(words.shape[1])] ^= 1 << random.integers(8)
        driver.write(space, address, words)
    for register in SETTINGS:
        if whole or random.random() < 0.2:
            driver.write_register(Register(register), int(random.integers(1 << 32)))
    driver.session.send_events(random.integers(0, 1 << 32, random.integers(EVENTS), np.uint32))


def measure(programs: int = PROGRAMS, cores: tuple[CoreConfig, ...] = CORES) -> list[Figure]:
    """Return how many random programs of each core were stopped, and after how many it was unusable or inexact."""
    figures = []
    for config in cores:
        image = compile_network(network_of(Shape(16, 16, 4)), config)
        with Driver(SimulatedTransport(config), config) as driver:
            stops = stop_programs(driver, image, programs)
        wrong = stops.programs - stops.exact
        figures += [
            Figure.at_least(f"{config.name}: random programs stopped", stops.programs, "programs", programs),
            Figure(f"{config.name}: of these, still running when stopped", stops.busy, "programs"),
            Figure.at_most(f"{config.name}: after a stop, inexact or unusable", wrong, "programs", 0),
        ]
    return figures
