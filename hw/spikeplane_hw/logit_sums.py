"""The logits: where classifiers' sums are added up."""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal, signed

from .config import CoreConfig
from .memories import BlockRam
from .memory_map import LOGIT_WIDTH

__all__ = ["add_logits"]


def add_logits(m: Module, config: CoreConfig, layer, host, chunk, units) -> Signal:
    """Add the logit memory: read in cycle 1, or in cycle 2 if wires have no registers, and written in cycle 4.

    Return the signed sum of the one unit that is not hidden, in cycle 3.
    """
    # The word after the logits is always 0.
    nothing = config.logit_count
    m.submodules.logits = ram = BlockRam(LOGIT_WIDTH, nothing + 1)
    read = chunk[2 - config.wire_registers]
    sum_3 = Signal(signed(units[0].sum_width), reset_less=True)
    logit_3 = Signal(LOGIT_WIDTH, reset_less=True)
    logit_4 = Signal(LOGIT_WIDTH, reset_less=True)
    m.d.sync += [
        sum_3.eq(reduce(or_, (neuron.signed_sum_2 for neuron in units))),
        logit_4.eq(logit_3 + (sum_3 << layer.power if config.term_count > 1 else sum_3)),
    ]
    m.d[config.wire_domain] += [logit_3.eq(ram.ports.read_data), host.read_data.eq(logit_3)]
    m.d.comb += [
        ram.ports.read_address.eq(
            Mux(host.read, host.address, Mux(read.initial, nothing, Cat(read.lane, read.logit)))
        ),
        ram.ports.read_enable.eq(1),
        ram.ports.write_address.eq(Cat(chunk[4].lane, chunk[4].logit)),
        ram.ports.write_data.eq(logit_4),
        ram.ports.write_enable.eq(chunk[4].valid & layer.logits),
    ]
    return sum_3
