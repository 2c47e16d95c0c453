"""A data set of one's own: recordings of a bar that stands upright or lies."""

from pathlib import Path

import numpy as np
from spikeplane.data.formats.events import Recording, make_events
from spikeplane.data.sets.datasets import DATASETS, DataRecipe, Dataset, from_recordings

SIZE = 12
COUNTS = {"train": 80, "test": 20}
DURATION = 3000
"""Microseconds of a recording."""


def bars(part: str):
    """Yield the recordings of ``part``; label 0 stands, label 1 lies."""
    random = np.random.RandomState(len(part))
    for index in range(COUNTS[part]):
        label = index % 2
        place, along = random.randint(SIZE, size=2), np.arange(SIZE)
        across = np.full(SIZE, place[0])
        x, y = (across, along) if label == 0 else (along, across)
        time = np.sort(random.randint(DURATION, size=SIZE))
        name = f"{part} bar {index}"
        events = make_events(name, time, x, y, random.randint(2, size=SIZE))
        yield Recording(name=name, events=events, width=SIZE, height=SIZE, label=label)


def load_bars(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    """Return ``part`` of the bars; they need no files below ``root``."""
    return from_recordings(recipe, part, bars(part), DURATION, 2)


def register() -> None:
    """Let recipes say ``name = "moving_bars"``; an installed package names load_bars as an entry point instead."""
    DATASETS.register("moving_bars", load_bars)
