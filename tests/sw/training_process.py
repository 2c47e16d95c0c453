"""Trainings of the sample data in processes of their own.

Run as a program, this is the command `spikeplane` with the data set "sample". The process whose
rank is in the variable FAILING_RANK fails in its third batch.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import safe_open
from spikeplane import cli
from spikeplane.data.sets.datasets import DATASETS
from spikeplane.training.run import train as training
from training_samples import EVENTS, samples

PARTS = {"train": 0, "test": 1}


def sample_data(recipe, root, part):
    """Return the data set "sample"; its parts differ by their seeds."""
    return samples(replace(EVENTS, steps=recipe.steps), seed=PARTS[part])


def toml(value: Any) -> str:
    """Return a value of a recipe in TOML."""
    if isinstance(value, dict):
        pairs = (f"{key} = {toml(item)}" for key, item in value.items() if item is not None)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def command(recipe, folder: Path, *arguments: str, launcher: tuple[str, ...] = ()) -> list[str]:
    """Return the command that trains ``recipe`` in ``folder``, and write its recipe there."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "recipe.toml"
    file.write_text("".join(f"{key} = {toml(value)}\n" for key, value in recipe.to_dict().items()))
    return [
        sys.executable, *launcher, __file__, "train", str(file), "--out", str(folder), "--no-report",
        "--device", "cpu", *arguments,
    ]


def start(arguments: list[str], **variables: str) -> subprocess.Popen[str]:
    """Start a process that finds the modules that the tests find."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | variables
    return subprocess.Popen(
        arguments, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def batches_done(checkpoint: Path, batches: int) -> int:
    """Return how many batches a checkpoint has behind it, of ``batches`` an epoch."""
    if not checkpoint.exists():
        return 0
    with safe_open(checkpoint, framework="np") as file:
        header = json.loads(file.metadata()["spikeplane"])
    return header["epoch"] * batches + header.get("unfinished", {"batch": 0})["batch"]


def wait_for(process: subprocess.Popen[str], checkpoint: Path, batches: int, done: int) -> None:
    """Wait until a training has ``done`` batches behind it."""
    while batches_done(checkpoint, batches) < done:
        if process.poll() is not None:
            raise AssertionError(f"the training ended by itself:\n{process.communicate()[1]}")
        time.sleep(0.002)


def fail_in_the_third_batch(run, *arguments):
    """Train one batch, or fail."""
    if run.done == 2:
        raise ValueError("no third batch")
    return batch(run, *arguments)


batch = training._Training._batch
if __name__ == "__main__":
    if os.environ.get("FAILING_RANK", "none") == os.environ.get("RANK"):
        training._Training._batch = fail_in_the_third_batch
    DATASETS.register("sample", sample_data)
    cli.main()
