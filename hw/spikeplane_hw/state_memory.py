"""The state memory: potentials of chunks, read and written by the update, the host and moves."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from .config import BURST_BITS, CoreConfig
from .descriptor import move_layout, state_bursts
from .memories import BlockRam, RamPorts
from .neuron import STATE_WIDTH

__all__ = ["StateMemory", "moves_states", "state_move"]


def moves_states(config: CoreConfig) -> bool:
    """Return whether streams can be stored outside the chip."""
    return config.external_depth > 0 and config.term_count > 1


def state_move(config: CoreConfig) -> wiring.Signature:
    """Return the signature of moves of states, seen from the mover: a burst holds a word, or a part of one.

    While ``enable``, ``data`` is the burst at ``word``, two cycles after it was. In a cycle with ``write``, ``burst``
    is to be stored at ``word``; parts of a word come in order.
    """
    return wiring.Signature({
        "enable": Out(1),
        "word": Out(move_layout(config)["word"].width),
        "write": Out(1),
        "burst": Out(BURST_BITS),
        "data": In(BURST_BITS),
    })


class StateMemory(wiring.Component):
    """A word for each chunk.

    Members
    -------
    ports : ``In(RamPorts(...))``
        Of the update, see :class:`BlockRam`.
    host_read, host_address : ``In``
        Read for the host, while the update does nothing.
    move : ``In(state_move(config))``
        Only where streams can be stored outside the chip; while the update does nothing, and the host does not read.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        self.width = STATE_WIDTH * config.updates
        super().__init__({
            "ports": In(RamPorts(self.width, config.state_depth, self.width)),
            "host_read": In(1),
            "host_address": In(ceil_log2(config.state_depth)),
            **({"move": In(state_move(config))} if moves_states(config) else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config, ports = self.config, self.ports
        m.submodules.ram = ram = BlockRam(self.width, config.state_depth)
        aside, address = self.host_read, self.host_address
        write_address, write_data, write_enable = ports.write_address, ports.write_data, ports.write_enable
        if moves_states(config):
            move, parts = self.move, state_bursts(config)
            part, word = move.word[: exact_log2(parts)], move.word[exact_log2(parts) :]
            word = word[: len(address)]
            aside, address = aside | move.enable, Mux(move.enable, word, address)
            # All parts of a word are written at once, when the last one is there.
            gathered = move.burst
            if parts > 1:
                before = Signal((parts - 1) * BURST_BITS)
                gathered = Cat(before, move.burst)
                with m.If(move.write):
                    m.d.sync += before.eq(gathered[BURST_BITS:])
            burst = ram.ports.read_data.word_select(part, min(BURST_BITS, self.width)) if parts > 1 else (
                ram.ports.read_data
            )
            m.d.sync += move.data.eq(burst)
            write_address = Mux(move.enable, word, write_address)
            write_data = Mux(move.enable, gathered[: self.width], write_data)
            write_enable = write_enable | (move.write & (part == parts - 1))
        m.d.comb += [
            ram.ports.read_address.eq(Mux(aside, address, ports.read_address)),
            ram.ports.read_enable.eq(1),
            ports.read_data.eq(ram.ports.read_data),
            ram.ports.write_address.eq(write_address),
            ram.ports.write_data.eq(write_data),
            ram.ports.write_enable.eq(write_enable),
        ]
        return m
