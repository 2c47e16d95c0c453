"""An imported network as a recipe and a checkpoint, from which `spikeplane train` goes on with quantized weights.

Each operator becomes a convolution and a batch normalization whose means and variances are those of its sums on given
data: what both do together is what the operator does. A trained batch normalization is a part of the operator already.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from spikeplane_hw.neuron import Levels
from torch import Tensor, nn
from torch.nn import functional

from ..data.sets.dataset import DataRecipe, Dataset
from ..network.checks import NetworkError
from ..network.input import InputFormat
from ..network.pool import Pooling
from ..training.net.layer_recipe import LayerRecipe
from ..training.net.networks import SpikingNetwork
from ..training.net.neurons import NeuronRecipe
from ..training.net.quantizers import WEIGHT_QUANTIZERS
from ..training.recipe.continued import continued_recipe
from ..training.recipe.recipes import Recipe, TrainingRecipe
from ..training.run.checkpoint import Checkpoint, save_checkpoint
from ..training.run.evaluate import predict
from ..writing import write_text
from .build import BATCH, LEAK_ERROR, READOUT, Settings, check_settings, kept_leak
from .chain import Chain, ImportedNeuron, Stage, predict_chain, run_stage
from .imported import Imported, calibration_order

__all__ = ["CHECKPOINT", "RECIPE", "Tuning", "start_tuning", "write_tuning"]

CHECKPOINT, RECIPE = "start.safetensors", "recipe.toml"
EPOCHS = 20
SAMPLES = 200
"""Training samples whose sums the normalizations take their means and variances from."""
RESCALED = ({"rescaling": "mean"}, {"rescaling": "max"}, *(
    {"rescaling": "quantile", "quantile": quantile} for quantile in (0.93, 0.97, 0.99)
))
"""Options of rescaled weights that are tried."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tuning:
    """A network that a training begins with."""

    checkpoint: Checkpoint
    layers: dict[str, str]
    """Names of the recipe's layers by those of the nodes or modules whose weights they have."""
    samples: int
    same: float
    """Share of so many training samples with the prediction of the network as it was trained, if nothing is quantized.
    It is less than 1.0 where potentials leave -8.0 to 8.0, at which those of a board saturate."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """A layer of the recipe, and what its tensors begin with."""

    layer: LayerRecipe
    tensors: dict[str, Tensor]


def start_tuning(
    imported: Imported, settings: Settings, *, data: Dataset, recipe: DataRecipe, name: str = "imported", seed: int = 1,
    samples: int = SAMPLES,
) -> Tuning:
    """Return ``imported`` as a network that is trained on, with weights and potentials of ``settings``.

    ``data`` are the training samples of ``recipe``; ``samples`` of them decide on means, and are what predictions are
    compared on. A NetworkError names the layer that no recipe expresses, and what would do.
    """
    chain, form = imported.chain, data.input
    check_settings(chain, form, settings)
    inputs = np.ascontiguousarray(data.inputs[np.sort(calibration_order(data)[:samples])])
    parts, layers = _parts(chain, settings, form, torch.from_numpy(inputs))
    made = Recipe(
        name=name, seed=seed, data=recipe, layers=[part.layer for part in parts],
        training=TrainingRecipe(epochs=EPOCHS, losses={"mean": {}}),
    )
    checkpoint = Checkpoint.start(made, form, data.classes, data.class_names)
    state = checkpoint.network.state_dict()
    state |= {f"layers.{part.layer.name}.{key}": value for part in parts for key, value in part.tensors.items()}
    checkpoint.network.load_state_dict(state)
    twin = made.float32()
    with torch.random.fork_rng(devices=[]):
        network = SpikingNetwork(form, twin.layers, twin.neuron, data.classes)
    network.load_state_dict(state)
    repeated = np.repeat(inputs[:, None], form.steps, axis=1) if form.direct else inputs
    trained = np.concatenate(list(predict_chain(chain, repeated, 1 / checkpoint.network.input_levels)))
    same = float((predict(network, inputs) == trained).mean())
    return Tuning(checkpoint=checkpoint, layers=layers, samples=len(inputs), same=same)


def write_tuning(tuning: Tuning, folder: Path) -> dict[str, Path]:
    """Write recipe and checkpoint into ``folder`` and return the files by what they are."""
    checkpoint, recipe = folder / CHECKPOINT, folder / RECIPE
    made = tuning.checkpoint.recipe
    save_checkpoint(tuning.checkpoint, checkpoint)
    write_text(recipe, continued_recipe(made.name, "imported network", checkpoint, recipe, made.training.epochs))
    return {"checkpoint, not fine-tuned": checkpoint, "recipe of the fine-tuning": recipe}


def _parts(
    chain: Chain, settings: Settings, form: InputFormat, values: Tensor
) -> tuple[list[_Part], dict[str, str]]:
    """Return the layers in their order, and their names by those of the stages; ``values`` are samples."""
    scale = 1 / ((1 << form.bits) - 1)
    if form.direct:
        values = values[:, None]
    parts: list[_Part] = []
    layers: dict[str, str] = {}
    for stage in chain.stages:
        name = layers[stage.name] = _name(stage.name, parts)
        bits = settings.layer_bits.get(stage.name, settings.bits)
        if stage.neuron is None:
            parts.append(_classifier(stage, name, bits))
            return parts, layers
        leak = stage.neuron.leak
        if abs(leak - (kept := kept_leak(stage, settings))) > LEAK_ERROR:
            leak = kept  # Asked for: check_settings refuses it otherwise.
        neuron = _neuron(stage.neuron, leak, settings.state_bits)
        parts.append(_convolution(stage, name, bits, neuron, values, scale))
        if stage.pooling is not None:
            parts.append(_pool(stage.name, stage.pooling, _name(f"{name}_pool", parts)))
        repeated = values.expand(-1, form.steps, -1, -1, -1)
        values, scale = torch.cat([run_stage(stage, part, scale) for part in repeated.split(BATCH)]), 1.0
    parts.append(_readout(chain.stages[-1].shape[0], _name(READOUT, parts), settings.bits, form.steps))
    return parts, layers


def _name(name: str, parts: list[_Part]) -> str:
    """Return a name that a recipe's layer may have and no other one has."""
    taken = [part.layer.name for part in parts]
    made = name.replace(".", "_")
    while made in taken or hasattr(nn.ModuleDict, made):
        made += "_"
    return made


def _neuron(neuron: ImportedNeuron, leak: float, state_bits: int) -> NeuronRecipe:
    # What is subtracted behind the next leak is 1.0 ahead of it, and the threshold is what the leak leaves of that.
    return NeuronRecipe(
        "imported", state_bits=state_bits, levels=Levels.UNIFORM.value, leak=float(leak),
        reset=neuron.reset.name.lower(), fires="above" if neuron.strict else "at",
        threshold=float(leak) if neuron.delayed else 1.0,
    )


def _convolution(
    stage: Stage, name: str, bits: int, neuron: NeuronRecipe, values: Tensor, scale: float
) -> _Part:
    """Return a convolution with its normalization; ``values`` are samples of its input, ``scale`` what 1 stands for."""
    operator, neurons = stage.operator, stage.neuron
    assert neurons is not None
    kernel = operator.weight.shape[2:]
    if kernel == operator.source[1:] and operator.padding == 0:
        shape = {"kind": "dense"}
    elif kernel[0] == kernel[1]:
        shape = {"kind": "conv", "kernel": kernel[0], "stride": operator.stride, "padding": operator.padding}
    else:
        raise NetworkError(f"layer {stage.name!r}: with what is folded into it its kernel is {kernel[0]} x "
                           f"{kernel[1]}, a recipe's is as high as wide: take such kernels and pools, or do not "
                           f"fine-tune")
    # Every channel has the same greatest weight, the layer the size that random weights have.
    each = np.abs(operator.weight).max((1, 2, 3), keepdims=True)
    weight = operator.weight / np.where(each > 0, each, 1.0)
    factor = np.sqrt(np.square(weight).mean() * weight[0].size) or 1.0
    weight, each = weight / factor, each.ravel() * factor
    mean, variance = _moments(stage, torch.from_numpy(weight * scale).float(), values)
    part = neuron.options["threshold"] / neurons.threshold
    slope = each * part
    made = torch.from_numpy(weight).float()
    layer = LayerRecipe(
        name=name, channels=len(weight), neuron=neuron.to_dict(), **shape, **_quantizer(bits, made)
    )
    eps = nn.BatchNorm2d(1).eps
    return _Part(layer=layer, tensors={
        "weight": made, "norm.running_mean": _float(mean), "norm.running_var": _float(variance),
        "norm.weight": _float(slope * np.sqrt(variance + eps)),
        "norm.bias": _float(operator.bias * part + mean * slope),
    })


def _moments(stage: Stage, weight: Tensor, values: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return means and variances of the sums of ``weight``, float64 (channels,)."""
    count, total, squares = 0, torch.zeros(len(weight)).double(), torch.zeros(len(weight)).double()
    for part in values.split(BATCH):
        sums = functional.conv2d(
            part.flatten(0, 1).float(), weight, None, stage.operator.stride, stage.operator.padding
        ).double()
        count += sums.numel() // len(weight)
        total += sums.sum((0, 2, 3))
        squares += sums.square().sum((0, 2, 3))
    mean = total / count
    return mean.numpy(), (squares / count - mean.square()).clamp(min=0).numpy()


def _quantizer(bits: int, weight: Tensor) -> dict:
    """Return the settings of the weights that are the least wrong, each channel's scale left to its normalization."""
    tried = [("absmax", {}), *(("rescaled", options) for options in RESCALED)]
    if bits == 1:
        tried = [("binary", {"regulate": False})]
    found = []
    for kind, options in tried:
        settings = {"weights": kind, "weight_bits": bits, "options": options}
        quantizer = WEIGHT_QUANTIZERS[kind](bits=bits, **options)
        flat, made = weight.flatten(1), quantizer(weight).detach().flatten(1)
        best = (flat * made).sum(1) / made.square().sum(1).clamp(min=1e-30)
        found.append((float((flat - made * best[:, None]).square().sum()), len(found), settings))
    return min(found)[2]


def _pool(stage: str, pooling: Pooling, name: str) -> _Part:
    high, wide = pooling.kernel
    if high != wide or pooling.stride != high or pooling.padding:
        raise NetworkError(f"layer {stage!r}: its spikes are pooled over {high} x {wide} with stride {pooling.stride} "
                           f"and padding {pooling.padding}; a recipe's pools are square, with a stride of their side "
                           f"and no padding: take such a pool, or do not fine-tune")
    return _Part(layer=LayerRecipe(name=name, kind="pool", kernel=high), tensors={})


def _classifier(stage: Stage, name: str, bits: int) -> _Part:
    operator = stage.operator
    kernel, whole = operator.weight.shape[2:], operator.source[1:]
    pooled = kernel == (1, 1) and whole != (1, 1)
    if operator.padding or (kernel != whole and not (pooled and operator.stride == 1)):
        raise NetworkError(f"layer {stage.name!r}: the answer is the sum of a {kernel[0]} x {kernel[1]} convolution "
                           f"of a {whole[0]} x {whole[1]} map; a recipe's classifier is 1 x 1 with stride 1 or fully "
                           f"connected: take one of these, or neurons behind it")
    if bits == 1:
        raise NetworkError(f"layer {stage.name!r}: a recipe's classifier has weights of 2, 4 or 8 bits, not 1: give it "
                           f"others, as by --layer-bits {stage.name}=8")
    return _Part(
        layer=LayerRecipe(name=name, kind="classifier", pooled=pooled, weights="absmax", weight_bits=bits),
        tensors={"weight": _float(operator.weight), "bias": _float(operator.bias)},
    )


def _readout(classes: int, name: str, bits: int, steps: int) -> _Part:
    """Return a classifier that begins as one that counts the spikes of each channel; a mean over steps is behind it."""
    layer = LayerRecipe(name=name, kind="classifier", weights="absmax", weight_bits=max(bits, 2))
    return _Part(layer=layer, tensors={"weight": _float(steps * np.eye(classes)[:, :, None, None])})


def _float(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(values)).float()
