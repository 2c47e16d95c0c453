"""The handwritten digits of scikit-learn in front of the event camera: no download needed."""

import numpy as np

from ..formats.events import Recording
from .camera import EventCamera, Saccades

__all__ = ["CAMERA", "PATH", "TEST_COUNT", "TRAIN_COUNT", "digit_recordings"]

TRAIN_COUNT = 1437
TEST_COUNT = 360
SPLIT_SEED = 2024
CAMERA = EventCamera()
PATH = Saccades()


def digit_recordings(part: str) -> list[Recording]:
    """Return the recordings of ``part``, ``"train"`` (1,437) or ``"test"`` (360), always the same.

    Recordings are 16 x 16 pixels and 300 ms. Each name ends in the index of the digit's image.
    """
    if part not in ("train", "test"):
        raise ValueError(f'part must be "train" or "test", not {part!r}')
    from sklearn.datasets import load_digits  # Slow to import, and only needed here.

    pixels, target = load_digits(return_X_y=True)
    images = pixels.reshape(-1, 8, 8) / 16
    # RandomState, unlike Generator, promises the same stream in every release of NumPy.
    order = np.random.RandomState(SPLIT_SEED).permutation(TRAIN_COUNT + TEST_COUNT)
    chosen = order[:TRAIN_COUNT] if part == "train" else order[TRAIN_COUNT:]
    events = CAMERA.record(images[chosen], PATH, [int(index) for index in chosen])
    return [
        Recording(
            name=f"digit {index}", events=array, width=CAMERA.width, height=CAMERA.height,
            label=int(target[index]),
        )
        for index, array in zip(chosen, events, strict=True)
    ]
