"""What `simulate` and `stream` say: accuracy, cycles and mismatches, the confusion matrix, predictions in a file."""

import csv
import io
from pathlib import Path

import numpy as np
import typer
from rich.table import Column, Table

from .comparable import Comparable
from .confusion import confusion_matrix
from .output import output
from .progress import counted
from .writing import check_writable, write_text

__all__ = ["run_comparison"]

NOT_COUNTED = "not counted: the core has no statistics"
NOT_COMPARED = "nothing was compared: no --network"


def run_comparison(driver, ready: Comparable, *, confusion: bool = False, predictions: Path | None = None) -> None:
    """Load the image, run the test samples, and show accuracy, cycles and mismatches; the latter end the command.

    Without a network to compare with there are no mismatches, and the training library is not needed.
    With ``confusion`` also which classes are taken for which. ``predictions`` is a CSV file of all samples to write.
    """
    from .device.comparison import compare_with_model, run_samples

    if predictions is not None:
        check_writable(predictions)
    with driver, counted(len(ready.inputs), unit="samples") as progress:
        driver.load(ready.image)
        driver.self_test()
        if ready.network is None:
            result = run_samples(driver, ready.inputs, progress=progress)
        else:
            result = compare_with_model(driver, ready.network, ready.inputs, progress=progress)
    found = np.array(result.predictions)
    accuracy = float((found == ready.labels).mean())
    cycles = float(result.cycles.sum(1).mean()) if result.counted else None
    table = Table("figure", "value")
    table.add_row("samples", f"{len(ready.labels):,}")
    table.add_row("accuracy on the device", f"{accuracy:.2%}")
    table.add_row("cycles a sample", NOT_COUNTED if cycles is None else f"{cycles:,.0f}")
    if ready.network is None:
        table.add_row("mismatches", NOT_COMPARED)
    elif not result.counted:
        table.add_row("counters: mismatches", NOT_COUNTED)
    for kind, mismatches in result.mismatches.items():
        table.add_row(f"{kind}: mismatches of {result.compared[kind]:,}", f"{mismatches:,}")
    matrix = confusion_matrix(ready.labels, found, len(ready.names))
    output.show(
        table, samples=len(ready.labels), accuracy=accuracy, cycles=cycles, compared=result.compared,
        mismatches=result.mismatches, classes=ready.names, confusion=matrix.tolist(),
    )
    if confusion:
        output.show(_confusion_table(matrix, ready.names))
    if predictions is not None:
        write_text(predictions, _rows(ready, found))
        output.show(f"predictions: {predictions}", predictions=str(predictions))
    if result.total:
        raise typer.Exit(1)


def _confusion_table(matrix: np.ndarray, names: list[str]) -> Table:
    """Return a table with a row for each class, and a column for each that is predicted."""
    table = Table("class", *(Column(name, justify="right") for name in names), title="columns: predicted class")
    for name, counts in zip(names, matrix.tolist(), strict=True):
        table.add_row(name, *(str(count) if count else "" for count in counts))
    return table


def _rows(ready: Comparable, found: np.ndarray) -> str:
    """Return lines of sample, class and predicted class; samples are counted in the test part from 0."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sample", "class", "predicted"])
    for index, label, prediction in zip(ready.indices, ready.labels, found, strict=True):
        writer.writerow([int(index), ready.names[label], ready.names[prediction]])
    return text.getvalue()
