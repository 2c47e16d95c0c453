"""Spikes of the updated neurons, from the units to the slots of the spike memory; pools on the way out."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.utils import ceil_log2

from .memories import BlockRam
from .popcount import popcount
from .update_chunks import updates_neurons

__all__ = ["write_spikes"]


def write_spikes(m: Module, update, chunk, units):
    """Drive the spike, flag and counter outputs of ``update``: registered after cycle 9."""
    config = update.config
    neurons_8 = updates_neurons(config, update.layer, chunk[8])
    spikes_9 = Signal(config.updates)
    saturated_9 = Signal(config.updates)
    for k, neuron in enumerate(units):
        used = neurons_8 & (chunk[8].full | (chunk[8].used > k))
        m.d.sync += [
            spikes_9[k].eq(neuron.spike_8 & used),
            saturated_9[k].eq(neuron.saturated_8 & used),
        ]
    m.d.sync += [
        update.spikes.eq(popcount(m, spikes_9)),
        update.saturations.eq(popcount(m, saturated_9)),
    ]

    if config.pool_depth:
        spikes_9 = pool_spikes(m, update, chunk, spikes_9)
    slots_data = spikes_9
    complete = 1
    if config.updates < config.banks:
        # Several chunks make up a slot; the first one starts it from zero.
        gathered = Signal(config.banks)
        position = chunk[9].lane[ceil_log2(config.updates) : ceil_log2(config.banks)]
        merged = Mux(position == 0, 0, gathered) | (
            spikes_9 << (position * config.updates)
        )[: config.banks]
        with m.If(updates_neurons(config, update.layer, chunk[9])):
            m.d.sync += gathered.eq(merged)
        slots_data = merged
        complete = position.all() | chunk[9].last
    write = updates_neurons(config, update.layer, chunk[9]) & complete
    if config.term_count > 1:
        write = write & ~update.layer.store
    if config.pool_depth:
        write = write & chunk[9].pool_last
    m.d.sync += [
        update.spike_write.enable.eq(write),
        update.spike_write.slot.eq(chunk[9].output + (chunk[9].lane >> ceil_log2(config.banks))),
        update.spike_write.data.eq(slots_data),
        update.flag_write.enable.eq(write & slots_data.any()),
        update.flag_write.address.eq(chunk[9].flag),
    ]


def pool_spikes(m: Module, update, chunk, spikes_9):
    """Return the spikes of cycle 9 and those of the pixels of their pool's window before them.

    They are kept in a memory, a chunk for each window of a row and time step: read in cycle 7, written
    in cycle 9. The next pixel of a window comes later than that: steps are ``step_cycles`` apart.
    """
    config = update.config
    first = ceil_log2(config.updates)
    m.submodules.pool = ram = BlockRam(config.updates, config.pool_depth)
    before_9 = Signal(config.updates)
    pooled_9 = Signal(config.updates)
    m.d.sync += before_9.eq(Mux(chunk[8].pool_first, 0, ram.ports.read_data))
    m.d.comb += [
        pooled_9.eq(spikes_9 | before_9),
        ram.ports.read_enable.eq(1),
        ram.ports.read_address.eq(Cat(chunk[7].lane[first:], chunk[7].pool)),
        ram.ports.write_address.eq(Cat(chunk[9].lane[first:], chunk[9].pool)),
        ram.ports.write_data.eq(pooled_9),
        ram.ports.write_enable.eq(updates_neurons(config, update.layer, chunk[9])),
    ]
    return pooled_9
