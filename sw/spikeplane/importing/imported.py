"""A trained network to an integer network: calibration, quantization, and the tables of what became of each part."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.sets.dataset import DataRecipe, Dataset
from ..network.checks import NetworkError
from ..network.graph import IntegerNetwork
from ..network.input import InputFormat
from .build import LayerResult, Settings, build_network
from .chain import Chain, predict_chain
from .modules import Modules, module_text, read_modules
from .nir_file import Meaning, read_nir

__all__ = ["CALIBRATION", "Imported", "calibration_order", "float_predictions", "import_modules", "import_nir"]

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
    with _named(str(path)):
        form = _form(data, form)
        chain = read_nir(path, meaning or Meaning(), (form.channels, form.height, form.width))
        return _imported(Path(path).name, chain, form, settings, data, recipe, calibration)


def import_modules(
    modules: Modules, settings: Settings | None = None, *, data: Dataset | None = None,
    recipe: DataRecipe | None = None, form: InputFormat | None = None, calibration: int = CALIBRATION,
    name: str = "modules",
) -> Imported:
    """Return a network of PyTorch's, snnTorch's or SpikingJelly's modules in integers.

    ``modules`` are an ``nn.Sequential``, or modules in the order in which they are called in each time step. Their
    parameters are those of evaluation. Others as of :func:`import_nir`; ``name`` is what messages and the network call
    it. A NetworkError names the module and the reason where something has no exact counterpart.
    """
    with _named(name):
        form = _form(data, form)
        chain = read_modules(modules, (form.channels, form.height, form.width))
        return _imported(f"{name} ({module_text(modules)})", chain, form, settings, data, recipe, calibration)


def calibration_order(data: Dataset) -> np.ndarray:
    """Return the order, int64, in which a network is fitted to training samples: to the first so many."""
    return np.random.RandomState(0).permutation(len(data.labels))


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Put a name ahead of errors that do not say it."""
    try:
        yield
    except NetworkError as error:
        raise error if str(error).startswith(f"{name}: ") else NetworkError(f"{name}: {error}") from error


def _form(data: Dataset | None, form: InputFormat | None) -> InputFormat:
    form = data.input if data is not None else form
    if form is None:
        raise NetworkError("the number of time steps is not known: name data, or the format of the input")
    return form


def _imported(
    source: str, chain: Chain, form: InputFormat, settings: Settings | None, data: Dataset | None,
    recipe: DataRecipe | None, calibration: int,
) -> Imported:
    inputs = None
    if data is not None:
        if chain.classes != data.classes:
            raise NetworkError(f"it tells {chain.classes} classes, {data.name} has {data.classes}")
        chosen = np.sort(calibration_order(data)[:calibration])
        inputs = np.ascontiguousarray(data.inputs[chosen])
    names = data.class_names if data is not None else ()
    metadata = _metadata(source, recipe, names, chain)
    built = build_network(chain, form, settings or Settings(), inputs, metadata)
    return Imported(network=built.network, chain=chain, rows=chain.rows, layers=built.layers)


def _metadata(source: str, recipe: DataRecipe | None, names: tuple[str, ...], chain: Chain) -> dict:
    """Return what an integer network says of where it is from."""
    metadata: dict = {"imported": {"file": source, "nodes": [list(row) for row in chain.rows]}}
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

