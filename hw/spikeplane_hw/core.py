"""The core: sequencer, walker, fetch, banks, lanes and update around the spike memory."""

from amaranth import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, connect, flipped
from amaranth.utils import ceil_log2

from .banks import Banks
from .config import CoreConfig
from .descriptor import event_layout
from .events import EventWriter
from .fetch import Fetch
from .host_bus import HostBus, written_word
from .lanes import Lanes
from .map_places import MapPlaces
from .memories import HOST_READ_LATENCY
from .memory_map import Space, memory_map
from .operand import Operand
from .queue import Queue
from .registers import Registers
from .sequencer import Sequencer
from .statistics import Statistics
from .synthesis import COLLISIONS_UNDEFINED
from .update import Update
from .walker import Walker

__all__ = ["Core"]


class Core(wiring.Component):
    """A whole core. It runs programs on its memories; the host fills and reads them when it is idle.

    A STOP in CONTROL holds all that runs a program in reset for a few cycles, in whatever state it is:
    no program can take the core away from its host.

    Members
    -------
    bus : ``In(HostBus(config))``
        Host access, see :class:`HostBus`.
    events : ``In(stream.Signature(event_layout()))``
        AER events of the next run; they wait while the core is busy.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "bus": In(HostBus(config)),
            "events": In(stream.Signature(event_layout())),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        bus = self.bus
        map_of = memory_map(config)

        m.submodules.registers = registers = Registers(config)

        def stoppable(component):
            """Return ``component``, held in reset while the host stops the core; its memories keep what they hold."""
            return ResetInserter(registers.stopping)(component)

        sequencer = Sequencer(config)
        places = MapPlaces(config)
        walker = Walker(config)
        segments = Queue(walker.segments.payload.shape(), config.segment_queue_depth)
        fetch = Fetch(config)
        passes = Queue(fetch.passes.payload.shape(), config.queue_depth)
        banks = Banks(config)
        lanes = Lanes(config)
        update = Update(config)
        writer = EventWriter(config)
        m.submodules.sequencer = stoppable(sequencer)
        if config.statistics:
            statistics = Statistics(config)
            m.submodules.statistics = stoppable(statistics)
        m.submodules.places = stoppable(places)
        m.submodules.walker = stoppable(walker)
        m.submodules.segments = stoppable(segments)
        m.submodules.fetch = stoppable(fetch)
        m.submodules.passes = stoppable(passes)
        m.submodules.banks = stoppable(banks)
        m.submodules.lanes = stoppable(lanes)
        m.submodules.update = stoppable(update)
        m.submodules.events = stoppable(writer)

        # The data path, in order.
        connect(m, walker.rows, fetch.rows)
        connect(m, fetch.passes, passes.i)
        connect(m, passes.o, banks.passes)
        connect(m, fetch.words, banks.words)
        connect(m, walker.segments, segments.i)
        connect(m, segments.o, update.segment)
        connect(m, flipped(self.events), writer.events)
        m.d.comb += [
            fetch.room.eq(banks.room),
            lanes.beat.eq(banks.beat),
            lanes.rotate.eq(update.rotate),
            update.done.eq(lanes.done),
            update.sums.eq(lanes.sums),
            update.reference_sum.eq(lanes.reference_sum),
            banks.free.eq(update.free),
            banks.start.eq(sequencer.start),
            walker.layer.eq(sequencer.layer),
            walker.term.eq(sequencer.term),
            walker.term_index.eq(sequencer.term_index),
            walker.term_store.eq(sequencer.term_store),
            update.layer.eq(sequencer.layer),
            walker.start.eq(sequencer.start),
            walker.initial.eq(sequencer.initial),
            places.layer.eq(sequencer.layer),
            places.term.eq(sequencer.term),
            places.restart.eq(sequencer.restart),
            places.resume.eq(sequencer.resume),
            places.place.eq(sequencer.place),
            places.walked.eq(sequencer.walked),
            places.advance.eq(sequencer.advance),
            sequencer.placed.eq(places.ready),
            sequencer.output_flags.eq(places.output_flags),
            walker.input_offset.eq(places.input_offset),
            walker.input_flags.eq(places.input_flags),
            walker.output_offset.eq(places.output_offset),
            walker.output_flags.eq(places.output_flags),
            walker.time.eq(places.time),
            walker.age.eq(places.age),
            sequencer.run.eq(registers.run),
            sequencer.resume.eq(registers.resume),
            sequencer.outer_steps.eq(registers.outer_steps),
        ]

        if config.statistics:
            m.d.comb += [
                statistics.busy.eq(sequencer.busy),
                statistics.resume.eq(registers.resume),
                statistics.initial.eq(sequencer.initial),
                statistics.advance.eq(sequencer.advance),
                statistics.counting.eq(sequencer.counting),
                statistics.settle.eq(sequencer.settle),
                sequencer.settled.eq(statistics.settled),
                statistics.events.eq(banks.events),
                statistics.longest.eq(banks.longest),
                statistics.longest_valid.eq(banks.longest_valid),
                statistics.saturations.eq(update.saturations),
                statistics.spikes.eq(update.spikes),
                statistics.address.eq(bus.address),
            ]
        else:
            m.d.comb += sequencer.settled.eq(1)

        operand = None
        if config.term_count > 1:
            m.submodules.operand = operand = stoppable(Operand(config))
            connect(m, operand.write, lanes.operand)
            m.d.comb += [
                operand.load.eq(sequencer.load),
                operand.start.eq(sequencer.load_start),
                operand.offset.eq(places.input_offset),
                sequencer.load_idle.eq(operand.idle),
            ]

        # A segment request waits until its snapshot is taken, so an empty queue means that nothing is
        # on its way through fetch, banks and lanes either.
        m.d.sync += sequencer.drained.eq(walker.idle & ~segments.o.valid & update.idle)

        busy = Signal()
        m.d.sync += busy.eq(bus.busy)
        m.d.comb += [
            bus.busy.eq(sequencer.busy | registers.clearing | registers.stopping),
            registers.busy.eq(sequencer.busy),
            registers.events_idle.eq(writer.idle),
            writer.enable.eq(~bus.busy),
            writer.base.eq(registers.input_base),
            writer.width.eq(registers.input_width),
            writer.height.eq(registers.input_height),
            writer.steps.eq(registers.input_steps),
            writer.clear.eq(registers.clear_counts),
            registers.accepted.eq(writer.accepted),
            registers.rejected.eq(writer.rejected),
        ]

        # Host writes by space; only REGISTERS takes them while the core is busy.
        write = {space: Signal(name=f"write_{space.name.lower()}") for space in Space}
        for space, enable in write.items():
            m.d.sync += enable.eq(
                bus.write & (bus.space == space) & (~busy | (space is Space.REGISTERS))
            )

        def memory(name: str, width: int, depth: int) -> Memory:
            m.submodules[name] = block = Memory(
                shape=width, depth=depth, init=[], attrs=COLLISIONS_UNDEFINED
            )
            return block

        program = memory("program", map_of[Space.PROGRAM].width, map_of[Space.PROGRAM].depth)
        program_read, program_write = program.read_port(), program.write_port()
        planes = memory("planes", map_of[Space.PASSES].width, map_of[Space.PASSES].depth)
        plane_read, plane_write = planes.read_port(), planes.write_port()
        flags = memory("row_flags", 1, config.row_flag_count)
        flag_read, flag_write = flags.read_port(), flags.write_port()
        spikes = memory("spikes", config.word_width, config.spike_depth)
        spike_read, spike_write = spikes.read_port(), spikes.write_port(granularity=config.banks)

        m.d.comb += [
            program_read.addr.eq(Mux(sequencer.busy, sequencer.program_address, bus.address)),
            sequencer.program_data.eq(program_read.data),
            program_write.addr.eq(bus.address),
            program_write.data.eq(written_word(bus.write_data, map_of[Space.PROGRAM])),
            program_write.en.eq(write[Space.PROGRAM]),
            plane_read.addr.eq(Mux(sequencer.busy, walker.pass_address, bus.address)),
            walker.pass_data.eq(plane_read.data),
            plane_write.addr.eq(bus.address),
            plane_write.data.eq(written_word(bus.write_data, map_of[Space.PASSES])),
            plane_write.en.eq(write[Space.PASSES]),
            # Row flags: set by layers and events, cleared before a layer and with the input map.
            flag_read.addr.eq(walker.flag_address),
            flag_read.en.eq(walker.flag_enable),
            walker.flag_data.eq(flag_read.data),
        ]
        with m.If(registers.clearing):
            m.d.sync += [
                flag_write.addr.eq(registers.clear_flag),
                flag_write.en.eq(1),
                flag_write.data.eq(0),
            ]
        with m.Elif(sequencer.flag_clear):
            m.d.sync += [
                flag_write.addr.eq(sequencer.flag_address),
                flag_write.en.eq(1),
                flag_write.data.eq(0),
            ]
        with m.Elif(sequencer.busy):
            m.d.sync += [
                flag_write.addr.eq(update.flag_write.address),
                flag_write.en.eq(update.flag_write.enable),
                flag_write.data.eq(1),
            ]
        with m.Else():
            m.d.sync += [
                flag_write.addr.eq(writer.flag_address),
                flag_write.en.eq(writer.flag),
                flag_write.data.eq(1),
            ]

        # The spike memory: read by fetch, events and host; written a chunk or a slot at a time.
        offset_width = ceil_log2(config.word_slots)
        copies = config.word_slots // config.chunk_slots
        chunk = Signal(config.chunk_slots * config.banks)
        chunk_slot = Signal(config.slot_width)
        chunk_enable = Signal()
        slot_enable = Signal(config.word_slots)
        spike_address = Signal.like(spike_read.addr)
        word = Signal(config.word_width)
        read_address = fetch.address if operand is None else Mux(operand.idle, fetch.address, operand.address)
        with m.If(sequencer.busy):
            m.d.comb += [
                spike_address.eq(read_address),
                chunk.eq(update.spike_write.data),
                chunk_slot.eq(update.spike_write.slot),
                chunk_enable.eq(update.spike_write.enable),
            ]
        with m.Else():
            m.d.comb += [
                spike_address.eq(Mux(writer.read_enable, writer.read_address, bus.address)),
                chunk.eq(writer.write_data.replicate(config.chunk_slots)),
                chunk_slot.eq(writer.write_slot),
                chunk_enable.eq(writer.write),
            ]
        # A chunk never straddles words: layers' pixels are padded to chunks. Events write a slot.
        chunk_mask = Mux(sequencer.busy, (1 << config.chunk_slots) - 1, 1)
        m.d.comb += [
            slot_enable.eq(Mux(chunk_enable, chunk_mask << chunk_slot[:offset_width], 0)),
            fetch.data.eq(word),
            *([] if operand is None else [operand.data.eq(word)]),
            writer.read_data.eq(word),
        ]
        # What `spike_read_latency` counts.
        m.d[config.wire_domain] += spike_read.addr.eq(spike_address)
        m.d.sync += [
            word.eq(spike_read.data),
            spike_write.addr.eq(chunk_slot[offset_width:]),
            spike_write.data.eq(chunk.replicate(copies)),
            spike_write.en.eq(slot_enable),
        ]
        with m.If(registers.clearing):
            m.d.sync += [
                spike_write.addr.eq(registers.clear_word),
                spike_write.data.eq(0),
                spike_write.en.eq(~0),
            ]
        with m.Elif(write[Space.SPIKES]):
            m.d.sync += [
                spike_write.addr.eq(bus.address),
                spike_write.data.eq(written_word(bus.write_data, map_of[Space.SPIKES])),
                spike_write.en.eq(~0),
            ]

        # Memories inside of blocks, through their host ports; a read lasts until it is answered.
        reading = Signal(HOST_READ_LATENCY + 2)
        m.d.sync += reading.eq(Cat(bus.read, reading))
        ports = {
            Space.WEIGHTS: lanes.weights,
            Space.PARAMETERS: update.parameters,
            Space.TABLES: update.tables,
            Space.STATES: update.states,
            Space.LOGITS: update.logits,
        }
        reads = Signal()
        m.d.sync += reads.eq((bus.read | reading[:-1].any()) & ~busy)
        for space, port in ports.items():
            m.d.comb += [
                port.address.eq(bus.address),
                port.read.eq(reads & (bus.space == space)),
            ]
            if map_of[space].writable:
                m.d.comb += [
                    port.write.eq(write[space]),
                    port.write_data.eq(written_word(bus.write_data, map_of[space])),
                ]

        m.d.comb += [
            bus.read_valid.eq(reading[-1]),
            registers.address.eq(bus.address),
            registers.write.eq(write[Space.REGISTERS]),
            registers.write_data.eq(written_word(bus.write_data, map_of[Space.REGISTERS])),
        ]
        # Words that lie here are there early, and wait for a cycle before and as they are chosen from.
        local: dict = {Space.REGISTERS: registers.read_data, Space.SPIKES: word}
        read = {Space.PROGRAM: program_read.data, Space.PASSES: plane_read.data}
        if config.statistics:
            read[Space.COUNTERS] = statistics.data
        for space, data in read.items():
            local[space] = Signal(map_of[space].width, name=f"local_{space.name.lower()}")
            m.d[config.wire_domain] += local[space].eq(data)
        local_data = Signal(max(map_of[space].width for space in local))
        with m.Switch(bus.space):
            for space, data in local.items():
                with m.Case(space):
                    m.d.sync += local_data.eq(data)
        with m.Switch(bus.space):
            for space, port in ports.items():
                with m.Case(space):
                    m.d.sync += bus.read_data.eq(port.read_data)
            with m.Default():
                m.d.sync += bus.read_data.eq(local_data)
        return m
