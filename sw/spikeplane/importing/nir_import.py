"""A NIR file to an integer network: reading, calibration, quantization, and the table of what became of each node."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.sets.dataset import DataRecipe, Dataset
from ..network.checks import NetworkError
from ..network.graph import IntegerNetwork
from ..network.input import InputFormat
from .build import LayerResult, Settings, build_network
from .chain import Chain, predict_chain
from .nir_file import Meaning, read_nir

__all__ = ["CALIBRATION", "Imported", "float_predictions", "import_nir"]

CALIBRATION = 32
"""Training samples that a network is fitted to."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Imported:
    """An imported network."""

    network: IntegerNetwork
    chain: Chain
    """As it was trained, in floating point."""
    rows: list[tuple[str, str, str]]
    """(node, what it is, what it becomes), and what was assumed of all."""
    layers: list[LayerResult]


def import_nir(
    path: Path, meaning: Meaning | None = None, settings: Settings | None = None, *, data: Dataset | None = None,
    recipe: DataRecipe | None = None, form: InputFormat | None = None, calibration: int = CALIBRATION,
) -> Imported:
    """Return the network in a NIR file in integers.

    ``data``, training samples, say the format of the input; ``calibration`` of them, chosen by a seed, are what weights
    and potentials are fitted to. Without data, ``form`` says it. ``recipe``, of the data, goes along into the
    network, so that commands know its bins. A NetworkError names the file, the node and the reason where something has
    no exact counterpart.
    """
    form = data.input if data is not None else form
    if form is None:
        raise NetworkError(f"{path}: the number of time steps is not known: name data, or the format of the input")
    chain = read_nir(path, meaning or Meaning(), (form.channels, form.height, form.width))
    settings = settings or Settings()
    inputs = None
    if data is not None:
        order = np.random.RandomState(0).permutation(len(data.labels))[:calibration]
        inputs = np.ascontiguousarray(data.inputs[np.sort(order)])
    names = data.class_names if data is not None else ()
    try:
        if data is not None and chain.classes != data.classes:
            raise NetworkError(f"it tells {chain.classes} classes, {data.name} has {data.classes}")
        built = build_network(chain, form, settings, inputs, _metadata(path, recipe, names, chain))
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from error
    return Imported(network=built.network, chain=chain, rows=chain.rows, layers=built.layers)


def _metadata(path: Path, recipe: DataRecipe | None, names: tuple[str, ...], chain: Chain) -> dict:
    """Return what an integer network says of where it is from."""
    metadata: dict = {"imported": {"file": Path(path).name, "nodes": [list(row) for row in chain.rows]}}
    if recipe is not None:
        metadata["data"] = _plain_data(recipe)
    if names:
        metadata["class_names"] = list(names)
    return metadata


def _plain_data(recipe: DataRecipe) -> dict:
    """Return a recipe's data in types of JSON."""
    values = dict(vars(recipe))
    files = values.pop("files")
    return values if files is None else values | {"files": dict(vars(files))}


def float_predictions(imported: Imported, inputs: np.ndarray) -> np.ndarray:
    """Return the classes, int64, that the network as it was trained predicts, in floating point."""
    scale = 1 / ((1 << imported.network.input.bits) - 1)
    if imported.network.input.direct:
        inputs = np.repeat(inputs[:, None], imported.network.input.steps, axis=1)
    return np.concatenate(list(predict_chain(imported.chain, inputs, scale)))

