"""The quantizer tables of the neuron units."""

from amaranth import Cat, Module, Mux

from .config import CoreConfig
from .memories import SharedRam, read_mostly_ram
from .neuron import TABLE_CODE_WIDTH, TABLE_INDEX_WIDTH

__all__ = ["add_tables"]


def add_tables(m: Module, config: CoreConfig, layer, host, units, platform) -> None:
    """Add the tables, a copy for each unit; the host reads that of unit 0.

    With several clusters, which take most block RAMs, two units share a copy.
    """
    size = TABLE_CODE_WIDTH, config.table_count << TABLE_INDEX_WIDTH
    sharing = 2 if config.clusters > 1 and config.updates > 1 else 1
    for k in range(0, len(units), sharing):
        m.submodules[f"table_{k}"] = ram = SharedRam(*size) if sharing > 1 else read_mostly_ram(*size, platform)
        index, *others = (Cat(unit.table_index_9, layer.table) for unit in units[k : k + sharing])
        m.d.comb += [
            ram.ports.read_address.eq(index),
            ram.ports.read_enable.eq(1),
            ram.ports.write_address.eq(host.address),
            ram.ports.write_data.eq(host.write_data),
            ram.ports.write_enable.eq(host.write),
            units[k].table_code_10.eq(ram.ports.read_data),
        ]
        if k == 0:
            m.d.comb += ram.ports.read_address.eq(Mux(host.read, host.address, index))
            m.d[config.wire_domain] += host.read_data.eq(ram.ports.read_data)
        if others:
            address = Mux(host.read | host.write, host.address, index)
            m.d.comb += [
                ram.ports.read_address.eq(address), ram.ports.write_address.eq(ram.ports.read_address),
                ram.other.address.eq(others[0]), ram.other.enable.eq(1), units[k + 1].table_code_10.eq(ram.other.data),
            ]
