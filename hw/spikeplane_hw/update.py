"""The neuron update: U neurons a cycle, from the lanes' sums to spikes, states and logits."""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2, exact_log2

from .config import CoreConfig
from .descriptor import layer_layout
from .lanes import lanes_latency
from .logit_sums import add_logits
from .memories import BlockRam, HostPort
from .memory_map import Space, memory_map
from .neuron import STATE_WIDTH
from .neuron_unit import PARTIAL_WIDTH, UNITS_PER_COPY, NeuronUnit, parameter_layout
from .parameter_moves import parameter_move, write_moved
from .quantizer_tables import add_tables
from .row_flags import flag_write
from .spike_memory import slots_write
from .spike_output import write_spikes
from .state_memory import StateMemory, moves_states, state_move
from .state_pack import pack_states
from .sum_read import read_sums
from .synthesis import COPY
from .update_chunks import STREAM_CYCLES, chunk_pipeline, step_cycles, update_loop, updates_neurons
from .update_issue import UpdateIssue, segment_layout

__all__ = ["Update", "segment_layout"]


def snapshot_read(config: CoreConfig) -> int:
    """Return the last cycle in which a chunk's sums or the reference sum are read from the snapshot."""
    sums = 1 if config.rotating_snapshot else -2
    reference = -2 if config.wire_registers else 1
    return max(sums, reference)


class Update(wiring.Component):
    """Neuron update. Throughput one chunk a cycle, or one logit.

    Members
    -------
    layer : ``In(layer_layout(config))``
        Static while not ``idle``.
    segment : ``In(stream.Signature(segment_layout(config)))``
        One request for each snapshot, in order; it waits until its snapshot is taken.
    done, sums, reference_sum : ``In``
        The snapshot, from :class:`Lanes`; with several clusters one of each.
    free : ``Out(clusters)``
        High for one cycle for each snapshot: a beat that ends the next segment may follow from the
        next cycle on.
    rotate : ``Out(1)``
        Only if ``config.rotating_snapshot``: lane 0 of the snapshot was read, the next one is to follow.
    spike_write : ``Out``
        ``data`` is chunk_slots slots to be stored from ``slot`` on, in a cycle with ``enable``.
    flag_write : ``Out``
        Row flag ``address`` is to be set, in a cycle with ``enable``.
    saturations, spikes : ``Out(range(updates + 1))``
        To count in this cycle.
    idle : ``Out(1)``
        No request waits and nothing is in flight.
    parameters, tables, states, logits : ``In(HostPort(...))``
        Host access; addresses are those of :class:`Space`. Only while ``idle``.
    state_moves : ``In(state_move(config))``
        Only where streams can be stored outside the chip, and while ``idle``.
    parameter_moves : ``In(parameter_move(config))``
        The same.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        spaces = memory_map(config)
        members = {
            "layer": In(layer_layout(config)),
            "segment": In(stream.Signature(segment_layout(config))),
            "done": In(config.clusters),
            "sums": In(data.ArrayLayout(config.accumulator_width, config.clusters * config.lanes)),
            "reference_sum": In(config.clusters * config.accumulator_width),
            "free": Out(config.clusters),
            "rotate": Out(1),
            "spike_write": Out(slots_write(config, config.chunk_slots)),
            "flag_write": Out(flag_write(config)),
            "saturations": Out(range(config.updates + 1)),
            "spikes": Out(range(config.updates + 1)),
            "idle": Out(1),
        }
        for name in ("parameters", "tables", "states", "logits"):
            space = spaces[Space[name.upper()]]
            members[name] = In(HostPort(space.width, space.depth, writable=space.writable))
        if moves_states(config):
            members["state_moves"] = In(state_move(config))
            members["parameter_moves"] = In(parameter_move(config))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        config = self.config
        d = self.layer

        m.submodules.issue = issue = UpdateIssue(
            config, loop=update_loop(config), step_cycles=step_cycles(config), stream_cycles=STREAM_CYCLES,
            free_chunks=lanes_latency(config) + 1 - snapshot_read(config),
        )
        m.d.comb += [
            issue.layer.eq(d),
            issue.done.eq(self.done),
            issue.segment.valid.eq(self.segment.valid),
            issue.segment.p.eq(self.segment.p),
            self.segment.ready.eq(issue.segment.ready),
        ]
        m.d.sync += self.free.eq(issue.free)
        chunk = chunk_pipeline(m, config, issue.chunk)
        m.d.comb += self.idle.eq(
            issue.idle & ~Cat(c.valid for c in chunk).any() & ~self.spike_write.enable
        )

        # Settings of the layer, close to the units they set.
        names = ["reset", "decode_scale", "quantized"]
        # Those of the term change from step to step.
        term = {
            "doubled_1": chunk[1 - config.wire_registers].doubled,
            "shift_4": chunk[4 - config.wire_registers].shift,
        }
        if config.term_count > 1 or config.updates > 1:
            # The host reads states as if they were a stream.
            by_host = self.states.read if config.updates > 1 else 0
            term["stream_1"] = chunk[1 - config.wire_registers].stream | by_host
        if config.term_count > 1:
            names += ["digit", "power"]
            term["mean_0"] = (issue.chunk if config.wire_registers else chunk[0]).mean
        domain = config.wire_domain
        settings = []
        for first in range(0, config.updates, UNITS_PER_COPY):
            copy = {name: Signal.like(d[name], name=f"{name}_{first}", attrs=COPY) for name in names}
            copy |= {name: Signal.like(value, name=f"{name}_{first}", attrs=COPY) for name, value in term.items()}
            copy["below_limit"] = Signal(
                signed(STATE_WIDTH + 1), name=f"below_limit_{first}", attrs=COPY
            )
            copy["packed"] = Signal(name=f"packed_{first}", attrs=COPY)
            copy["can_fire"] = Signal(name=f"can_fire_{first}", attrs=COPY)
            m.d[domain] += [
                *(copy[name].eq(d[name]) for name in names),
                *(copy[name].eq(value) for name, value in term.items()),
                copy["below_limit"].eq(-1 - d.fire_above),
                copy["packed"].eq(d.state_pack != 0 if config.most_packed > 1 else 0),
                copy["can_fire"].eq(d.fire_above != (1 << (STATE_WIDTH - 1)) - 1),
            ]
            settings.append(copy)

        # Neurons.
        reference = [self.reference_sum]
        if config.clusters > 1:
            cluster = Signal(exact_log2(config.clusters))
            m.d.sync += cluster.eq(issue.pick[-len(cluster):])
            reference = [self.reference_sum.word_select(cluster, config.accumulator_width)]
        for cycle in range(-1, 2):
            following = Signal(config.accumulator_width, name=f"reference_{cycle + 1}", reset_less=True)
            m.d[config.wire_domain] += following.eq(reference[-1])
            reference.append(following)
        rotate = Signal()
        m.d.sync += [rotate.eq(issue.rotate), self.rotate.eq(rotate)]
        if config.rotating_snapshot:
            sums = [self.sums[0]]  # the snapshot itself moves with the lanes issued, a cycle after they are
        else:
            sums = read_sums(m, config, self.sums, issue.pick)
        units = []
        for k in range(config.updates):
            m.submodules[f"unit_{k}"] = unit = NeuronUnit(config)
            m.d.comb += [
                unit.sum_0.eq(sums[k]),
                unit.reference_1.eq(reference[3]),
                unit.initial_5.eq(chunk[5].initial & chunk[5].valid),
                *(
                    getattr(unit, name).eq(value)
                    for name, value in settings[k // UNITS_PER_COPY].items()
                ),
            ]
            units.append(unit)

        if config.term_count > 1:
            self.elaborate_partial_sums(m, chunk, units)
        if config.updates > 1:
            self.hide(m, chunk[0], units)
        self.elaborate_parameters(m, issue.chunk if config.parameter_registers else chunk[1], units)
        self.elaborate_states(m, issue.chunk, chunk, units)
        add_tables(m, config, d, self.tables, units, platform)
        sum_3 = add_logits(m, config, d, self.logits, chunk, units)
        if config.updates > 1:
            m.d.comb += self.states.read_data.eq(sum_3[:STATE_WIDTH])
        write_spikes(m, self, chunk, units)
        return m

    def group_chunk(self, chunk, group):
        """Return the address of a chunk in the memory whose address of the group is ``group``."""
        return Cat(chunk.lane[ceil_log2(self.config.updates) :], group)

    def host_unit(self, port) -> tuple:
        """Return (chunk address, unit) of a host port."""
        width = ceil_log2(self.config.updates)
        return port.address[width:], port.address[:width]

    def hide(self, m: Module, chunk, units):
        """Hide all units but one where one's word is wanted: by the host, or as a logit. ``chunk`` is in cycle 0."""
        host = [(port.read, self.host_unit(port)[1]) for port in (self.parameters, self.states)]
        for k, neuron in enumerate(units):
            hidden_1 = Signal(name=f"hidden_1_{k}", attrs=COPY)
            wanted = [(self.layer.logits & chunk.valid, chunk.lane[: ceil_log2(self.config.updates)]), *host]
            m.d.sync += hidden_1.eq(reduce(or_, (want & (unit != k) for want, unit in wanted)))
            m.d.comb += neuron.hidden_1.eq(hidden_1)

    def elaborate_partial_sums(self, m: Module, chunk, units):
        """Keep the sums of a segment's terms from one term to the next: read in cycle 5, written in cycle 6."""
        config = self.config
        m.submodules.partial_sums = memory = Memory(
            shape=PARTIAL_WIDTH * config.updates, depth=config.shared_chunks, init=[]
        )
        read, write = memory.read_port(domain="comb"), memory.write_port()

        def place(chunk):
            """Return where a chunk's sums are: those of each cluster apart."""
            number = chunk.lane[ceil_log2(config.updates):]
            return Cat(number, chunk.cluster) if config.clusters > 1 else number

        m.d.comb += [
            read.addr.eq(place(chunk[5])),
            write.addr.eq(place(chunk[6])),
            write.data.eq(Cat(unit.total_6 for unit in units)),
            write.en.eq(chunk[6].valid & ~chunk[6].last_term & ~self.layer.logits),
            *(
                unit.partial_5.eq(Mux(chunk[5].first_term, 0, read.data.word_select(k, PARTIAL_WIDTH)))
                for k, unit in enumerate(units)
            ),
        ]

    def elaborate_parameters(self, m: Module, issued, units):
        """Add the parameter memory: addressed in cycle 0, from registers of its own."""
        config = self.config
        layout = parameter_layout()
        m.submodules.parameters = ram = BlockRam(
            layout.size * config.updates, config.parameter_depth, granularity=layout.size
        )
        host = self.parameters
        address, unit = self.host_unit(host)
        m.d.sync += ram.ports.read_address.eq(
            Mux(host.read, address, self.group_chunk(issued, issued.parameter))
        )
        m.d.comb += [
            ram.ports.read_enable.eq(1),
            ram.ports.write_address.eq(address),
            ram.ports.write_data.eq(host.write_data.replicate(config.updates)),
        ]
        enable = Signal.like(ram.ports.write_enable)
        m.d[config.wire_domain] += enable.eq(Mux(host.write, 1 << unit, 0))
        m.d.comb += ram.ports.write_enable.eq(enable)
        if moves_states(config):
            write_moved(m, config, self.parameter_moves, ram.ports)
        for k, neuron in enumerate(units):
            m.d.comb += neuron.parameter_1.eq(ram.ports.read_data.word_select(k, layout.size))
        # The host sees the unit that is not hidden, in two steps; the only one at once.
        words = [neuron.parameter_2.as_value() for neuron in units]
        while len(words) > 1:
            merged = []
            for first in range(0, len(words), UNITS_PER_COPY):
                word = Signal(layout.size, reset_less=True)
                m.d.sync += word.eq(reduce(or_, words[first : first + UNITS_PER_COPY]))
                merged.append(word)
            words = merged
        m.d.comb += host.read_data.eq(words[0])

    def state_address(self, chunk):
        """Return the address of a chunk in the state memory."""
        address = self.group_chunk(chunk, chunk.state)
        if self.config.most_packed == 1:
            return address
        return (address >> self.layer.state_pack)[: ceil_log2(self.config.state_depth)]

    def elaborate_states(self, m: Module, issued, chunk, units):
        """Add the state memory: read in cycle 4, packed states in cycle 3, streams as issued; written in cycle 11."""
        config = self.config
        read_address = self.state_address(chunk[4])
        if config.most_packed > 1:
            read_address = Mux(self.layer.state_pack != 0, self.state_address(chunk[3]), read_address)
        m.submodules.states = ram = StateMemory(config)
        if config.term_count > 1:
            # Nothing else is read in this cycle.
            stream_address = self.group_chunk(issued, issued.stream_state)[: ceil_log2(config.state_depth)]
            read_address = Mux(issued.stream, stream_address, read_address)
        host = self.states
        m.d.comb += [
            ram.host_read.eq(host.read),
            ram.host_address.eq(self.host_unit(host)[0]),
            ram.ports.read_address.eq(read_address),
            ram.ports.read_enable.eq(1),
            ram.ports.write_address.eq(self.state_address(chunk[11])),
        ]
        if moves_states(config):
            connect(m, flipped(self.state_moves), ram.move)
        write = updates_neurons(config, self.layer, chunk[11])
        words = [ram.ports.read_data.word_select(k, STATE_WIDTH) for k in range(len(units))]
        m.d.comb += [neuron.stored_0.eq(word) for neuron, word in zip(units, words, strict=True)]
        if config.most_packed > 1:
            gathered = pack_states(m, config, self.layer.state_pack, chunk, units, words)
            m.d.comb += [ram.ports.write_data.eq(Cat(gathered)), ram.ports.write_enable.eq(write)]
        else:
            m.d.comb += [
                ram.ports.write_data.eq(Cat(n.state_11 for n in units)),
                ram.ports.write_enable.eq(write),
                *(neuron.state_5.eq(word) for neuron, word in zip(units, words, strict=True)),
            ]
        if config.updates == 1:
            m.d.comb += host.read_data.eq(units[0].state_6)
