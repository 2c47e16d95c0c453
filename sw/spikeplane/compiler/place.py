"""Placing: from a network and a core to a placement, whose needs are checked."""

from spikeplane_hw.config import CoreConfig

from ..network.graph import IntegerNetwork
from ..network.schedule import Schedule
from .arrangement import arrange
from .choices import choose
from .limits import needs
from .parts import Split
from .placement import Placement

__all__ = ["place"]


def place(
    network: IntegerNetwork,
    config: CoreConfig,
    schedule: Schedule = Schedule.REGISTERS,
    *,
    keep_maps: bool = True,
    keep_states: bool = False,
    check: bool = True,
    streaming: bool | None = None,
    batch: int = 1,
    early: int | None = None,
    spilled: frozenset[str] | None = None,
    splits: dict[str, Split] | None = None,
    pieces: bool = False,
) -> Placement:
    """Return ``network`` placed on a core; a CompileError names layer, need, limit and remedy of what does not fit.

    ``keep_maps`` gives every map its own memory, so that all spikes can be read after a run;
    without, maps that are no longer needed are overwritten. ``keep_states`` stores the final
    potentials of every layer that has a state also with the schedule REGISTERS. Without ``check``
    the network is one that was verified before, and may need more than the core has. ``streaming``
    says whether weights stay outside the chip; by default they do if they are more than it holds. ``batch`` samples
    share one pass of them through the core; the first ``early`` layers run for one sample after the other, by
    default as few as let all maps fit. The maps and streams ``spilled`` are stored outside the chip while they are not
    read; by default, where maps are overwritten, and with them streams, as few as let all fit. ``splits`` says of which
    nodes rows or steps are split; by default, where maps fit no other way, those of which as few go between the chip
    and memory as can be. ``pieces`` says that no more is there of streams than a row of a channel group; by default,
    where they are spilled and do not fit as a whole.
    """
    if check:
        network.verify()
    choices = choose(
        network, config, schedule, keep_maps=keep_maps, keep_states=keep_states, streaming=streaming, batch=batch,
        early=early, spilled=spilled, splits=splits, pieces=pieces,
    )
    placement = arrange(network, config, choices)
    if check and (exceeded := [need for need in needs(placement) if need.exceeded]):
        from .remedies import error  # They are tried by placing the network again.

        raise error(placement, exceeded)
    return placement
