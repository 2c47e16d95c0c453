"""Spike maps: how spikes and direct-coded images lie in the words of the spike memory."""

from dataclasses import dataclass, replace

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import event_layout

from ..network.input import InputFormat, planes_beside

__all__ = ["SpikeMap", "input_spike_map", "to_words"]


def to_words(bits: np.ndarray, width: int) -> np.ndarray:
    """Return words of the link, uint8 (words, bytes of a word), of ``bits``: (words, width)."""
    padded = np.zeros((len(bits), -(-width // 8) * 8), np.uint8)
    padded[:, :width] = bits
    return np.packbits(padded, axis=1, bitorder="little")


@dataclass(frozen=True, kw_only=True)
class SpikeMap:
    """Place and shape of one map: slots in the order (plane, step, y, x, slot of pixel)."""

    base: int
    """First slot: of a whole map the first one of a word."""
    steps: int
    channels: int
    height: int
    width: int
    pixel_slots: int
    planes: int = 1
    """Bits of a direct-coded image; plane i has the weight ``2**i``."""
    gap: int = 0
    """Slots from the end of a time step to the begin of the next one: those of rows that are not part of it, or what
    fills up a word."""
    beside: int = 1
    """Planes beside each other in a slot: the i-th one's channel c is channel ``i * channels + c``."""
    flags: int = 0
    """First row flag."""
    flagged: bool = True
    """Whether its rows have flags; those of maps that the host writes as words have not."""

    @property
    def row_slots(self) -> int:
        return self.width * self.pixel_slots

    @property
    def frame_slots(self) -> int:
        """Slots of the pixels of a time step."""
        return self.height * self.row_slots

    @property
    def step_slots(self) -> int:
        """Slots from a time step to the next one."""
        return self.frame_slots + self.gap

    @property
    def plane_slots(self) -> int:
        """Slots of a plane, or of those beside each other."""
        return self.steps * self.step_slots

    @property
    def slots(self) -> int:
        return -(-self.planes // self.beside) * self.plane_slots - self.gap

    @property
    def rows(self) -> int:
        """Row flags of the map."""
        return self.steps * self.height if self.flagged else 0

    def first_word(self, config: CoreConfig) -> int:
        return self.base // config.word_slots

    def words(self, config: CoreConfig) -> int:
        """Return how many words of the spike memory the map covers."""
        return -(-(self.base % config.word_slots + self.slots) // config.word_slots)

    def step_words(self, config: CoreConfig) -> int:
        """Return the words from a time step to the next one, of a map whose steps begin with whole words."""
        return self.step_slots // config.word_slots

    def padded(self, config: CoreConfig) -> "SpikeMap":
        """Return the map with time steps that begin with whole words."""
        return replace(self, gap=-self.frame_slots % config.word_slots)

    def rows_of(self, rows: range) -> "SpikeMap":
        """Return so many rows of each time step as a map; its row flags are not those of a map of its own."""
        part = replace(self, base=self.base + rows.start * self.row_slots, height=len(rows), flagged=False, flags=0)
        return replace(part, gap=self.step_slots - part.frame_slots)

    def steps_of(self, steps: range) -> "SpikeMap":
        """Return so many time steps as a map."""
        flags = self.flags + steps.start * self.height * self.flagged
        return replace(self, base=self.base + steps.start * self.step_slots, steps=len(steps), flags=flags)

    def pack(self, values: np.ndarray, config: CoreConfig) -> np.ndarray:
        """Return the words, uint8 (words, word_bytes), of spikes or of an image.

        ``values`` is an unsigned integer or boolean array (steps, channels, height, width).
        """
        shape = (self.steps, self.channels, self.height, self.width)
        if values.shape != shape:
            raise ValueError(f"a map of shape {shape} was expected, not {values.shape}")
        if values.size and int(values.max()) >> self.planes:
            raise ValueError(f"value {int(values.max())} does not fit {self.planes} bits")
        planes = values[None] >> np.arange(self.planes).reshape(-1, 1, 1, 1, 1) & 1
        # (group of planes, step, y, x, plane of the group, channel)
        every = np.zeros((-(-self.planes // self.beside) * self.beside, *shape), np.uint8)
        every[:self.planes] = planes
        together = every.reshape(-1, self.beside, *shape).transpose(0, 2, 4, 5, 1, 3)
        channels = self.beside * self.channels
        pixels = np.zeros((self.slots // self.pixel_slots, self.pixel_slots * config.banks), "u1")
        pixels[:, :channels] = together.reshape(-1, channels)
        bits = np.zeros(self.words(config) * config.word_width, np.uint8)
        bits[:pixels.size] = pixels.ravel()
        return to_words(bits.reshape(-1, config.word_width), config.word_width)

    def unpack(self, words: np.ndarray, config: CoreConfig) -> np.ndarray:
        """Return spikes or the image, uint8 (steps, channels, height, width), of words."""
        bits = np.unpackbits(words, axis=1, bitorder="little")[:, :config.word_width].ravel()
        pixels = bits[:self.slots * config.banks].reshape(
            -1, self.steps, self.height, self.width, self.pixel_slots * config.banks
        )
        together = pixels[..., :self.beside * self.channels].reshape(
            -1, self.steps, self.height, self.width, self.beside, self.channels
        )
        shape = self.steps, self.channels, self.height, self.width
        planes = together.transpose(0, 4, 1, 5, 2, 3).reshape(-1, *shape)[:self.planes]
        weights = (1 << np.arange(self.planes)).astype(np.uint8).reshape(-1, 1, 1, 1, 1)
        return (planes * weights).sum(axis=0, dtype=np.uint8)


def input_spike_map(form: InputFormat, config: CoreConfig) -> SpikeMap:
    """Return where an input of ``form`` lies: from the first slot on, by the core's banks."""
    slots = -(-form.channels // config.banks)
    polarities = 1 << event_layout()["polarity"].width
    return SpikeMap(
        base=0, steps=1 if form.direct else form.steps, channels=form.channels, height=form.height,
        width=form.width, pixel_slots=slots, planes=form.bits,
        beside=planes_beside(form.channels, form.bits, config) if form.direct else 1,
        # Events set flags; an image, or more channels than polarities, is written as words.
        flagged=not form.direct and form.channels <= polarities and slots == 1,
    )
