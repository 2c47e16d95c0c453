"""The core: sequencer, walker, fetch, banks, lanes and update around the spike memory."""

from amaranth import Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .banks import Banks
from .clusters import Clusters
from .config import CoreConfig
from .descriptor import event_layout
from .events import EventWriter
from .external_bus import ExternalBus
from .external_port import ExternalPort
from .fetch import Fetch
from .host_access import HostAccess
from .host_bus import HostBus
from .lanes import Lanes
from .loaded_memory import LoadedMemory
from .map_places import MapPlaces
from .memory_map import Space, memory_map
from .mover import Mover
from .operand import Operand
from .queue import Queue
from .registers import Registers
from .row_flags import RowFlags
from .sequencer import Sequencer
from .spike_memory import SpikeMemory
from .state_memory import moves_states
from .statistics import Statistics
from .update import Update
from .walker import Walker
from .weight_stream import WeightStream, halves_ring

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
    external : ``Out(ExternalBus(config.external_depth))``
        Only with memory outside the chip.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "bus": In(HostBus(config)),
            "events": In(stream.Signature(event_layout())),
            **({"external": Out(ExternalBus(config.external_depth))} if config.external_depth else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        spaces = memory_map(config)

        m.submodules.registers = registers = Registers(config)

        def stoppable(component):
            """Return ``component``, held in reset while the host stops the core; its memories keep what they hold."""
            return ResetInserter(registers.stopping)(component)

        sequencer = Sequencer(config)
        places = MapPlaces(config)
        walker = Walker(config)
        segments = Queue(walker.segments.payload.shape(), config.clusters * config.segment_queue_depth)
        fetch = Fetch(config)
        clustered = config.clusters > 1
        if clustered:
            banks = lanes = Clusters(config)
        else:
            passes = Queue(fetch.passes.payload.shape(), config.queue_depth)
            banks, lanes = Banks(config), Lanes(config)
        update = Update(config)
        writer = EventWriter(config)
        m.submodules.host = host = HostAccess(config)
        m.submodules.program = program = LoadedMemory(spaces[Space.PROGRAM])
        m.submodules.planes = planes = LoadedMemory(spaces[Space.PASSES])
        m.submodules.row_flags = flags = RowFlags(config)
        m.submodules.spikes = spikes = SpikeMemory(config)
        m.submodules.sequencer = stoppable(sequencer)
        if config.statistics:
            statistics = Statistics(config)
            m.submodules.statistics = stoppable(statistics)
        m.submodules.places = stoppable(places)
        m.submodules.walker = stoppable(walker)
        m.submodules.segments = stoppable(segments)
        m.submodules.fetch = stoppable(fetch)
        if clustered:
            m.submodules.clusters = stoppable(banks)
        else:
            m.submodules.passes = stoppable(passes)
            m.submodules.banks = stoppable(banks)
            m.submodules.lanes = stoppable(lanes)
        m.submodules.update = stoppable(update)
        m.submodules.events = stoppable(writer)

        # The data path, in order.
        connect(m, walker.rows, fetch.rows)
        if clustered:
            connect(m, fetch.passes, banks.passes)
        else:
            connect(m, fetch.passes, passes.i)
            connect(m, passes.o, banks.passes)
        connect(m, fetch.words, banks.words)
        connect(m, walker.segments, segments.i)
        connect(m, segments.o, update.segment)
        connect(m, flipped(self.events), writer.events)
        connect(m, update.spike_write, spikes.spikes)
        connect(m, update.flag_write, flags.spikes)
        connect(m, flipped(self.bus), host.bus)
        for port, block in (
            (host.program, program.host), (host.passes, planes.host),
            *([] if config.external_depth else [(host.spikes, spikes.host)]),
            (host.weights, lanes.weights), (host.parameters, update.parameters), (host.tables, update.tables),
            (host.states, update.states), (host.logits, update.logits),
        ):
            connect(m, port, block)
        m.d.comb += [
            fetch.room.eq(banks.room),
            *([] if clustered else [lanes.beat.eq(banks.beat), lanes.rotate.eq(update.rotate)]),
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
        if config.most_samples > 1:
            m.d.comb += sequencer.time.eq(places.time)

        if config.statistics:
            m.d.comb += [
                statistics.busy.eq(sequencer.busy),
                statistics.resume.eq(registers.resume),
                statistics.initial.eq(sequencer.initial),
                statistics.advance.eq(sequencer.advance),
                *([statistics.collected.eq(sequencer.collected)] if config.most_samples > 1 else []),
                statistics.counting.eq(sequencer.counting),
                statistics.settle.eq(sequencer.settle),
                sequencer.settled.eq(statistics.settled),
                statistics.events.eq(banks.events),
                statistics.longest.eq(banks.longest),
                statistics.longest_valid.eq(banks.longest_valid),
                statistics.saturations.eq(update.saturations),
                statistics.spikes.eq(update.spikes),
                statistics.address.eq(host.counters.address),
                host.counters.read_data.eq(statistics.data),
            ]
        else:
            m.d.comb += sequencer.settled.eq(1)

        # A segment request waits until its snapshot is taken, so an empty queue means that nothing is
        # on its way through fetch, banks and lanes either.
        m.d.sync += sequencer.drained.eq(walker.idle & ~segments.o.valid & update.idle)

        m.d.comb += [
            host.busy.eq(sequencer.busy | registers.clearing | registers.stopping),
            registers.busy.eq(sequencer.busy),
            registers.events_idle.eq(writer.idle),
            registers.address.eq(host.registers.address),
            registers.write.eq(host.registers.write),
            registers.write_data.eq(host.registers.write_data),
            host.registers.read_data.eq(registers.read_data),
            writer.enable.eq(~host.busy),
            writer.base.eq(registers.input_base),
            writer.width.eq(registers.input_width),
            writer.height.eq(registers.input_height),
            writer.steps.eq(registers.input_steps),
            writer.clear.eq(registers.clear_counts),
            registers.accepted.eq(writer.accepted),
            registers.rejected.eq(writer.rejected),
            program.busy.eq(sequencer.busy),
            program.address.eq(sequencer.program_address),
            sequencer.program_data.eq(program.data),
            planes.busy.eq(sequencer.busy),
            planes.address.eq(walker.pass_address),
            walker.pass_data.eq(planes.data),
            flags.busy.eq(sequencer.busy),
            flags.clear.enable.eq(registers.clearing),
            flags.clear.address.eq(registers.clear_flag),
            flags.clear_layer.enable.eq(sequencer.flag_clear),
            flags.clear_layer.address.eq(sequencer.flag_address),
            flags.events.enable.eq(writer.flag),
            flags.events.address.eq(writer.flag_address),
            flags.address.eq(walker.flag_address),
            flags.enable.eq(walker.flag_enable),
            walker.flag_data.eq(flags.data),
            spikes.busy.eq(sequencer.busy),
            spikes.address.eq(fetch.address),
            fetch.data.eq(spikes.data),
            spikes.events.enable.eq(writer.write),
            spikes.events.slot.eq(writer.write_slot),
            spikes.events.data.eq(writer.write_data),
            spikes.event_read.eq(writer.read_enable),
            spikes.event_address.eq(writer.read_address),
            writer.read_data.eq(spikes.data),
            spikes.clear.eq(registers.clearing),
            spikes.clear_word.eq(registers.clear_word),
        ]

        if config.external_depth:
            m.submodules.external = external = ExternalPort(config.external_depth)
            m.submodules.weights = weights = WeightStream(config)
            m.submodules.mover = mover = stoppable(Mover(config))
            connect(m, external.bus, flipped(self.external))
            connect(m, host.external, external.host)
            connect(m, weights.request, external.request)
            connect(m, weights.write, lanes.stream)
            connect(m, mover.request, external.move)
            quiet, spikes_arrived, loading = Signal(), Signal(), Signal()
            if halves_ring(config):
                # A product has its weights from a load; no other term has steps of weights.
                m.d.sync += weights.aside.eq(sequencer.term.weight_step != 0)
                m.d.comb += banks.half.eq(registers.stream_half & ~weights.aside)
            still = walker.resting & ~segments.o.valid & update.idle
            m.d.sync += quiet.eq(walker.hold & still)
            m.d.comb += [
                host.external_done.eq(external.done),
                weights.resting.eq(external.resting),
                weights.beat_valid.eq(external.beat_valid),
                weights.beat.eq(external.beat),
                weights.slots.eq(registers.stream_slots),
                weights.half.eq(registers.stream_half),
                weights.restart.eq(registers.stream_restart),
                weights.hold.eq(walker.hold),
                weights.quiet.eq(quiet),
                weights.walked.eq(sequencer.walked),
                weights.need.eq(sequencer.term.weight_group),
                walker.go.eq(weights.go),
                walker.weight_offset.eq(weights.base),
                mover.move.eq(sequencer.move),
                mover.start.eq(sequencer.move_start),
                mover.sample.eq(places.time[: len(mover.sample)]),
                sequencer.move_idle.eq(mover.idle),
                external.moving.eq(mover.moving),
                external.pausing.eq(loading),
                mover.arrived.eq(external.arrived),
                # What is loaded goes the host's way into the spike memory.
                spikes.host.address.eq(host.spikes.address),
                spikes.host.read.eq(host.spikes.read),
                spikes.host.write.eq(host.spikes.write | spikes_arrived),
                spikes.host.write_data.eq(host.spikes.write_data),
                host.spikes.read_data.eq(spikes.host.read_data),
            ]
            m.d.comb += [spikes_arrived.eq(mover.write), external.move_data.eq(spikes.data)]
            if moves_states(config):
                moves, parameters = update.state_moves, update.parameter_moves
                m.d.sync += sequencer.paused.eq(walker.pause & ~walker.resume & still)
                m.d.comb += [
                    moves.enable.eq(mover.states),
                    moves.word.eq(mover.word),
                    moves.write.eq(mover.write & mover.states),
                    moves.burst.eq(external.word),
                    parameters.word.eq(mover.word),
                    parameters.write.eq(mover.write & mover.parameters),
                    parameters.burst.eq(external.word),
                    spikes_arrived.eq(mover.write & ~mover.states & ~mover.parameters),
                    mover.first_piece.eq(sequencer.first_piece),
                    mover.next_piece.eq(sequencer.next_piece),
                    walker.pieces.eq(sequencer.pieces),
                    walker.resume.eq(sequencer.resume_walk),
                    external.move_data.eq(Mux(mover.states, moves.data, spikes.data)),
                ]
            with m.If(mover.moving):
                m.d.comb += [
                    spikes.address.eq(mover.word),
                    spikes.host.address.eq(mover.word),
                    spikes.host.write_data.eq(external.word),
                ]

        if config.term_count > 1:
            m.submodules.operand = operand = stoppable(Operand(config))
            load_start, waiting = sequencer.load_start, Signal()
            if config.external_depth:
                # What streams in would be written in the same cycles: a load waits until all has come.
                load_start = Mux(registers.stream_half, waiting & external.still, sequencer.load_start)
                m.d.sync += waiting.eq(registers.stream_half & (sequencer.load_start | (waiting & ~external.still)))
                m.d.sync += loading.eq(registers.stream_half & (waiting | ~operand.idle))
                with m.If(registers.stopping):
                    m.d.sync += waiting.eq(0)
            connect(m, operand.write, lanes.operand)
            m.d.comb += [
                operand.load.eq(sequencer.load),
                operand.start.eq(load_start),
                operand.offset.eq(places.input_offset),
                operand.data.eq(spikes.data),
                sequencer.load_idle.eq(operand.idle & ~waiting),
            ]
            with m.If(~operand.idle):
                m.d.comb += spikes.address.eq(operand.address)
        return m
