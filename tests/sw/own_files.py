"""Files of one's own that tests make: arrays, folders of recordings and of images, with a class that can be told."""

from pathlib import Path

import numpy as np
from recording_samples import aedat_2_0
from spikeplane.data.formats.events import EVENT

SIZE = 12


def bar_events(label: int, seed: int, size: int = SIZE, duration: int = 3000) -> np.ndarray:
    """Return events of a bar that stands (label 0) or lies (label 1)."""
    random = np.random.RandomState(seed)
    events = np.empty(2 * size, EVENT)
    events["t"] = np.sort(random.randint(duration, size=2 * size))
    events["t"][0] = 0
    along, place = np.tile(np.arange(size), 2), random.randint(size)
    events["x"], events["y"] = (place, along) if label == 0 else (along, place)
    events["polarity"] = random.randint(2, size=2 * size)
    return events


def write_npz(path: Path, events: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, t=events["t"], x=events["x"], y=events["y"], p=events["polarity"])


def write_aedat(path: Path, events: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(aedat_2_0(events))


def recording_folder(folder: Path, count: int = 10, names: tuple[str, str] = ("stands", "lies")) -> Path:
    """Write ``count`` recordings of each class, .npz of 12 x 12 pixels."""
    for label, name in enumerate(names):
        for index in range(count):
            write_npz(folder / name / f"{index:02}.npz", bar_events(label, 2 * index + label))
    return folder


def bar_images(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (count, SIZE, SIZE) of bars, and their labels."""
    random = np.random.RandomState(seed)
    labels = np.arange(count) % 2
    images = random.randint(0, 60, (count, SIZE, SIZE)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        place = random.randint(SIZE)
        image[(slice(None), place) if label == 0 else (place, slice(None))] = 250
    return images, labels


LAYERS = """
[[layers]]
name = "conv"
kind = "conv"
channels = 6
stride = 2
weights = "absmax"
weight_bits = 8

[[layers]]
name = "classifier"
kind = "classifier"
pooled = true
weights = "absmax"
weight_bits = 8

[training]
epochs = 30
batch_size = 20
learning_rate = 0.02
"""


def write_recipe(path: Path, data: str) -> Path:
    """Write the recipe of a small network with these lines of ``[data]``."""
    path.write_text(f"seed = 1\n[data]\n{data}\n{LAYERS}")
    return path
