"""The command `spikeplane report`, and the report that others end in."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from ..notices import note_findings
from ..output import output
from ..writing import check_distinct, check_folder
from .options import Data

__all__ = ["EXAMPLE", "report", "require_report", "write_report"]

EXAMPLE = "Example: spikeplane report build/digits/checkpoint.safetensors"


def report(
    checkpoint: Annotated[Path, typer.Argument(help="What `spikeplane train` wrote.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the report; default: the checkpoint's.")] = None,
    float32: Annotated[Path | None, typer.Option(help="Checkpoint of a float32 twin, shown beside it.")] = None,
    data: Data = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Only the first test samples.")] = None,
    device: Annotated[str, typer.Option(help="Where the network predicts, as of train.")] = "auto",
) -> None:
    """Write a training's report: accuracy, size, operations, energy, curves and histograms."""
    require_report()
    from ..reports.run_report import report_names

    folder = out or checkpoint.parent
    for name in report_names(samples):
        check_distinct(folder / name, checkpoint, float32)
    check_folder(folder)
    write_report(checkpoint, device, out, float32=float32, data_root=data, test_samples=samples)


def write_report(
    checkpoint: Path, device: str, out: Path | None = None, *, test_samples: int | None = None, **options
) -> None:
    """Write the report of a checkpoint, print its main figures and where it is."""
    from ..reports.run_report import report_names, run_table, write_run_report
    from ..training.run.devices import choose_device

    written = write_run_report(checkpoint, out, device=choose_device(device), test_samples=test_samples, **options)
    output.show(run_table(*written))
    for figures in filter(None, written):
        note_findings(figures.evaluation.findings, figures.name)
    page, figures_file = ((out or checkpoint.parent) / name for name in report_names(test_samples))
    output.show(f"report: {page}", report=str(page), report_figures=str(figures_file))


def require_report(instead: str = "") -> None:
    """Raise a ValueError that names the extra if what reports need is not installed."""
    try:
        import_module("..reports.report", __package__)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{error.name} is needed for a report: install Spikeplane with its extra, as "
            f"spikeplane[report]{instead}"
        ) from error
