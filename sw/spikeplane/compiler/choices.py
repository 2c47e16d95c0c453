"""Choices: what of a network lies outside the chip and how its layers are split, where it does not fit as a whole."""

from collections.abc import Callable
from dataclasses import replace

from spikeplane_hw.config import CoreConfig

from ..network.graph import IntegerNetwork
from ..network.schedule import Schedule
from .arrangement import Choices, arrange
from .batches import check_batch, collected_maps, cuts
from .limits import CompileError, Limit, memory_needs
from .lowered_layers import find_rings, lower_network
from .parts import Split
from .placement import Placement
from .spike_map import input_spike_map
from .splits import choose_splits
from .state_places import spillable_streams
from .stays import place_maps, spillable
from .weight_places import mixes

__all__ = ["choose", "spillable_maps"]


def choose(
    network: IntegerNetwork,
    config: CoreConfig,
    schedule: Schedule,
    *,
    keep_maps: bool,
    keep_states: bool,
    streaming: bool | None,
    batch: int,
    early: int | None,
    spilled: frozenset[str] | None,
    splits: dict[str, Split] | None,
    pieces: bool,
) -> Choices:
    """Return the choices of :func:`.place`, made where they are None."""
    check_batch(batch, config, schedule)
    asked = Choices(
        schedule=schedule, keep_maps=keep_maps, keep_states=keep_states, streaming=False, batch=1, early=0,
        spilled=frozenset(), splits={}, pieces=False,
    )
    if streaming is None:
        streaming = config.external_depth > 0 and _needs_streaming(network, config, asked)
    asked = replace(asked, streaming=streaming, batch=batch)
    if batch == 1:
        early = 0
    elif not streaming:
        raise CompileError(f"a batch of {batch} samples was asked for, but all weights stay on the chip: limit 1")
    elif early is None:
        return _choose_early(network, config, asked, spilled, splits, pieces)
    return _with_spilled(network, config, replace(asked, early=early), spilled, splits, pieces)


def spillable_maps(network: IntegerNetwork, config: CoreConfig, schedule: Schedule, early: int = 0) -> list[str]:
    """Return the maps that may be spilled, those that are not needed for longest first; ``early`` as in `Placement`."""
    rings = find_rings(lower_network(network), network.maps(), schedule)
    return spillable(network, rings, collected_maps(network, early))


def _needs_streaming(network: IntegerNetwork, config: CoreConfig, asked: Choices) -> bool:
    """Return whether the chip holds too few weights, and the network has none that cannot stream."""
    layers = arrange(network, config, asked).layers
    return not any(mixes(placed.layer, config) for placed in layers) and (
        max(placed.operand_end for placed in layers) > config.weight_depth
    )


def _with_spilled(
    network: IntegerNetwork, config: CoreConfig, asked: Choices, spilled: frozenset[str] | None,
    splits: dict[str, Split] | None, pieces: bool,
) -> Choices:
    """Return ``asked`` with what is spilled, where all else is chosen."""
    if spilled is not None:
        return replace(asked, spilled=spilled, splits=splits or {}, pieces=pieces)
    if asked.keep_maps or not config.external_depth:
        return replace(asked, splits=splits or {})
    return _choose_spilled(network, config, asked, splits)


def _choose_early(
    network: IntegerNetwork, config: CoreConfig, asked: Choices, spilled: frozenset[str] | None,
    splits: dict[str, Split] | None, pieces: bool,
) -> Choices:
    """Return with how many layers for one sample after the other all maps of a batch fit; if with none, the most.

    Of those that fit, the one with which least goes between the core and memory outside the chip: fewer such layers
    have fewer weights to be read for each sample, but may have to spill larger maps.
    """
    found = cuts(network)
    if not found:
        raise CompileError(f"a batch of {asked.batch} samples was asked for, but there is no place between two "
                           f"layers that nothing crosses but maps of spikes which are read behind it only: limit 1")
    best, least = found[-1], None
    for early in found:
        placement = arrange(network, config, _with_spilled(
            network, config, replace(asked, early=early), None, None, pieces=False,
        ))
        if any(need.exceeded for need in memory_needs(placement)):
            continue
        if least is None or placement.traffic < least:
            best, least = early, placement.traffic
        if not placement.spilled:  # From here on it only grows.
            break
    return _with_spilled(network, config, replace(asked, early=best), spilled, splits, pieces)


def _choose_spilled(
    network: IntegerNetwork, config: CoreConfig, asked: Choices, splits: dict[str, Split] | None
) -> Choices:
    """Return what must be spilled of maps and streams for all of them to fit, how layers are split, and whether streams
    are in pieces.

    None of a memory are if all fit so, or do not fit anyway. Layers are split only if maps do not fit otherwise, and
    not if ``splits`` says how.
    """
    def chosen(spilled: frozenset[str], splits: dict[str, Split], pieces: bool) -> Choices:
        return replace(asked, spilled=spilled, splits=splits, pieces=pieces)

    def fits(names: list[str], kinds: tuple[Limit, ...], pieces: bool) -> bool:
        found = memory_needs(arrange(network, config, chosen(frozenset(names), splits or {}, pieces)))
        return not any(need.exceeded for need in found if need.kind in kinds)

    def enough(names: list[str], *kinds: Limit) -> frozenset[str] | None:
        """Return as few of the first ones as let all fit; None: they do not."""
        count = next((count for count in range(len(names) + 1) if fits(names[:count], kinds, False)), None)
        return None if count is None else frozenset(names[:count])

    # Spikes and states lie in memories of their own, so neither choice changes the other one.
    single = not asked.schedule.stores and asked.batch == 1
    streams, pieces = enough(spillable_streams(network), Limit.STATES), False
    if streams is None:
        whole = [name for name, form in network.maps().items() if form.signed]
        pieces = single and fits(whole, (Limit.STATES,), True)
        streams = frozenset(whole if pieces else [])
    maps = enough(spillable_maps(network, config, asked.schedule, asked.early), Limit.SPIKES, Limit.ROW_FLAGS)
    if maps is not None:
        return chosen(maps | streams, splits or {}, pieces)
    if splits is not None or not single:
        return chosen(streams, splits or {}, pieces)
    maps, found = _choose_splits(
        network, config, asked.schedule,
        lambda maps, splits: arrange(network, config, chosen(maps | streams, splits, pieces)),
    )
    return chosen(maps | streams, found, pieces)


def _choose_splits(
    network: IntegerNetwork, config: CoreConfig, schedule: Schedule,
    placed: Callable[[frozenset[str], dict[str, Split]], Placement],
) -> tuple[frozenset[str], dict[str, Split]]:
    """Return the maps that are spilled and how layers are split, with which least goes between chip and memory.

    Where none fits, that which needs least too much; nothing if maps fit in no way.
    """
    formats, lowered = network.maps(), lower_network(network)
    rings, input_map = find_rings(lowered, formats, schedule), input_spike_map(network.input, config)
    steps = {name: max(network.input.steps, rings[name]) for name in formats}
    best: tuple[frozenset[str], dict[str, Split]] = frozenset(), {}
    least: tuple[float, int] | None = None
    spilled: frozenset[str] = frozenset()
    sizes = {name: form.channels * form.height * form.width for name, form in formats.items()}
    for name in sorted(spillable(network, rings, set(), parts=True), key=lambda name: -sizes[name]):
        spilled |= {name}
        outside = spilled
        splits = choose_splits(network, lowered, config, outside, lambda splits, outside=outside: place_maps(
            network, rings, steps, steps, set(), input_map, config, schedule, keep_maps=False, spilled=outside,
            lowered=lowered, splits=splits,
        ))
        if splits is None:
            continue
        placement = placed(spilled, splits)
        worst = max(need.share for need in memory_needs(placement))
        rank = worst if worst > 1 else 0.0, placement.traffic
        if least is None or rank < least:
            best, least = (spilled, splits), rank
    return best
