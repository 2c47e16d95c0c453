"""Weights as a core has them: a bit for each bank and lane of a slot, on the chip or in the order they stream in."""

import numpy as np
from spikeplane_hw.config import BURST_BITS, CoreConfig
from spikeplane_hw.descriptor import parameter_bursts
from spikeplane_hw.external_bus import BEAT_BITS
from spikeplane_hw.weight_stream import row_beats, slot_bursts

from .placed import PlacedLayer, PlacedTerm
from .placement import Placement
from .spike_map import to_words
from .weight_places import identity_slots

__all__ = ["channel_places", "from_stream", "identity_bits", "parameter_words", "stream_words", "weight_bits"]


def identity_bits(config: CoreConfig) -> np.ndarray:
    """Return the weight bits of all shortcuts, uint8 (slots, banks, lanes)."""
    return np.eye(config.lanes, dtype=np.uint8).reshape(-1, config.banks, config.lanes)


def channel_places(layer: PlacedLayer, config: CoreConfig) -> np.ndarray:
    """Return of each output channel its place among the lanes of all channel groups."""
    channel = np.arange(layer.layer.channels)
    return channel // layer.group_lanes * config.lanes + channel % layer.group_lanes


def weight_bits(placed: PlacedTerm, layer: PlacedLayer, config: CoreConfig) -> np.ndarray:
    """Return a term's weight bits, uint8 (slots, banks, lanes)."""
    term, slots = placed.term, placed.group_slots(config)
    assert term.weight is not None
    _, channels, height, width = term.weight.shape
    codes = term.weight_kind.codes(term.weight.astype(np.int64), term.weight_bits)
    planes = np.zeros(
        (term.weight_bits, placed.groups * config.lanes, slots * config.banks, height, width), np.uint8
    )
    # Of input planes beside each other the i-th one's weight planes are turned by i.
    for beside, plane in np.ndindex(placed.source.beside, term.weight_bits):
        own = slice(beside * channels, (beside + 1) * channels)
        turned = planes[(plane + beside) % term.weight_bits]
        turned[channel_places(layer, config), own] = codes >> plane & 1
    planes = planes.reshape(
        term.weight_bits, placed.groups, config.lanes, slots, config.banks, height, width
    )
    # (group, plane, y, x, slot, bank, lane)
    ordered = planes.transpose(1, 0, 5, 6, 3, 4, 2)
    return ordered.reshape(-1, config.banks, config.lanes)


def stream_words(placement: Placement) -> np.ndarray:
    """Return the words of Space.EXTERNAL, uint8 (words, word_bytes): slots in the order in which layers need them."""
    config = placement.config
    # Of parts with the same weights all have those of the first one.
    bits, last = {}, np.zeros(0, np.uint8)
    for placed in placement.layers:
        last = _layer_slots(placed, config) if placed.owns else last
        bits[placed] = last
    layers = [bits[placed] for placed in placement.streamed_layers if placed.stream_group]
    slots = np.concatenate(layers) if layers else np.zeros((0, config.banks, config.lanes), np.uint8)
    rows = np.zeros((len(slots), config.banks, row_beats(config) * BEAT_BITS), np.uint8)
    rows[:, :, :config.lanes] = slots
    padded = np.zeros((len(slots), slot_bursts(config) * BURST_BITS), np.uint8)
    padded[:, :config.banks * row_beats(config) * BEAT_BITS] = rows.reshape(len(slots), -1)
    return to_words(padded.reshape(-1, BURST_BITS), BURST_BITS)


def parameter_words(words: np.ndarray, config: CoreConfig) -> np.ndarray:
    """Return words of Space.PARAMETERS, of whole chunks, as those of Space.EXTERNAL from which they are loaded."""
    bursts = words.reshape(len(words) // config.updates * parameter_bursts(config), -1)
    return np.pad(bursts, ((0, 0), (0, BURST_BITS // 8 - bursts.shape[1])))


def from_stream(words: np.ndarray, slots: int, config: CoreConfig) -> np.ndarray:
    """Return the bits of so many slots, uint8 (slots, banks, lanes), from the first words of Space.EXTERNAL on."""
    bits = np.unpackbits(words[:slots * slot_bursts(config)], axis=1, bitorder="little")
    bits = bits.reshape(slots, slot_bursts(config) * BURST_BITS)
    rows = bits[:, :config.banks * row_beats(config) * BEAT_BITS].reshape(len(bits), config.banks, -1)
    return rows[:, :, :config.lanes]


def _layer_slots(placed: PlacedLayer, config: CoreConfig) -> np.ndarray:
    """Return the bits of a layer's groups one behind the other, uint8 (slots, banks, lanes)."""
    bits = np.zeros((placed.groups, placed.stream_group, config.banks, config.lanes), np.uint8)
    for term in placed.terms:
        if term.shares:
            bits[:, :identity_slots(config)] = identity_bits(config)
        elif term.weight_slots:
            own = weight_bits(term, placed, config).reshape(placed.groups, term.weight_size, *bits.shape[2:])
            bits[:, term.weight_base:term.weight_base + term.weight_size] = own
    return bits.reshape(-1, *bits.shape[2:])
