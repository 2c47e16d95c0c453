"""What an image must be before it is used: every field of its type, and each as all others say it is.

Who can run a wrong image gets wrong logits without a warning, or a core that never ends. So what the words of the
program say is decoded again, and the registers, the layers and the vectors are held against it.
"""

import re
from typing import TYPE_CHECKING

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import (
    COUNTER_WIDTH,
    LOGIT_WIDTH,
    Counter,
    Register,
    Space,
    memory_map,
)
from spikeplane_hw.weight_stream import slot_bursts

from ..network.checks import NetworkError, verify_fields, verify_integers
from ..network.graph import LOGIT_OFFSET_BITS
from ..network.input import InputFormat
from ..network.schedule import Schedule
from .held import ImageError
from .layer_checks import verify_layers
from .spike_map import SpikeMap, input_spike_map

if TYPE_CHECKING:
    from .image import Image

__all__ = ["image_registers", "verify_image"]

DIGEST = re.compile("[0-9a-f]{64}")
REQUIRED = {Space.PROGRAM, Space.PASSES}
OPTIONAL = {Space.PARAMETERS, Space.TABLES}
WEIGHTS = {Space.WEIGHTS, Space.EXTERNAL}
"""Where weights are: in one of them."""


def image_registers(
    config: CoreConfig, schedule: Schedule, form: InputFormat, input_map: SpikeMap, stream_slots: int, *,
    halves_ring: bool,
) -> dict[Register, int]:
    """Return what the host writes into the registers of a core, after the memories.

    ``stream_slots`` is how many weight slots stream in from memory outside the chip; ``halves_ring`` says that operands
    have half of those on the chip.
    """
    streams = {Register.STREAM_HALF: int(halves_ring), Register.STREAM_SLOTS: stream_slots}
    return {
        Register.OUTER_STEPS: schedule.outer_steps(form.steps),
        Register.INPUT_BASE: input_map.base,
        Register.INPUT_WORDS: input_map.words(config),
        Register.INPUT_WIDTH: form.width,
        Register.INPUT_HEIGHT: form.height,
        # No step: every event is refused where the input is written as words.
        Register.INPUT_STEPS: input_map.steps if input_map.flagged else 0,
        **(streams if config.external_depth else {}),
    }


def verify_image(image: "Image") -> None:
    """Raise an ImageError naming the field, its value and what it must be, at the first one that is wrong."""
    try:
        _verify_types(image)
        image.input.verify()
        verify_fields("input_map", image.input_map)
    except NetworkError as error:
        raise ImageError(str(error)) from error
    expected = input_spike_map(image.input, image.config)
    for name, value in vars(expected).items():
        _equal(f"input_map: {name}", getattr(image.input_map, name), value, "by the input")
    if image.input_map.words(image.config) > image.config.spike_depth:
        raise ImageError(f"input_map: it covers {image.input_map.words(image.config)} words, limit "
                         f"{image.config.spike_depth}")
    if not image.layers:
        raise ImageError("the image has no layers")
    slots = 0
    if Space.EXTERNAL in image.contents:
        # Of the bursts behind them, which are parameters, the layers are asked.
        most = len(image.contents[Space.EXTERNAL][1]) // slot_bursts(image.config)
        slots = image.registers.get(Register.STREAM_SLOTS, most)
        if type(slots) is not int or not 0 <= slots <= most:
            raise ImageError(f"register STREAM_SLOTS is {slots!r}, limit 0..{most} by EXTERNAL")
    registers = image_registers(
        image.config, image.schedule, image.input, image.input_map, slots,
        halves_ring=slots > 0 and any(layer.operands for layer in image.layers),
    )
    for register in registers.keys() | image.registers.keys():
        if register not in registers:
            raise ImageError(f"register {register.name} is not one that an image sets")
        if register not in image.registers:
            raise ImageError(f"register {register.name} is missing")
        _equal(f"register {register.name}", image.registers[register], registers[register],
               "by input, schedule and weights")
    _verify_contents(image)
    verify_layers(image)
    _verify_logits(image)
    _verify_vectors(image)


def _equal(what: str, found: object, expected: object, why: str) -> None:
    if type(found) is not type(expected) or found != expected:
        raise ImageError(f"{what} is {found!r}, must be {expected!r} {why}")


def _verify_types(image: "Image") -> None:
    for name, kind in (("config", CoreConfig), ("schedule", Schedule), ("contents", dict), ("registers", dict),
                       ("input", InputFormat), ("input_map", SpikeMap), ("layers", list), ("vectors", list),
                       ("metadata", dict), ("network_digest", str)):
        if not isinstance(getattr(image, name), kind):
            raise ImageError(f"{name} must be a {kind.__name__}, not {getattr(image, name)!r}")
    verify_fields("config", image.config)
    if type(image.batch) is not int or not 1 <= image.batch <= image.config.most_samples:
        raise ImageError(f"batch is {image.batch!r}, limit 1..{image.config.most_samples}")
    if not DIGEST.fullmatch(image.network_digest):
        raise ImageError(f"network_digest must be a SHA-256 in hexadecimal, not {image.network_digest!r}")
    scale = image.logit_scale
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < float("inf"):
        raise ImageError(f"logit_scale must be finite and positive, not {scale!r}")


def _verify_contents(image: "Image") -> None:
    """Raise an ImageError if the words are not those of the memories."""
    for space in REQUIRED - image.contents.keys():
        raise ImageError(f"{space.name}: no words are there")
    if len(WEIGHTS & image.contents.keys()) != 1:
        raise ImageError("weights must be in one of WEIGHTS, the core's memory, and EXTERNAL")
    for space, (address, words) in image.contents.items():
        memory = memory_map(image.config).get(space)
        if memory is None or space not in REQUIRED | OPTIONAL | WEIGHTS:
            raise ImageError(f"{space.name}: not a memory that an image fills")
        if words.dtype != np.uint8 or words.ndim != 2 or words.shape[1] != memory.word_bytes:
            raise ImageError(
                f"{space.name}: words of {memory.word_bytes} bytes were expected, not {words.dtype} {words.shape}"
            )
        if type(address) is not int or address < 0 or address + len(words) > memory.depth:
            raise ImageError(f"{space.name}: {len(words)} words from {address!r} on do not fit {memory.depth} words")
        # The program, its passes and what descriptors name are counted from the first word.
        _equal(f"{space.name}: the first address", address, 0, "")
        spare = 8 * memory.word_bytes - memory.width
        if spare and (words[:, -1] >> (8 - spare)).any():
            raise ImageError(f"{space.name}: a word has more than {memory.width} bits")


def _verify_logits(image: "Image") -> None:
    try:
        verify_integers("logit_offset", image.logit_offset, (image.layers[-1].channels,), LOGIT_OFFSET_BITS)
    except NetworkError as error:
        raise ImageError(str(error)) from error
    _equal("logit_offset: the type", image.logit_offset.dtype.name, "int64", "")


def _verify_vectors(image: "Image") -> None:
    if len(image.vectors) % image.batch:
        raise ImageError(f"{len(image.vectors)} self-test vectors are not batches of {image.batch}")
    shapes = {"sums": image.logit_offset.shape, "counters": (len(image.layers), len(Counter))}
    ranges = {"sums": (-(1 << (LOGIT_WIDTH - 1)), (1 << (LOGIT_WIDTH - 1)) - 1),
              "counters": (0, (1 << COUNTER_WIDTH) - 1)}
    for index, vector in enumerate(image.vectors):
        where = f"self-test vector {index}"
        try:
            image.check_sample(vector.sample)
        except ImageError as error:
            raise ImageError(f"{where}: {error}") from error
        _equal(f"{where}: the type of sample", vector.sample.dtype.name, "uint8", "")
        for name, shape in shapes.items():
            values = getattr(vector, name)
            _equal(f"{where}: the type of {name}", values.dtype.name, "int64", "")
            _equal(f"{where}: the shape of {name}", values.shape, shape, "by the layers")
            low, high = ranges[name]
            if (values < low).any() or (values > high).any():
                raise ImageError(f"{where}: {name} reach from {values.min()} to {values.max()}, limit {low}..{high}")
        if vector.counters[:, Counter.CYCLES.value].any():
            raise ImageError(f"{where}: counters have CYCLES, which are not predicted")
