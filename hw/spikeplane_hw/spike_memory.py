"""The spike memory: read by fetch, operands, events and host; written a chunk, a slot or a word at a time."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import CoreConfig
from .memories import HostPort
from .synthesis import COLLISIONS_UNDEFINED

__all__ = ["SpikeMemory", "slots_write"]


def slots_write(config: CoreConfig, slots: int) -> wiring.Signature:
    """Return the signature of slots that are stored from ``slot`` on while ``enable``, seen from the writer."""
    return wiring.Signature({
        "enable": Out(1), "slot": Out(config.slot_width), "data": Out(slots * config.banks),
    })


class SpikeMemory(wiring.Component):
    """Words of all spike maps.

    Members
    -------
    busy : ``In(1)``
        A run is under way: it reads at ``address`` and writes ``spikes``; else ``events`` and ``host`` do.
    address : ``In``
        Word to be read for the run.
    spikes : ``In(slots_write(config, chunk_slots))``
        A chunk, which never straddles words: layers' pixels are padded to chunks.
    events : ``In(slots_write(config, 1))``
        A slot.
    event_read, event_address : ``In``
        Read the word of an event instead of the host's.
    clear, clear_word : ``In``
        Write zeros to a word, whatever else is asked for.
    data : ``Out(word_width)``
        The word read, ``spike_read_latency`` cycles after its address.
    host : ``In(HostPort(word_width, spike_depth))``
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        word = ceil_log2(config.spike_depth)
        super().__init__({
            "busy": In(1),
            "address": In(word),
            "spikes": In(slots_write(config, config.chunk_slots)),
            "events": In(slots_write(config, 1)),
            "event_read": In(1),
            "event_address": In(word),
            "clear": In(1),
            "clear_word": In(word),
            "data": Out(config.word_width),
            "host": In(HostPort(config.word_width, config.spike_depth)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.memory = memory = Memory(
            shape=config.word_width, depth=config.spike_depth, init=[], attrs=COLLISIONS_UNDEFINED
        )
        read, write = memory.read_port(), memory.write_port(granularity=config.banks)
        offset_width = ceil_log2(config.word_slots)
        address = Signal.like(self.address)
        chunk = Signal(config.chunk_slots * config.banks)
        slot = Signal(config.slot_width)
        enable = Signal()
        with m.If(self.busy):
            m.d.comb += [
                address.eq(self.address),
                chunk.eq(self.spikes.data),
                slot.eq(self.spikes.slot),
                enable.eq(self.spikes.enable),
            ]
        with m.Else():
            m.d.comb += [
                address.eq(Mux(self.event_read, self.event_address, self.host.address)),
                chunk.eq(self.events.data.replicate(config.chunk_slots)),
                slot.eq(self.events.slot),
                enable.eq(self.events.enable),
            ]
        # What `spike_read_latency` counts.
        m.d[config.wire_domain] += read.addr.eq(address)
        chunk_mask = Mux(self.busy, (1 << config.chunk_slots) - 1, 1)
        m.d.sync += [
            self.data.eq(read.data),
            write.addr.eq(slot[offset_width:]),
            write.data.eq(chunk.replicate(config.word_slots // config.chunk_slots)),
            write.en.eq(Mux(enable, chunk_mask << slot[:offset_width], 0)),
        ]
        m.d.comb += self.host.read_data.eq(self.data)
        with m.If(self.clear):
            m.d.sync += [write.addr.eq(self.clear_word), write.data.eq(0), write.en.eq(~0)]
        with m.Elif(self.host.write):
            m.d.sync += [write.addr.eq(self.host.address), write.data.eq(self.host.write_data), write.en.eq(~0)]
        return m
