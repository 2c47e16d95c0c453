"""The quantizer tables of the neuron units."""

from amaranth import Cat, Module, Mux

from .config import CoreConfig
from .memories import read_mostly_ram
from .neuron import TABLE_CODE_WIDTH, TABLE_INDEX_WIDTH

__all__ = ["add_tables"]


def add_tables(m: Module, config: CoreConfig, layer, host, units, platform) -> None:
    """Add the tables, a copy for each unit; the host reads that of unit 0."""
    for k, neuron in enumerate(units):
        m.submodules[f"table_{k}"] = ram = read_mostly_ram(
            TABLE_CODE_WIDTH, config.table_count << TABLE_INDEX_WIDTH, platform
        )
        index = Cat(neuron.table_index_9, layer.table)
        m.d.comb += [
            ram.ports.read_address.eq(index),
            ram.ports.read_enable.eq(1),
            ram.ports.write_address.eq(host.address),
            ram.ports.write_data.eq(host.write_data),
            ram.ports.write_enable.eq(host.write),
            neuron.table_code_10.eq(ram.ports.read_data),
        ]
        if k == 0:
            m.d.comb += ram.ports.read_address.eq(Mux(host.read, host.address, index))
            m.d[config.wire_domain] += host.read_data.eq(ram.ports.read_data)
