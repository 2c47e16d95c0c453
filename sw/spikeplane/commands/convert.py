"""The command `spikeplane convert`."""

from pathlib import Path
from typing import Annotated

import typer

from ..output import output
from ..writing import check_distinct, check_writable
from .options import Checkpoint

__all__ = ["EXAMPLE", "convert"]

EXAMPLE = "Example: spikeplane convert build/levels/checkpoint.safetensors build/spiking.safetensors"


def convert(
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Argument(help="Where to write the checkpoint of the network that spikes.")],
    signed: Annotated[bool, typer.Option(
        "--signed", help="Let neurons take back spikes that came too early; no core runs signed spikes."
    )] = False,
) -> None:
    """Turn a trained network of graded activations into one that spikes, with the same weights."""
    from ..training.run.checkpoint import save_checkpoint
    from ..training.run.conversion import convert as convert_checkpoint

    check_distinct(out, checkpoint)
    check_writable(out)
    made = convert_checkpoint(checkpoint, signed=signed)
    save_checkpoint(made, out)
    output.show(f"checkpoint, {made.recipe.data.steps} steps: {out}", checkpoint=str(out))
