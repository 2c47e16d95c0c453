"""Seeded damage to networks, images and checkpoints: only our errors may come out, and what loads must be sound.

Bytes are flipped, files cut off, and values in headers replaced by others of every type, the hash computed anew.
"""

import copy
import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import ragged_networks
from sealed_files import change_checkpoint, change_container
from spikeplane.compiler import image as images
from spikeplane.compiler.compile import compile_network
from spikeplane.network import file as networks
from spikeplane.network.container import read_container
from spikeplane.network.schedule import Schedule
from spikeplane.training.run import checkpoint as checkpoints
from training_samples import untrained_checkpoint

__all__ = ["KINDS", "Outcome", "fuzz"]

OTHERS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 1 << 40, 1 << 80, 0.5, -3.25, 1e300, float("nan"), float("inf"), "", "x", "input",
    [], [0], [[]], {}, {"x": 1}, [None] * 40,
)
"""What a value of a header becomes: at least one of each type of JSON, and the extremes."""


@dataclass(frozen=True)
class Kind:
    """Files of one kind: how a sound one is made, read, changed, and told by its content."""

    write: Callable[[int, Path], None]
    load: Callable[[Path], Any]
    save: Callable[[Any, Path], None]
    error: type[Exception]
    header: Callable[[Path], dict]
    replace: Callable[[Path, dict], None]
    """Put another header in, with a sound hash."""


def write_network(seed: int, path: Path) -> None:
    networks.save_network(ragged_networks.network(seed, direct=bool(seed % 2)), path)


def write_image(seed: int, path: Path) -> None:
    network = ragged_networks.network(seed, direct=bool(seed % 2))
    schedule = list(Schedule)[seed % 3 % 2]
    core = ragged_networks.CORES[seed % 4]
    images.save_image(compile_network(network, core, schedule, keep_maps=bool(seed % 5)), path)


def write_checkpoint(seed: int, path: Path) -> None:
    checkpoint = untrained_checkpoint(epochs=4 + seed)
    if seed % 2:
        checkpoint.epoch = 1
        checkpoint.history = [{"loss": 1.5, "accuracy": 0.5, "rates": {"first": 0.25}}]
    checkpoints.save_checkpoint(checkpoint, path)


def checkpoint_header(path: Path) -> dict:
    return json.loads(checkpoints.read_file(path)[1])


def container(kind: str, version: int) -> tuple[Callable, Callable]:
    """Return what reads and what replaces the header of a network or an image."""
    def replace(path: Path, header: dict) -> None:
        change_container(path, kind, version, lambda found: (found.clear(), found.update(header)))

    return lambda path: read_container(path, kind, version)[0], replace


def replace_checkpoint(path: Path, header: dict) -> None:
    change_checkpoint(path, lambda found: (found.clear(), found.update(header)))


KINDS = {
    "network": Kind(write_network, networks.load_network, networks.save_network, networks.NetworkError,
                    *container(networks.FILE_KIND, networks.FILE_VERSION)),
    "image": Kind(write_image, images.load_image, images.save_image, images.ImageError,
                  *container(images.FILE_KIND, images.FILE_VERSION)),
    "checkpoint": Kind(write_checkpoint, checkpoints.load_checkpoint, checkpoints.save_checkpoint,
                       checkpoints.CheckpointError, checkpoint_header, replace_checkpoint),
}


@dataclass
class Outcome:
    """What came of damaged files of one kind."""

    refused: int
    loaded: Counter[str]
    """How many were loaded all the same, by what was changed in them."""
    faults: list[str]
    """Damages that led to another error than ours, or to something that is not what the file says."""


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Yield the path of every value in a header."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(each, (*path, key))


def replaced(header: dict, path: tuple, value: Any) -> dict:
    header = copy.deepcopy(header)
    target: Any = header
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return header


def fuzz(kind: str, count: int, seed: int, folder: Path) -> Outcome:
    """Damage ``count`` files of a kind, in ``folder``, and load them."""
    tools, random = KINDS[kind], np.random.default_rng(seed)
    outcome = Outcome(refused=0, loaded=Counter(), faults=[])
    sound, damaged, again = (folder / f"{kind}.{name}" for name in ("sound", "damaged", "again"))

    @cache
    def original(number: int) -> bytes:
        tools.write(number, sound)
        return sound.read_bytes()

    for number in range(count):
        content = original(int(random.integers(8)))
        damaged.write_bytes(content)
        choice = number % 4
        if choice == 0:
            raw = bytearray(content)
            # Half of them in the header, of which there is less.
            end = len(raw) if random.random() < 0.5 else min(len(raw), 8 + int.from_bytes(raw[:8], "little"))
            for _ in range(int(random.integers(1, 4))):
                raw[int(random.integers(end))] ^= 1 << int(random.integers(8))
            damaged.write_bytes(raw)
            what = "flipped bytes"
        elif choice == 1:
            damaged.write_bytes(content[:int(random.integers(len(content)))])
            what = "cut off"
        else:
            header = tools.header(damaged)
            found = list(places(header))
            place = found[int(random.integers(len(found)))]
            value = OTHERS[int(random.integers(len(OTHERS)))]
            tools.replace(damaged, replaced(header, place, value))
            what = f"{'.'.join(str(key) for key in place if not isinstance(key, int))}"
        _judge(tools, damaged, again, content if choice < 2 else None, what, outcome)
        if outcome.faults and len(outcome.faults) > 50:
            break
    return outcome


def _judge(tools: Kind, damaged: Path, again: Path, original: bytes | None, what: str, outcome: Outcome) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            loaded = tools.load(damaged)
    except tools.error as error:
        outcome.refused += 1
        if not str(error).startswith(f"{damaged}: ") or "\n" in str(error):
            outcome.faults.append(f"{what}: not one line that begins with the file: {error}")
        return
    except Exception as error:
        outcome.faults.append(f"{what}: {error!r}")
        return
    outcome.loaded[what] += 1
    tools.save(loaded, again)
    expected = original
    if expected is None:
        expected = again.read_bytes()
        tools.save(tools.load(again), again)
    if again.read_bytes() != expected:
        outcome.faults.append(f"{what}: loaded, but as something else")
