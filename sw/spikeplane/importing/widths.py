"""What a network loses at several widths of its weights, on training samples that it was not fitted to."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from ..data.sets.dataset import Dataset
from ..network.graph import IntegerNetwork
from ..progress import steps as progress_steps
from ..training.run.evaluate import predict_integer
from .build import Settings
from .imported import CALIBRATION, Imported, calibration_order, float_predictions

__all__ = ["Width", "compare_widths"]

BATCH = 20


@dataclass(frozen=True, kw_only=True)
class Width:
    """Weights of one width."""

    bits: int
    size: float
    """Bytes of all weights."""
    samples: int
    trained: float
    """Share of these samples that the network is right about as it was trained."""
    integer: float
    """The same in integers."""
    same: float
    """Share of them with the same prediction."""


def weight_bytes(network: IntegerNetwork) -> float:
    """Return how many bytes all weights of a network are."""
    maps = network.maps()
    return sum(node.memory(maps).weights for node in network.nodes) / 8


def compare_widths(
    make: Callable[[Settings], Imported], settings: Settings, widths: Iterable[int], data: Dataset, *,
    calibration: int = CALIBRATION, samples: int = 200,
) -> list[Width]:
    """Return what the network that ``make`` imports loses at each of ``widths``, bits of its weights.

    ``data`` are the training samples of which ``make`` takes the first ``calibration``, in the order of
    :func:`calibration_order`; the ``samples`` behind these are what is compared, so that a width is not chosen by test
    data. A ValueError says that there are none.
    """
    chosen = np.sort(calibration_order(data)[calibration : calibration + samples])
    if not len(chosen):
        raise ValueError(f"{data.name} has {len(data.labels)} samples, and {calibration} are what weights are fitted "
                         f"to: there are none left to compare widths on")
    inputs, labels = np.ascontiguousarray(data.inputs[chosen]), data.labels[chosen]
    found: list[Width] = []
    trained = None
    widths = list(widths)
    with progress_steps(len(widths), unit="width", title="widths of weights") as bar:
        for bits in widths:
            imported = make(replace(settings, bits=bits))
            if trained is None:
                trained = float_predictions(imported, inputs)
            integer = predict_integer(imported.network, inputs, BATCH)
            found.append(Width(
                bits=bits, size=weight_bytes(imported.network), samples=len(labels),
                trained=float((trained == labels).mean()), integer=float((integer == labels).mean()),
                same=float((trained == integer).mean()),
            ))
            bar.update()
    return found
