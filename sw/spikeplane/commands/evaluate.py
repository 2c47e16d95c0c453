"""The command `spikeplane evaluate`."""

from dataclasses import asdict

from rich.table import Column, Table

from ..notices import note_findings
from ..output import output
from .options import Checkpoint, Data

__all__ = ["EXAMPLE", "evaluate"]

EXAMPLE = "Example: spikeplane evaluate build/digits/checkpoint.safetensors"


def evaluate(
    checkpoint: Checkpoint,
    data: Data = None,
) -> None:
    """Show a checkpoint's test accuracy as trained and in the integer model."""
    from ..training.run.evaluate import evaluate as run_evaluation

    result = run_evaluation(checkpoint, data_root=data)
    table = Table("figure", "value", Column("samples", justify="right"))
    table.add_row("data", f"{result.dataset}, {result.samples:,} samples")
    table.add_row("as trained", f"{result.trained:.2%}", f"{result.samples:,}")
    activity, agreement, some = result.activity, result.agreement, f"{result.activity.samples:,}"
    if result.integer is not None and agreement is not None:
        table.add_row("integer model", f"{result.integer:.2%}", f"{result.samples:,}")
        table.add_row("same predictions", f"{agreement.predictions:.2%}", some)
        for layer, share in agreement.spikes.items():
            table.add_row(f"{layer}: same spikes", f"{share:.3%}", some)
    for layer, rate in activity.rates.items():
        dead, channels = activity.channels[layer]
        table.add_row(f"{layer}: firing rate, channels that never fire", f"{rate:.2%}, {dead} of {channels}", some)
    output.show(
        table, data=result.dataset, samples=result.samples, trained=result.trained, integer=result.integer,
        same_predictions=agreement and agreement.predictions, same_spikes=agreement and agreement.spikes,
        compared_samples=activity.samples, rates=activity.rates, silent_channels=activity.channels,
        findings=[asdict(finding) for finding in result.findings],
    )
    note_findings(result.findings)
