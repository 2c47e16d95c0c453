"""Spikes of the updated neurons, from the units to the slots of the spike memory."""

from amaranth import Module, Mux, Signal
from amaranth.utils import ceil_log2

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
    m.d.sync += [
        update.spike_write.enable.eq(write),
        update.spike_write.slot.eq(chunk[9].output + (chunk[9].lane >> ceil_log2(config.banks))),
        update.spike_write.data.eq(slots_data),
        update.flag_write.enable.eq(write & slots_data.any()),
        update.flag_write.address.eq(chunk[9].flag),
    ]
