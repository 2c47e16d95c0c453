"""Which layers are split into parts, and into how many, so that what is there of spilled maps fits the spike memory."""

from collections.abc import Callable, Sequence

from spikeplane_hw.config import CoreConfig

from ..network.graph import IntegerNetwork
from ..network.lowered import CoreLayer
from .parts import Split, finer_split
from .stays import PlacedMaps

__all__ = ["choose_splits"]


def choose_splits(
    network: IntegerNetwork, lowered: Sequence[CoreLayer], config: CoreConfig, spilled: frozenset[str],
    placed: Callable[[dict[str, Split]], PlacedMaps],
) -> dict[str, Split] | None:
    """Return splits with which all maps fit that ``placed`` gives places; None if there are none.

    Layers are split into more parts only while what lies beside each other for them is too much.
    """
    formats = network.maps()
    splits: dict[str, Split] = {}
    while True:
        maps = placed(splits)
        layers = _too_large(maps, len(lowered), config)
        if not layers:
            return splits
        for index in layers:
            layer = lowered[index]
            made = maps.outside[layer.name] if layer.name in spilled else None
            split = finer_split(layer, splits.get(layer.name), formats, made, network.input.steps, config)
            if split is None:
                return None
            splits = splits | {layer.name: split}


def _too_large(maps: PlacedMaps, count: int, config: CoreConfig) -> list[int]:
    """Return the numbers of the layers for which too much lies in the spike memory."""
    beyond = [
        stay for stay, spikes in maps.stays.items()
        if spikes.first_word(config) + maps.words[stay] > config.spike_depth
        or spikes.flags + spikes.rows > config.row_flag_count
    ]
    if not beyond:
        return []
    needs = [
        sum(words for stay, words in maps.words.items() if stay.first <= index <= stay.last) for index in range(count)
    ]
    # Where all have room, one lies in the way of another: the layer that makes or loads it may need less.
    return [index for index, words in enumerate(needs) if words > config.spike_depth] or [max(0, beyond[0].first)]
