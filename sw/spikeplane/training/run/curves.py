"""Curves of a training for TensorBoard."""

from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "Curves"]

FOLDER = "tensorboard"


class Curves:
    """Writes events into the folder ``tensorboard`` of a run; a step is a batch.

    A training that goes on ``done`` batches after its start hides what was written of later ones:
    they come again.
    """

    def __init__(self, out: Path, done: int):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ValueError(
                "tensorboard is needed: install Spikeplane with its extra, as "
                f"spikeplane[tensorboard] ({error})"
            ) from error
        self._writer = SummaryWriter(str(out / FOLDER), purge_step=done + 1)

    def batch(self, done: int, loss: float, learning_rate: float) -> None:
        """Add the figures of one batch, after which ``done`` are done."""
        self._writer.add_scalar("batch/loss", loss, done)
        self._writer.add_scalar("batch/learning_rate", learning_rate, done)

    def epoch(self, done: int, entry: dict[str, Any]) -> None:
        """Add an epoch's entry of the history, after which ``done`` batches are done."""
        self._writer.add_scalar("train/loss", entry["loss"], done)
        self._writer.add_scalar("train/accuracy", entry["accuracy"], done)
        for name, rate in entry["rates"].items():
            self._writer.add_scalar(f"firing_rate/{name}", rate, done)
        for part in ("validation", "test"):
            if f"{part}_accuracy" in entry:
                self._writer.add_scalar(f"{part}/accuracy", entry[f"{part}_accuracy"], done)

    def flush(self) -> None:
        """Write what was added: a checkpoint must not be ahead of its curves."""
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
