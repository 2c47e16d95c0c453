"""What an image says of maps that are spilled, held against the moves that store and load them."""

from dataclasses import replace
from typing import TYPE_CHECKING

from spikeplane_hw.memory_map import Space

from .moves import burst_limit, load_moves, spill_base, store_moves
from .spike_map import SpikeMap
from .term_checks import Held, ImageError, limit, must

if TYPE_CHECKING:
    from .image import LayerInfo

__all__ = ["verify_reloads", "verify_spill"]


def verify_reloads(where: str, held: Held, info: "LayerInfo", moves: list[dict[str, int]]) -> None:
    """Check the moves ahead of a layer's walk, and note where they put the maps that the image names."""
    config, left = held.image.config, moves
    for name in info.reloads:
        if name not in held.spilled:
            raise ImageError(f"{where}: it loads {name!r} again, which no layer before it stores")
        burst, sampled, made = held.spilled[name]
        samples = held.image.batch if sampled else 1
        if samples > 1 and info.samples == 1:
            raise ImageError(f"{where}: it loads {name!r} of {samples} samples, itself it runs for one")
        if len(left) < samples:
            raise ImageError(f"{where}: it has {len(moves)} moves ahead of its walk, {name!r} takes {samples} of them")
        loaded = replace(
            made, base=left[0]["word"] * config.word_slots, steps=made.steps * samples, flags=0, flagged=False,
        )
        own, left = left[:samples], left[samples:]
        _verify_moves(f"{where}, {name!r}", own, load_moves(loaded, burst, config, samples=samples), last=False)
        if loaded.first_word(config) + loaded.words(config) > config.spike_depth:
            raise ImageError(f"{where}: {name!r} is loaded to words {loaded.first_word(config)} to "
                             f"{loaded.first_word(config) + loaded.words(config) - 1}, limit {config.spike_depth - 1}")
        held.maps[name] = loaded
    if left:
        raise ImageError(f"{where}: {len(left)} moves ahead of its walk load no map that the image names")


def verify_spill(
    where: str, held: Held, info: "LayerInfo", made: SpikeMap | None, moves: list[dict[str, int]], *, early: bool
) -> None:
    """Check the moves behind a layer's walk, which store its spikes ``made``; ``early``: for each sample by itself."""
    must(where, "spilled", info.spilled, bool(moves))
    if not moves:
        return
    if made is None or info.spikes is not None:
        what = "has none" if made is None else "keeps all on the chip"
        raise ImageError(f"{where}: it stores spikes outside the chip, of which it {what}")
    if len(moves) != 1:
        raise ImageError(f"{where}: it stores its spikes by {len(moves)} moves, must be one")
    config, external = held.image.config, held.image.contents.get(Space.EXTERNAL)
    sampled, burst = bool(moves[0]["sampled"]), held.next_burst
    limit(where, "sampled", int(sampled), 0, int(early and held.image.batch > 1))
    _verify_moves(where, moves, store_moves(made, burst, config, sampled=sampled), last=True)
    held.spilled[info.name] = burst, sampled, made
    held.next_burst += made.words(config)
    most = burst_limit(config, sampled=any(each for _, each, _ in held.spilled.values()))
    if held.next_burst > most:
        raise ImageError(f"{where}: spikes outside the chip take {held.next_burst} bursts, limit {most}")
    if external is not None and len(external[1]) > spill_base(config):
        raise ImageError(f"EXTERNAL: {len(external[1])} words, limit {spill_base(config)} ahead of spikes that are "
                         f"stored there")


def _verify_moves(where: str, found: list[dict[str, int]], expected: list, *, last: bool) -> None:
    for d, move in zip(found, expected, strict=True):
        for name, value in move.fields(last=last and move is expected[-1]).items():
            limit(f"{where}, move", name, d[name], value, value)
