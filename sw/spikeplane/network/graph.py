"""The integer network: what a trained network is exported to, and what the integer model runs."""

import enum
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from spikeplane_hw.neuron import Levels, Neuron, Reset

from .container import ContainerError, read_container, write_container
from .layer import Layer, NetworkError, WeightKind, or_pool, verify_integers, verify_layer

__all__ = [
    "InputFormat", "IntegerNetwork", "Layer", "NetworkError", "Schedule", "WeightKind",
    "load_network", "or_pool", "save_network",
]

INPUT_BITS_LIMIT = 8
FILE_KIND = "network"
FILE_VERSION = 2


class Schedule(enum.Enum):
    """Which loop is outside: both give the same spikes, states and logits."""

    REGISTERS = "registers"
    """All time steps of a pixel run while its potential is at hand; nothing is stored after."""
    STORED = "stored"
    """All layers run one time step at a time; quantized potentials are stored in between."""


@dataclass(frozen=True, kw_only=True)
class InputFormat:
    """Shape of the network's input: spikes (steps, channels, height, width), or one image of
    ``bits``-bit unsigned integers (channels, height, width) that is replayed every step."""

    channels: int
    height: int
    width: int
    steps: int
    bits: int = 1
    direct: bool = False
    """Direct coding: an image, accumulated once and replayed over the time steps."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input: (steps, channels, height, width), without steps if direct."""
        image = (self.channels, self.height, self.width)
        return image if self.direct else (self.steps, *image)


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerNetwork:
    """A whole network in integers. ``verify()`` names the first thing that is wrong."""

    input: InputFormat
    layers: list[Layer]
    logit_offset: np.ndarray
    """int64 (classes,), added to the summed logits once a recording (the classifier's bias)."""
    logit_scale: float = 1.0
    """Logits in the units of the trained network: ``logit_scale * (sums + logit_offset)``."""
    metadata: dict = field(default_factory=dict)

    def shapes(self) -> list[tuple[int, int, int]]:
        """Return (channels, height, width) of the input and of every layer's output."""
        shapes = [(self.input.channels, self.input.height, self.input.width)]
        for layer in self.layers:
            _, height, width = shapes[-1]
            out, _, kernel_height, kernel_width = layer.weight.shape
            shapes.append((
                out,
                (height + 2 * layer.padding - kernel_height) // layer.stride + 1,
                (width + 2 * layer.padding - kernel_width) // layer.stride + 1,
            ))
        return shapes

    def verify(self) -> None:
        """Raise a NetworkError naming the layer, the value and the limit if a rule is broken."""
        self._verify_input()
        if not self.layers:
            raise NetworkError("the network has no layers")
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise NetworkError(f"layer {name!r}: {names.count(name)} layers have this name")
        shape = (self.input.channels, self.input.height, self.input.width)
        for index, layer in enumerate(self.layers):
            last = index == len(self.layers) - 1
            if last != (layer.neuron is None):
                rule = "the last layer must be" if last else "only the last layer may be"
                raise NetworkError(f"layer {layer.name!r}: {rule} a classifier (neuron=None)")
            verify_layer(layer, shape)
            if len(layer.taps) > 1 and index == 0 and self.input.direct:
                raise NetworkError(
                    f"layer {layer.name!r}: a direct-coded image has no steps for taps; let its "
                    f"neurons leak without a reset instead"
                )
            shape = self.shapes()[index + 1]
            if min(shape) < 1:
                raise NetworkError(f"layer {layer.name!r}: its output map is empty: {shape}")
        if len(self.layers) == 1 and self.input.direct:
            raise NetworkError(
                f"layer {names[0]!r}: a classifier cannot read a direct-coded image, only spikes"
            )
        verify_integers("logit_offset", self.logit_offset, shape[:1], 32)
        if not math.isfinite(self.logit_scale) or self.logit_scale <= 0:
            raise NetworkError(f"logit_scale must be finite and positive, not {self.logit_scale!r}")

    def _verify_input(self) -> None:
        form = self.input
        for name in ("channels", "height", "width", "steps", "bits"):
            value = getattr(form, name)
            if not isinstance(value, int) or value < 1:
                raise NetworkError(f"input: {name} must be a positive integer, not {value!r}")
        if form.bits > (INPUT_BITS_LIMIT if form.direct else 1):
            raise NetworkError(
                f"input: bits is {form.bits}, limit "
                f"{INPUT_BITS_LIMIT} for a direct-coded image, 1 for spikes"
            )


def save_network(network: IntegerNetwork, path: Path | str) -> None:
    """Write ``network`` to a safetensors file; it must pass ``verify()``."""
    network.verify()
    tensors: dict[str, np.ndarray] = {"logit_offset": network.logit_offset.astype(np.int32)}
    layers = []
    for layer in network.layers:
        entry: dict = {"name": layer.name, "stride": layer.stride, "padding": layer.padding}
        if layer.pool:
            # A pool's weights are implied by its shape.
            entry["pool"] = layer.weight.shape[1:]
        else:
            entry |= {
                "bits": layer.weight_bits, "kind": layer.weight_kind.value, "taps": layer.taps,
            }
            tensors[f"{layer.name}.weight"] = layer.weight.astype(np.int16)
            if layer.neuron is not None:
                entry["neuron"] = asdict(layer.neuron) | {
                    "reset": layer.neuron.reset.name, "levels": layer.neuron.levels.value,
                }
                multiplier, offset = layer.affine
                tensors[f"{layer.name}.multiplier"] = multiplier.astype(np.int32)
                tensors[f"{layer.name}.offset"] = offset.astype(np.int32)
        layers.append(entry)
    header = {
        "input": asdict(network.input), "layers": layers, "logit_scale": network.logit_scale,
        "metadata": network.metadata,
    }
    write_container(path, FILE_KIND, FILE_VERSION, header, tensors)


def load_network(path: Path | str) -> IntegerNetwork:
    """Return the verified network in a file.

    Raises a NetworkError naming the file and the reason if it is missing, truncated, altered, of
    another kind or version, or breaks a rule of networks.
    """
    try:
        header, tensors = read_container(path, FILE_KIND, FILE_VERSION)
    except ContainerError as error:
        raise NetworkError(str(error)) from error
    try:
        network = IntegerNetwork(
            input=InputFormat(**header["input"]),
            layers=[_layer(entry, tensors) for entry in header["layers"]],
            logit_offset=tensors["logit_offset"].astype(np.int64),
            logit_scale=float(header["logit_scale"]),
            metadata=header["metadata"],
        )
        network.verify()
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NetworkError(f"{path}: the header is not that of a network: {error!r}") from error
    return network


def _layer(entry: dict, tensors: dict[str, np.ndarray]) -> Layer:
    name, stride, padding = entry["name"], entry["stride"], entry["padding"]
    if "pool" in entry:
        channels, height, width = entry["pool"]
        return or_pool(name, channels, (height, width), stride, padding)
    neuron = multiplier = offset = None
    if "neuron" in entry:
        fields = entry["neuron"]
        neuron = Neuron(**fields | {
            "reset": Reset[fields["reset"]], "levels": Levels(fields["levels"]),
        })
        multiplier, offset = (
            tensors[f"{name}.{key}"].astype(np.int64) for key in ("multiplier", "offset")
        )
    return Layer(
        name=name, weight=tensors[f"{name}.weight"].astype(np.int64), weight_bits=entry["bits"],
        weight_kind=WeightKind(entry["kind"]), stride=stride, padding=padding,
        multiplier=multiplier, offset=offset, neuron=neuron, taps=tuple(entry["taps"]),
    )
