"""Parameters that come from outside the chip: each burst holds those of a few neurons of a chunk."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.utils import exact_log2

from .config import BURST_BITS, CoreConfig
from .descriptor import move_layout, parameter_bursts
from .neuron_unit import parameter_layout

__all__ = ["parameter_move", "write_moved"]


def parameter_move(config: CoreConfig) -> wiring.Signature:
    """Return the signature of moves of parameters, seen from the mover.

    In a cycle with ``write``, ``burst`` is to be stored at ``word``, which counts parts of chunks.
    """
    return wiring.Signature({
        "word": Out(move_layout(config)["word"].width), "write": Out(1), "burst": Out(BURST_BITS),
    })


def write_moved(m: Module, config: CoreConfig, move, ports):
    """Write what arrives into the parameter memory a cycle later; it has the last word on the ``ports``."""
    width, parts = parameter_layout().size, parameter_bursts(config)
    units = min(config.updates, BURST_BITS // width)
    word, burst, write = Signal.like(move.word), Signal(units * width), Signal()
    m.d.sync += [word.eq(move.word), burst.eq(move.burst), write.eq(move.write)]
    with m.If(write):
        m.d.comb += [
            ports.write_address.eq(word[exact_log2(parts):]),
            ports.write_data.eq(burst.replicate(parts)),
            ports.write_enable.eq(((1 << units) - 1) << units * word[: exact_log2(parts)]),
        ]
