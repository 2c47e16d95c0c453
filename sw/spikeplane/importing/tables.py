"""Tables of what became of a trained network: what `spikeplane import` prints, and what a program may print."""

from collections.abc import Iterable

from rich.table import Column, Table

from .imported import Imported
from .widths import Width

__all__ = ["layer_table", "node_table", "width_table"]


def node_table(imported: Imported) -> Table:
    """Return what became of each node or module, and what was assumed of all."""
    table = Table("node", "what it is", "what it becomes")
    for row in imported.rows:
        table.add_row(*row)
    return table


def layer_table(imported: Imported) -> Table:
    """Return what each layer lost."""
    table = Table("layer", "in integers", *_right("sums: rounding", "same spikes", "saturated"))
    for each in imported.layers:
        table.add_row(each.name, each.text, f"{each.error:.2%}", _share(each.agreement), _share(each.saturated))
    return table


def width_table(widths: Iterable[Width]) -> Table:
    """Return what was lost at each width of weights."""
    table = Table(*_right("bits of weights", "bytes", "training samples", "as trained", "in integers",
                          "same predictions"))
    for each in widths:
        table.add_row(str(each.bits), f"{each.size:,.0f}", f"{each.samples:,}", f"{each.trained:.2%}",
                      f"{each.integer:.2%}", f"{each.same:.2%}")
    return table


def _right(*names: str) -> list[Column]:
    return [Column(name, justify="right") for name in names]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3%}"
