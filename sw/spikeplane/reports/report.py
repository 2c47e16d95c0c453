"""Reports: one self-contained HTML page of tables and pictures."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from ..writing import write_text

__all__ = ["Report", "bars", "curves", "event_picture", "gallery", "heat_map", "histograms", "raster"]

TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ report.title }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2330 }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
table { border-collapse: collapse }
td, th { padding: .25rem .9rem .25rem 0; text-align: left; border-bottom: 1px solid #dde3ec }
td.number { text-align: right; font-variant-numeric: tabular-nums } img { max-width: 100% } p.note { color: #56607a }
</style></head><body>
<h1>{{ report.title }}</h1>
<p>{{ report.summary }}</p>
{% for section in report.sections %}
<h2>{{ section.title }}</h2>
{% if section.note %}<p class="note">{{ section.note }}</p>{% endif %}
{% if section.rows %}<table><tr>{% for head in section.heads %}<th>{{ head }}</th>{% endfor %}</tr>
{% for row in section.rows %}<tr>{% for cell in row %}
<td{% if cell is number %} class="number"{% endif %}>{{ cell | show }}</td>{% endfor %}</tr>
{% endfor %}</table>{% endif %}
{% if section.picture %}<img alt="{{ section.title }}" src="data:image/png;base64,{{ section.picture }}">{% endif %}
{% endfor %}
</body></html>
"""


@dataclass
class Section:
    """A part of a report: a table, a picture, or both."""

    title: str
    note: str = ""
    heads: list[str] = field(default_factory=list)
    rows: Sequence[Sequence] = ()
    picture: str = ""


@dataclass
class Report:
    """A page that is written once all its sections are there."""

    title: str
    summary: str = ""
    sections: list[Section] = field(default_factory=list)

    def table(self, title: str, heads: list[str], rows: Sequence[Sequence], note: str = "") -> None:
        """Add a table; numbers are right-aligned."""
        self.sections.append(Section(title, note, heads, rows))

    def picture(self, title: str, figure: Figure, note: str = "") -> None:
        """Add a matplotlib figure, embedded as PNG, its texts as they are, and close it."""
        for text in figure.findobj(Text):
            text.set_parse_math(False)  # A name of a class or layer between two $ is no formula.
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
        plt.close(figure)
        picture = base64.b64encode(buffer.getvalue()).decode()
        self.sections.append(Section(title, note, picture=picture))

    def write(self, path: Path) -> Path:
        """Write the page to ``path``, as :func:`.writing.write_text` writes, and return it."""
        environment = jinja2.Environment(autoescape=True)
        environment.filters["show"] = show
        write_text(path, environment.from_string(TEMPLATE).render(report=self))
        return path


def show(value) -> str:
    """Return a cell's text: four significant digits for a fraction, thousands separated."""
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def event_picture(spikes: np.ndarray) -> Figure:
    """Return a picture of an input, uint8 (steps, 2, height, width): off blue, on red."""
    figure, axes = plt.subplots(1, len(spikes), figsize=(2.2 * len(spikes), 2.4), squeeze=False)
    for step, axis in enumerate(axes[0]):
        _draw_events(axis, spikes[step])
        axis.set_title(f"time step {step}", fontsize=9)
    return figure


def _draw_events(axis, spikes: np.ndarray) -> None:
    """Draw spikes, uint8 (2, height, width), without ticks."""
    picture = np.ones((*spikes.shape[1:], 3))
    picture[spikes[0] > 0] = (0.16, 0.38, 0.75)
    picture[spikes[-1] > 0] = (0.85, 0.25, 0.2)
    axis.imshow(picture, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])


def gallery(shown: dict[int, tuple[np.ndarray, str, bool]], columns: int = 6) -> Figure:
    """Return inputs, uint8 (steps, 2, height, width), by number, each with its title, red unless right.

    Of each, the time step with most events is drawn.
    """
    rows = -(-len(shown) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.7 * columns, 2.1 * rows), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(shown):]:
        axis.set_axis_off()
    for axis, (number, (spikes, title, right)) in zip(axes.flat, shown.items(), strict=False):
        _draw_events(axis, spikes[spikes.sum((1, 2, 3)).argmax()])
        axis.set_title(f"{number}: {title}", fontsize=8, color="#1c2330" if right else "#c22f27")
    return figure


def raster(spikes: dict[str, np.ndarray]) -> Figure:
    """Return a raster of the spikes of each layer, uint8 (steps, channels, height, width)."""
    figure, axes = plt.subplots(
        1, len(spikes), figsize=(2.6 * len(spikes), 3), squeeze=False, layout="constrained"
    )
    for axis, (name, layer) in zip(axes[0], spikes.items(), strict=True):
        step, neuron = np.nonzero(layer.reshape(len(layer), -1))
        axis.plot(step, neuron, "|", markersize=2, color="#1c4f9c")
        axis.set_xlim(-0.5, len(layer) - 0.5)
        axis.set_xticks(range(len(layer)))
        axis.set_title(f"{name}\n{layer.mean():.1%} firing", fontsize=9)
        axis.set_xlabel("time step", fontsize=8)
        axis.tick_params(labelsize=7)
    axes[0][0].set_ylabel("neuron", fontsize=8)
    return figure


def bars(values: dict[str, float], unit: str, limits: tuple[float, float] | None = None) -> Figure:
    """Return a bar chart with the value written at each bar."""
    figure, axis = plt.subplots(figsize=(6.5, 0.5 + 0.42 * len(values)))
    drawn = axis.barh(list(values), list(values.values()), color="#3b6fb6")
    axis.bar_label(drawn, labels=[show(float(v)) for v in values.values()], padding=4, fontsize=9)
    axis.invert_yaxis()
    axis.set_xlabel(unit)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_xlim(limits or (0, 1.18 * max(*values.values(), 1e-9)))
    return figure


def curves(panels: dict[str, dict[str, list[tuple[float, float]]]], across: str) -> Figure:
    """Return panels side by side, each a title and (x, y) points by the name of their line."""
    figure, axes = plt.subplots(
        1, len(panels), figsize=(3.4 * len(panels), 3), squeeze=False, layout="constrained"
    )
    for axis, (title, lines) in zip(axes[0], panels.items(), strict=True):
        if len(lines) > 10:
            axis.set_prop_cycle(color=plt.get_cmap("viridis")(np.linspace(0, 0.95, len(lines))))
        for name, points in lines.items():
            x, y = zip(*points, strict=True)
            axis.plot(x, y, marker="o" if len(points) < 12 else "", markersize=3, label=name)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel(across, fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid(color="#dde3ec", linewidth=0.6)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(lines) > 1:
            axis.legend(fontsize=6, ncols=1 + len(lines) // 10)
    return figure


def heat_map(counts: np.ndarray, rows: str, columns: str, names: Sequence[str] = ()) -> Figure:
    """Return a matrix of counts as a picture, numbers and ``names`` of rows and columns written where there is room."""
    size = len(counts)
    side = min(8.0, 2.0 + 0.42 * size)
    figure, axis = plt.subplots(figsize=(side, side), layout="constrained")
    axis.imshow(np.log1p(counts), cmap="Blues")
    axis.set_xlabel(columns)
    axis.set_ylabel(rows)
    if size <= 12:
        labels = names or [str(label) for label in range(size)]
        axis.set_xticks(range(size), labels, rotation=45 if names else 0, ha="right" if names else "center")
        axis.set_yticks(range(size), labels)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                axis.text(column, row, str(count), ha="center", va="center", fontsize=7,
                          color="white" if np.log1p(count) > np.log1p(counts.max()) / 2 else "#1c2330")
    return figure


def histograms(grid: dict[str, dict[str, tuple[float, float, Sequence[int]]]]) -> Figure:
    """Return a row of histograms for each layer; each is a title and (left, bin width, counts)."""
    columns = max(map(len, grid.values()))
    figure, axes = plt.subplots(
        len(grid), columns, figsize=(3.6 * columns, 1.5 * len(grid)), squeeze=False,
        layout="constrained",
    )
    for row, (layer, drawn) in zip(axes, grid.items(), strict=True):
        for axis in row[len(drawn):]:
            axis.set_axis_off()
        for axis, (title, (left, width, counts)) in zip(row, drawn.items(), strict=False):
            edges = left + width * np.arange(len(counts) + 1)
            axis.stairs(np.array(counts) / max(1, sum(counts)), edges, fill=True, color="#3b6fb6")
            axis.set_title(f"{layer}: {title}", fontsize=8)
            axis.set_xlim(edges[0], edges[-1])
            axis.tick_params(labelsize=6)
    return figure
