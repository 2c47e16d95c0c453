"""From a network as it was trained to integers: weights quantized, scales folded, potentials placed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from spikeplane_hw.memory_map import Counter
from spikeplane_hw.neuron import FRACTION_BITS, QUANTIZED_BITS, STATE_WIDTH, Levels, Neuron, Reset, leak_limit
from torch import Tensor
from torch.nn import functional

from ..network.checks import NetworkError
from ..network.endings import Fire, Logits
from ..network.graph import IntegerNetwork
from ..network.input import INPUT, InputFormat
from ..network.layer import Layer
from ..network.maps import MapFormat
from ..network.node import Node
from ..network.schedule import Schedule
from ..network.weights import WeightKind
from ..network.window import Window
from ..progress import steps as progress_steps
from ..training.net.fixed_point import Currents, fixed_point
from ..training.net.imported import fire_above
from .chain import Chain, Stage, run_stage
from .quantize import Quantized, quantize_weights

__all__ = [
    "BATCH", "LEAK_ERROR", "READOUT", "Built", "LayerResult", "Settings", "build_network", "check_settings",
    "kept_leak",
]

SAMPLED = 20_000
"""Windows of the inputs of a layer that its weights are quantized on."""
HEADROOM = range(6)
"""Powers of two that a threshold may be less than 1.0, so that potentials below it have room."""
LEAK_ERROR = 1 / 1000
"""What a leak may be rounded by without being asked for."""
LEAST_DELAYED = 1 / 8
"""Least leak of a threshold that is subtracted behind it: what is subtracted ahead of it is so many times larger."""
READOUT = "readout"
BATCH = 10
MEASURED = 10
"""Samples on which spikes are compared, for each threshold that is tried."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a network becomes."""

    bits: int = 8
    """Of weights."""
    layer_bits: Mapping[str, int] = field(default_factory=dict)
    """Of the weights of some nodes, by their names."""
    state_bits: int = STATE_WIDTH
    """Of potentials: 16, or 2 to 8 for levels between -threshold and threshold."""
    round_leak: bool = False
    """Whether leaks may be rounded by more than LEAK_ERROR."""


@dataclass(frozen=True, kw_only=True)
class LayerResult:
    """What a layer lost, on the samples that it was made on; None: it was made on none."""

    name: str
    text: str
    error: float
    """Standard deviation of the sums' error by rounding weights, as part of that of the sums."""
    agreement: float | None = None
    """Share of (step, neuron) whose spike is that of the network as trained, on MEASURED inputs that are the same."""
    saturated: float | None = None
    """Share of updates of potentials that saturate."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Built:
    """A network in integers and what became of each layer."""

    network: IntegerNetwork
    layers: list[LayerResult]


def build_network(
    chain: Chain, form: InputFormat, settings: Settings, inputs: np.ndarray | None = None,
    metadata: dict | None = None,
) -> Built:
    """Return ``chain`` in integers.

    ``inputs``, uint8 (count, *form.shape), are samples that weights and potentials are fitted to; None: all inputs
    count alike, and thresholds get no headroom. A NetworkError names the layer that has no integer form, or a setting.
    """
    check_settings(chain, form, settings)
    scale = 1 / ((1 << form.bits) - 1)
    values = None if inputs is None else torch.from_numpy(np.ascontiguousarray(inputs))
    if values is not None and form.direct:
        values = values[:, None]
    shape = MapFormat(
        channels=form.channels, height=form.height, width=form.width, bits=form.bits, replayed=form.direct
    )
    nodes: list[Node] = []
    results: list[LayerResult] = []
    source, offset, unit = INPUT, np.zeros(0, np.int64), 1.0
    with progress_steps(len(chain.stages), unit="layer", title="quantizing") as bar:
        for stage in chain.stages:
            bits = settings.layer_bits.get(stage.name, settings.bits)
            windows = None if values is None else _windows(stage, values)
            if stage.neuron is None:
                layer, result, offset, unit = _head(stage, bits, source, windows, scale, form.steps)
            else:
                expected = None
                if values is not None:
                    repeated = values.expand(-1, form.steps, -1, -1, -1)
                    expected = torch.cat([
                        run_stage(stage, part, scale) for part in repeated.split(BATCH)
                    ])
                layer, result = _neurons(stage, bits, settings, source, shape, windows, values, expected, scale, form)
                values = expected
            nodes.append(layer)
            results.append(result)
            channels, height, width = stage.shape
            shape = MapFormat(channels=channels, height=height, width=width)
            source, scale = stage.name, 1.0
            bar.update()
    if chain.stages[-1].neuron is not None:
        nodes.append(_readout(source, shape.channels))
        offset, unit = np.zeros(shape.channels, np.int64), 1 / (form.steps * shape.height * shape.width)
    network = IntegerNetwork(
        input=form, nodes=nodes, logit_offset=offset, logit_scale=unit, metadata=metadata or {}
    )
    network.verify()
    return Built(network=network, layers=results)


def check_settings(chain: Chain, form: InputFormat, settings: Settings) -> None:
    """Raise a NetworkError naming the layer, or the setting, that ``chain`` has no integer form with."""
    if chain.source != (form.channels, form.height, form.width):
        raise NetworkError(f"the network takes {chain.source}, the input is "
                           f"{(form.channels, form.height, form.width)}")
    names = [stage.name for stage in chain.stages]
    for name in settings.layer_bits:
        if name not in names:
            raise NetworkError(f"no layer is named {name!r}; there are {', '.join(names)}")
    if settings.state_bits not in (*QUANTIZED_BITS, STATE_WIDTH):
        raise NetworkError(f"potentials of {settings.state_bits} bits, must be 2 to 8 or 16")
    for stage in chain.stages:
        neuron = stage.neuron
        if neuron is None:
            continue
        limit = leak_limit(settings.state_bits)
        if not 0 <= neuron.leak <= limit:
            raise NetworkError(f"layer {stage.name!r}: its leak is {neuron.leak:.6g} a step, limit {limit:g} with "
                               f"{settings.state_bits}-bit potentials; take potentials of more bits")
        if neuron.delayed and neuron.leak < LEAST_DELAYED:
            raise NetworkError(f"layer {stage.name!r}: {neuron.leak:.6g} is left after a step, and the threshold is "
                               f"subtracted behind that: at least {LEAST_DELAYED} must be left")
        rounded = kept_leak(stage, settings)
        if abs(rounded - neuron.leak) > LEAK_ERROR and not settings.round_leak:
            raise NetworkError(
                f"layer {stage.name!r}: of its potentials {neuron.leak:.6g} is left after a step, "
                f"{settings.state_bits}-bit potentials keep {rounded:.6g}: take --state-bits 8, whose leaks are "
                f"finer, or --round-leak"
            )


def _neuron(stage: Stage, settings: Settings, headroom: int) -> tuple[Neuron, float]:
    """Return the neuron in integers, and which part of 1.0 its threshold is."""
    neuron = stage.neuron
    assert neuron is not None
    made = Neuron(reset=neuron.reset, state_bits=settings.state_bits, levels=Levels.UNIFORM, leak=neuron.leak)
    part = 2.0**-headroom
    if neuron.delayed:
        # A spike takes 1.0 ahead of the leak, which leaves of it what the trained network takes behind: the threshold.
        part = _kept(made)
    return replace(made, fire_above=fire_above(part, neuron.strict)), part


def kept_leak(stage: Stage, settings: Settings) -> float:
    """Return the leak that a stage's neurons have in integers."""
    return _kept(_neuron(stage, settings, 0)[0])


def _kept(neuron: Neuron) -> float:
    """Return the leak that a neuron has in integers."""
    unit = 1.0
    if neuron.quantized:
        unit = 2.0**FRACTION_BITS / ((1 << (neuron.state_bits - 1)) - 1)
    return neuron.decode_scale / unit / 16


def _windows(stage: Stage, values: Tensor) -> np.ndarray:
    """Return some of the windows that a stage sums up, float64 (count, inputs of a sum), those of silence left out."""
    operator = stage.operator
    random = np.random.RandomState(0)
    frames = values.flatten(0, 1)
    places = operator.shape[1] * operator.shape[2]
    active = np.flatnonzero(frames.flatten(1).any(1).numpy())
    if not len(active):
        return np.zeros((1, operator.weight[0].size))
    count = min(len(active), max(64, -(-SAMPLED // places)))
    chosen = np.sort(random.choice(active, count, replace=False))
    columns = functional.unfold(
        frames[torch.from_numpy(chosen)].float(), operator.weight.shape[2:], padding=operator.padding,
        stride=operator.stride,
    ).transpose(1, 2).flatten(0, 1)
    some = np.sort(random.choice(len(columns), min(len(columns), SAMPLED), replace=False))
    return columns[torch.from_numpy(some)].double().numpy()


def _quantized(
    stage: Stage, bits: int, windows: np.ndarray | None, one_scale: bool = False
) -> tuple[Quantized, np.ndarray]:
    """Return the weights in integers, and the mean that is lost of each channel's sums."""
    weight = stage.operator.weight
    # Covariances: the mean that rounding loses becomes a part of the bias.
    moments = None if windows is None else np.cov(windows, rowvar=False, bias=True).reshape(2 * (windows.shape[1],))
    try:
        made = quantize_weights(weight, bits, moments, one_scale=one_scale)
    except ValueError as error:
        raise NetworkError(f"layer {stage.name!r}: {error}") from error
    lost = weight.reshape(len(weight), -1) - made.integers.reshape(len(weight), -1) * made.scale[:, None]
    return made, np.zeros(len(weight)) if windows is None else lost @ windows.mean(0)


def _text(made: Quantized, bits: int) -> str:
    shape = " x ".join(map(str, made.integers.shape))
    return f"{bits}-bit weights {shape} ({made.kind.value})"


def _neurons(
    stage: Stage, bits: int, settings: Settings, source: str, shape: MapFormat, windows: np.ndarray | None,
    values: Tensor | None, expected: Tensor | None, scale: float, form: InputFormat,
) -> tuple[Layer, LayerResult]:
    """Return a layer with neurons; of the headrooms it has the one at which most spikes are those expected."""
    made, lost = _quantized(stage, bits, windows)
    neuron = stage.neuron
    assert neuron is not None
    integers = made.integers.reshape(len(made.integers), -1)
    if windows is None:
        mean, deviation = np.zeros(len(integers)), np.linalg.norm(integers, axis=1) + 1e-9
    else:
        sums = windows @ integers.T
        mean, deviation = sums.mean(0), sums.std(0) + 1e-9
    best: tuple[Layer, LayerResult] | None = None
    wide = neuron.reset is not Reset.SOFT and expected is not None
    for headroom in HEADROOM if wide else (0,):
        fired, part = _neuron(stage, settings, headroom)
        each = part / neuron.threshold
        shift, multiplier, offset = fixed_point(stage.name, Currents(
            gain=made.scale * scale * each, bias=(stage.operator.bias + lost * scale) * each, mean=mean,
            deviation=deviation,
        ))
        window = Window(
            source=source, weight=made.integers, weight_bits=bits, weight_kind=made.kind,
            stride=stage.operator.stride, padding=stage.operator.padding, multiplier=multiplier, offset=offset,
            shift=shift,
        )
        layer = Layer(name=stage.name, terms=(window,), ending=Fire(neuron=fired, pooling=stage.pooling))
        agreement = saturated = None
        if expected is not None and values is not None:
            agreement, saturated = _measure(layer, shape, values[:MEASURED], expected[:MEASURED], form.steps)
        result = LayerResult(
            name=stage.name, error=made.error, agreement=agreement, saturated=saturated,
            text=f"{_text(made, bits)}, {settings.state_bits}-bit potentials"
                 + (f", threshold 1/{1 << headroom}" if headroom else "")
                 + (f", threshold {part:.4g}" if neuron.delayed else ""),
        )
        if best is None or (agreement or 0) > (best[1].agreement or 0):
            best = layer, result
    assert best is not None
    return best


def _measure(
    layer: Layer, shape: MapFormat, values: Tensor, expected: Tensor, steps: int
) -> tuple[float, float]:
    """Return the shares of spikes that are those expected, and of updates that saturate."""
    source = layer.sources[0]
    outcome = layer.plan({source: shape}, steps).run({source: values}, Schedule.REGISTERS, None, True)
    assert outcome.output is not None
    same = int((outcome.output == expected).sum())
    return same / expected.numel(), int(outcome.counters[Counter.SATURATIONS].sum()) / expected.numel()


def _head(
    stage: Stage, bits: int, source: str, windows: np.ndarray | None, scale: float, steps: int
) -> tuple[Layer, LayerResult, np.ndarray, float]:
    """Return the layer whose sums are the answer, and the offset and scale of the logits."""
    made, lost = _quantized(stage, bits, windows, one_scale=True)
    places = stage.operator.shape[1] * stage.operator.shape[2]
    unit = float(made.scale[0]) * scale
    window = Window(
        source=source, weight=made.integers, weight_bits=bits, weight_kind=made.kind, stride=stage.operator.stride,
        padding=stage.operator.padding,
    )
    offset = np.rint((stage.operator.bias + lost * scale) * places * steps / unit).astype(np.int64)
    layer = Layer(name=stage.name, terms=(window,), ending=Logits())
    result = LayerResult(name=stage.name, text=_text(made, bits), error=made.error)
    return layer, result, offset, unit / (places * steps)


def _readout(source: str, channels: int) -> Layer:
    """Return the layer that counts the spikes of each channel."""
    weight = np.eye(channels, dtype=np.int64)[:, :, None, None]
    window = Window(source=source, weight=weight, weight_bits=1, weight_kind=WeightKind.UNIT)
    return Layer(name=READOUT, terms=(window,), ending=Logits())

