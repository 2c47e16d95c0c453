"""Does it fit, in plain values: what `spikeplane info --config --json` prints."""

from collections.abc import Iterable
from typing import Any

from spikeplane_hw.config import CoreConfig

from .compiler.fit import Fit
from .fit_report import LONG_SEGMENTS, Candidate, fits_of

__all__ = ["fit_values"]


def fit_values(chosen: Candidate, configs: Iterable[CoreConfig]) -> dict[str, Any]:
    """Return what a network needs of some configurations, as types of JSON; cycles are those of one random input."""
    return {
        "network": chosen.name, "trained": chosen.trained, "input_rate": chosen.input_rate,
        "configs": [_values(found) for found in fits_of(chosen, configs, LONG_SEGMENTS)],
    }


def _values(found: Fit) -> dict[str, Any]:
    """Return one configuration and what the network needs of it."""
    config = found.config
    return {
        "config": config.name, "lanes": config.lanes, "banks": config.banks, "clusters": config.clusters,
        "hash": f"{config.hash:#010x}",
        "fits": found.fits, "schedule": found.schedule.value, "reuse_maps": not found.keep_maps,
        "words": {space.name: {"need": words, "limit": found.depths[space]} for space, words in found.words.items()},
        "limits": {kind.value: {"need": need.need, "limit": need.limit} for kind, need in found.worst.items()},
        "exceeded": [
            {"need": str(need), "remedies": changes}
            for need, changes in zip(found.exceeded, found.changes, strict=True)
        ],
        "cycles": found.cycles or None, "cycles_note": found.note or None,
        "boards": {time.board: {"clock": time.clock, "seconds": time.seconds} for time in found.board_times},
    }
