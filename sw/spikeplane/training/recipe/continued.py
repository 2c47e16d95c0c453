"""The text of a recipe that trains the network in a checkpoint on."""

import json
from pathlib import Path

__all__ = ["continued_recipe"]

LEARNING_RATE = 0.001
"""With AdamW: that of QP-SNN's table 8 for networks that were pruned."""


def continued_recipe(name: str, what: str, checkpoint: Path, recipe: Path, epochs: int) -> str:
    """Return the text of file ``recipe``, which trains ``what`` is in ``checkpoint``, in the same folder, on."""
    return f"""\
# Trains the {what} beside this file on:
# spikeplane train {recipe} --out {recipe.parent / "tuned"}
name = {json.dumps(name)}
extends = "{checkpoint.name}"

[training]
epochs = {epochs}
optimizer = "adamw"
learning_rate = {LEARNING_RATE}

[training.start]
checkpoint = {json.dumps(str(checkpoint))}
"""
