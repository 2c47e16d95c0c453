"""Spikes of the updated neurons, from the units to the slots of the spike memory."""

from amaranth import Module, Mux, Signal
from amaranth.utils import ceil_log2

from .lanes import popcount

__all__ = ["write_spikes"]


def write_spikes(m: Module, update, chunk, units):
    """Drive the spike, flag and counter outputs of ``update``: registered after cycle 8."""
    config = update.config
    neurons_7 = chunk[7].valid & ~update.descriptor.logits
    spikes_8 = Signal(config.updates)
    saturated_8 = Signal(config.updates)
    for k, neuron in enumerate(units):
        used = neurons_7 & (chunk[7].full | (chunk[7].used > k))
        m.d.sync += [
            spikes_8[k].eq(neuron.spike_7 & used),
            saturated_8[k].eq(neuron.saturated_7 & used),
        ]
    m.d.sync += [
        update.spikes.eq(popcount(m, spikes_8)),
        update.saturations.eq(popcount(m, saturated_8)),
    ]

    slots_data = spikes_8
    complete = 1
    if config.updates < config.banks:
        # Several chunks make up a slot; the first one starts it from zero.
        gathered = Signal(config.banks)
        position = chunk[8].lane[ceil_log2(config.updates) : ceil_log2(config.banks)]
        merged = Mux(position == 0, 0, gathered) | (
            spikes_8 << (position * config.updates)
        )[: config.banks]
        with m.If(chunk[8].valid):
            m.d.sync += gathered.eq(merged)
        slots_data = merged
        complete = position.all() | chunk[8].last
    write = chunk[8].valid & ~update.descriptor.logits & complete
    m.d.sync += [
        update.spike_write.enable.eq(write),
        update.spike_write.slot.eq(chunk[8].output + (chunk[8].lane >> ceil_log2(config.banks))),
        update.spike_write.data.eq(slots_data),
        update.flag_write.enable.eq(write & slots_data.any()),
        update.flag_write.address.eq(chunk[8].flag),
    ]
