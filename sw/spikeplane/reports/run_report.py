"""The report in which a training ends: one page, the same in JSON, and a table for the terminal."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from ..information import checkpoint_rows
from ..training.run.checkpoint import load_checkpoint
from ..writing import check_folder, check_writable, write_json
from .distributions import Histogram
from .energy import ACCUMULATE_PJ, MULTIPLY_ACCUMULATE_PJ, Size, energy_nj
from .report import Report, curves, heat_map, histograms
from .run_figures import RunFigures, check_twin, run_figures

__all__ = ["JSON_NAME", "PAGE_NAME", "report_names", "run_table", "write_run_report"]

PARTS = {
    "weights": "weights", "parameters": "multipliers and offsets", "potentials": "stored potentials",
    "input_spikes": "stored input spikes",
}
SIZE_NOTE = (
    "By formula: weights times their bits; a multiplier and an offset for each output channel, an "
    "offset for each class; neurons times the bits of a stored potential. Memory-free neurons store "
    "input spikes instead, one bit for each neuron they read and each earlier step they look back at. "
    "Beside it the same network with 32 bits for each weight, parameter and potential."
)
CORE_NOTE = (
    "Measured from the image and the core's memories: words taken times the width of the memory, with "
    "all padding to whole lanes, banks and words, by the placement that takes the least. The spike "
    "memory holds the input too. With the schedule \"registers\" potentials need no memory of "
    "their own; \"stored\" is the streaming one. The ratio is the float32 size by formula over "
    "all memories of the core, which the formula does not know."
)
ENERGY_NOTE = (
    f"Energy = {ACCUMULATE_PJ:g} pJ x accumulates + {MULTIPLY_ACCUMULATE_PJ:g} pJ x "
    "multiply-accumulates, 45 nm, 32-bit floats (M. Horowitz, \"Computing's energy problem (and what "
    "we can do about it)\", ISSCC 2014, pages 10-14): the estimate of the papers. It is blind to memory "
    "traffic, to neuron updates and to the bits of weights and potentials. Accumulates are input "
    "spikes times the outputs each one reaches, padding left out; the layer that reads an image "
    "multiplies, once a sample. \"Dense\" is a float32 network of the same shape that is no spiking "
    "one, all its multiply-accumulates once."
)
CYCLE_NOTE = (
    "One-bit operations are the core's own: each accumulate once for each bit of its weight, pools "
    "included. Cycles are predicted by the cycle model, schedule and configuration as named."
)


def report_names(test_samples: int | None = None) -> tuple[str, str]:
    """Return the names of page and JSON file; those on the first samples never replace those on all."""
    part = "" if test_samples is None else f"-first-{test_samples}"
    return f"report{part}.html", f"report{part}.json"


PAGE_NAME, JSON_NAME = report_names()


def write_run_report(
    checkpoint: Path,
    folder: Path | None = None,
    *,
    float32: Path | None = None,
    data_root: Path | None = None,
    test_samples: int | None = None,
    device: torch.device | str = "cpu",
    page: bool = True,
) -> tuple[RunFigures, RunFigures | None]:
    """Write the report of a checkpoint into ``folder``, by default its own; return its figures.

    ``float32`` is the checkpoint of a float32 twin, whose figures are then a column and the second
    value returned. ``test_samples`` takes only the first test samples, into files of other names, see
    :func:`report_names`; ``device`` is where the networks as trained predict them. Without ``page`` only the JSON
    file is written. A WritingError says ahead of all work that the files cannot be written.
    """
    folder = Path(checkpoint).parent if folder is None else folder
    check_folder(folder)
    page_name, json_name = report_names(test_samples)
    for name in (page_name, json_name):
        check_writable(folder / name)
    if float32 is not None:  # Ahead of figures that take long.
        check_twin(load_checkpoint(Path(checkpoint)), Path(checkpoint), load_checkpoint(float32), float32)
    figures = run_figures(checkpoint, data_root, test_samples=test_samples, device=device)
    twin = None
    if float32 is not None:
        twin = run_figures(float32, data_root, test_samples=test_samples, device=device)
    values = {"network": figures.to_dict(), "float32": twin and twin.to_dict()}
    write_json(folder / json_name, values)
    if page:
        _page(figures, twin).write(folder / page_name)
    return figures, twin


def run_table(figures: RunFigures, twin: RunFigures | None = None) -> Table:
    """Return the main figures as a table for the terminal."""
    shown = [each for each in (figures, twin) if each is not None]
    table = Table(title=f"Report of {figures.name}")
    table.add_column("figure")
    for each in shown:
        table.add_column(each.name, justify="right")
    for name, *values in _summary(shown):
        table.add_row(name, *map(str, values))
    return table


def _summary(shown: list[RunFigures]) -> list[list[str]]:
    rows = [
        ["epochs", *(str(each.checkpoint.epoch) for each in shown)],
        ["test samples", *(f"{each.evaluation.samples:,}" for each in shown)],
        ["accuracy as trained", *(f"{each.evaluation.trained:.2%}" for each in shown)],
        ["accuracy of the integer model", *(_percent(each.evaluation.integer) for each in shown)],
        ["points lost in integers", *(_or_none(each.lost_points, ".2f") for each in shown)],
    ]
    if any(each.evaluation.agreement for each in shown):
        rows.append([f"same predictions, first {shown[0].evaluation.activity.samples:,} test samples", *(
            _percent(each.evaluation.agreement and each.evaluation.agreement.predictions)
            for each in shown
        )])
    rows += [
        [f"size by formula: {PARTS[part]}", *(_kib(each.cost.size_bits.parts[part]) for each in shown)]
        for part in PARTS
    ]
    rows += [
        ["size by formula: total", *(_kib(each.cost.size_bits.total) for each in shown)],
        ["size by formula: float32 over it", *(
            f"{each.cost.float32_bits.total / each.cost.size_bits.total:.1f}" for each in shown
        )],
        ["accumulates a sample", *(f"{each.cost.accumulates:,.0f}" for each in shown)],
        ["multiply-accumulates a sample",
         *(f"{each.cost.multiply_accumulates:,.0f}" for each in shown)],
        ["energy, 45 nm estimate", *(f"{each.cost.energy_nj:,.1f} nJ" for each in shown)],
        ["energy, dense float32, same estimate",
         *(f"{each.cost.dense_energy_nj:,.1f} nJ" for each in shown)],
    ]
    for found in shown[0].footprints:
        rest = [""] * (len(shown) - 1)
        where = f"core {found.config}, {found.schedule.value}"
        rows.append([f"{where}: all memories", _kib(found.total_bits), *rest])
        rows.append([f"{where}: cycles a sample", f"{found.total_cycles:,.0f}", *rest])
    return rows


def _or_none(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _percent(value: float | None) -> str:
    return _or_none(value, ".2%")


def _kib(bits: int) -> str:
    return f"{bits / 8 / 1024:,.2f} KiB"


def _page(figures: RunFigures, twin: RunFigures | None) -> Report:
    shown = [each for each in (figures, twin) if each is not None]
    evaluation = figures.evaluation
    summary = (
        f"{figures.checkpoint.epoch} of {figures.checkpoint.recipe.training.epochs} epochs; "
        f"{evaluation.samples:,} test samples of {evaluation.dataset}."
    )
    if figures.cost.missing:
        summary += (
            f" There is no integer model ({figures.cost.missing}): spikes are those of the network "
            f"as trained, and what an integer model or a core would tell is missing."
        )
    report = Report(title=f"Spikeplane: {figures.name}", summary=summary)
    names = [each.name for each in shown]
    _findings(report, shown)
    report.table("Results", ["figure", *names], _summary(shown))
    _curves(report, shown)
    report.picture(
        "Confusion matrix", heat_map(figures.confusion, "class", "predicted class", figures.checkpoint.class_names),
        f"Test samples, {'the integer model' if evaluation.integer is not None else 'as trained'}.",
    )
    _layers(report, shown)
    _distributions(report, figures)
    _sizes(report, shown)
    _core(report, figures)
    _operations(report, shown)
    _cycles(report, figures)
    for each in shown:
        report.table(f"Checkpoint of {each.name}", ["what", "value"], checkpoint_rows(each.checkpoint))
    return report


def _findings(report: Report, shown: list[RunFigures]) -> None:
    """Add what is wrong, if anything is."""
    for each in shown:
        if each.evaluation.findings:
            report.table(
                f"Findings of {each.name}", ["layer", "what is wrong", "what to do"],
                [[found.layer or "", found.what, found.remedy] for found in each.evaluation.findings],
            )


def _curves(report: Report, shown: list[RunFigures]) -> None:
    """Add the history: values by epoch, and values by layer and epoch where there are such."""
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for each in shown:
        mark = f", {each.name}" if len(shown) > 1 else ""
        for epoch, entry in enumerate(each.checkpoint.history, start=1):
            for key, line, value in _points(entry):
                if isinstance(entry.get(key), dict):
                    panel = panels.setdefault(f"{key} by layer{mark}", {})
                    panel.setdefault(line, []).append((epoch, value))
                else:
                    panel = panels.setdefault(key, {})
                    panel.setdefault(line + mark, []).append((epoch, value))
    if panels:
        report.picture("Training", curves(panels, "epoch"), "On the training data, unless named validation or test.")


def _points(entry: dict[str, Any]) -> Iterable[tuple[str, str, float]]:
    """Return (key or its last word, line, value) of an epoch's entry of the history."""
    for key, value in entry.items():
        if isinstance(value, dict):
            yield from ((key, layer, number) for layer, number in value.items())
        elif isinstance(value, int | float):
            name = key.replace("_", " ")
            yield name.rpartition(" ")[2], name, value


def _layers(report: Report, shown: list[RunFigures]) -> None:
    agreement = shown[0].evaluation.agreement
    activity = shown[0].evaluation.activity
    heads = ["layer", *(f"firing rate, {each.name}" for each in shown), "channels that never fire"]
    rows = []
    for name in shown[0].cost.rates:
        row = [name, *(_percent(each.cost.rates.get(name)) for each in shown)]
        row.append("{} of {}".format(*activity.channels[name]))
        if agreement is not None:
            row.append(f"{agreement.spikes[name]:.3%}")
        rows.append(row)
    if agreement is not None:
        heads.append("spikes as trained and in integers are the same")
    report.table(
        "Layers", heads, rows,
        f"Share of (step, pixel, channel) that spike, {shown[0].cost.samples} test samples.",
    )


def _distributions(report: Report, figures: RunFigures) -> None:
    found = figures.distributions

    def drawn(titles: dict[str, dict[str, Histogram]]) -> dict:
        layers = dict.fromkeys(name for each in titles.values() for name in each)
        return {
            layer: {
                title: (each[layer].left, each[layer].width, each[layer].counts)
                for title, each in titles.items() if layer in each
            }
            for layer in layers
        }

    report.picture(
        "Weights",
        histograms(drawn({"latent weights": found.latent, "integers": found.quantized})),
        "As they are trained, and what the forward pass makes of them.",
    )
    potentials = drawn({"before firing": found.before, "stored": found.stored})
    if potentials:
        report.picture(
            "Potentials", histograms(potentials),
            "In units of the threshold, all neurons and steps; those beyond the picture count in the "
            "outermost bins.",
        )


def _sizes(report: Report, shown: list[RunFigures]) -> None:
    figures = shown[0]
    used = [part for part in PARTS if figures.cost.float32_bits.parts[part]]

    def row(name: str, size: Size, float32: Size) -> list:
        bits = [getattr(size, part).get(name) for part in used]
        return [name, *("" if value is None else value / 8 for value in bits),
                _of(size, name) / 8, _of(float32, name) / 8]

    size, float32 = figures.cost.size_bits, figures.cost.float32_bits
    names = dict.fromkeys(name for part in used for name in getattr(float32, part))
    rows = [row(name, size, float32) for name in names]
    rows.append(["total", *(size.parts[part] / 8 for part in used), size.total / 8, float32.total / 8])
    report.table(
        "Size in bytes, by formula",
        ["layer", *(PARTS[part] for part in used), "total", "total in float32"], rows,
        f"{SIZE_NOTE} float32 / total = {float32.total / size.total:.2f}; weights alone: "
        f"{float32.parts['weights'] / size.parts['weights']:.2f}.",
    )


def _of(size: Size, name: str) -> int:
    return sum(getattr(size, part).get(name, 0) for part in PARTS)


def _core(report: Report, figures: RunFigures) -> None:
    if figures.cost.missing:
        return
    found = figures.footprints
    if found:
        rows = [["image, bytes", *(each.image_bytes for each in found)]]
        rows += [
            [f"{space.name.lower()}, bits (words)",
             *(f"{each.bits[space]:,} ({each.words[space]:,})" for each in found)]
            for space in found[0].bits
        ]
        rows.append(["all memories, bits", *(each.total_bits for each in found)])
        rows.append(["float32 by formula / all memories", *map(figures.core_ratio, found)])
        report.table(
            "Memory of the core, measured",
            ["what", *(f"{each.config}, {each.schedule.value}" for each in found)], rows, CORE_NOTE,
        )
    if figures.refusals:
        report.table(
            "Configurations that are too small", ["configuration", "schedule", "why"],
            [[name, schedule.value, why] for (name, schedule), why in figures.refusals.items()],
        )


def _operations(report: Report, shown: list[RunFigures]) -> None:
    for each in shown:
        spent = each.cost
        rows = [
            [name, of.accumulates, of.multiply_accumulates,
             energy_nj(of.accumulates, of.multiply_accumulates), of.dense, energy_nj(0, of.dense)]
            for name, of in spent.operations.items()
        ]
        rows.append(["total", spent.accumulates, spent.multiply_accumulates, spent.energy_nj,
                     spent.dense, spent.dense_energy_nj])
        report.table(
            f"Operations and energy of a sample, {each.name}",
            ["layer", "accumulates", "multiply-accumulates", "energy, nJ",
             "dense: multiply-accumulates", "dense: energy, nJ"],
            rows, f"{ENERGY_NOTE} Mean of {spent.samples} test samples.",
        )


def _cycles(report: Report, figures: RunFigures) -> None:
    core, found = figures.cost.core_operations, figures.footprints
    if core is None:
        return
    rows = [
        [name, core[name], *(each.cycles[name] for each in found)] for name in core
    ]
    rows.append(["total", sum(core.values()), *(each.total_cycles for each in found)])
    report.table(
        "One-bit operations and cycles of a sample in the core",
        ["layer", "one-bit operations",
         *(f"cycles, {each.config}, {each.schedule.value}" for each in found)],
        rows, CYCLE_NOTE,
    )
