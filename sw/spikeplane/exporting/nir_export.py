"""Integer networks in NIR files (Pedersen et al., arXiv 2311.14641), in floating point.

A sum becomes ``gain * sum + bias``, which the integer network rounds to 1/4096 of the threshold, and potentials
saturate nowhere. So spikes that hang on such a rounding may be others; all else is the same.
"""

import io
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from spikeplane_hw.neuron import DECODE_SHIFT, FRACTION_BITS, Neuron, Reset, code_limit

from ..network.checks import NetworkError
from ..network.endings import Fire, Logits
from ..network.graph import IntegerNetwork
from ..network.input import INPUT
from ..network.layer import Layer
from ..network.maps import MapFormat, Maps
from ..network.node import Node
from ..network.pool import OrPool, Pooling
from ..network.window import Window
from ..nir_library import nir_library
from ..writing import write_bytes

__all__ = ["TIME_STEP", "export_nir", "nir_graph"]

TIME_STEP = 1e-4
"""Seconds of a time step in files: the one that snnTorch takes for granted."""


def export_nir(network: IntegerNetwork, path: Path | str, *, quantized: bool = False) -> None:
    """Write ``network`` to a NIR file.

    NIR has no potentials of few bits: with ``quantized`` networks that have them are written as if theirs were exact,
    and predictions change. A NetworkError names the node that NIR cannot say.
    """
    buffer = io.BytesIO()
    nir_library().write(buffer, nir_graph(network, quantized=quantized))
    write_bytes(path, buffer.getvalue())


def nir_graph(network: IntegerNetwork, *, quantized: bool = False) -> Any:
    """Return ``network`` as a graph of NIR, see :func:`export_nir`.

    Inputs are spikes, or images from 0 to 1 in every step; the answer is the sum of the outputs over all steps.
    """
    network.verify()
    return _Writer(nir_library(), network, quantized).graph()


class _Writer:
    """Goes along the nodes of a chain and adds those of NIR."""

    def __init__(self, nir: Any, network: IntegerNetwork, quantized: bool):
        self.nir, self.network, self.quantized = nir, network, quantized
        self.maps: Maps = network.maps()
        form = network.input
        self.shape: tuple[int, ...] = (form.channels, form.height, form.width)
        """Of what the last node of NIR gives: a map, or a vector."""
        self.nodes: dict[str, Any] = {"input": nir.Input(np.array(self.shape))}

    def graph(self) -> Any:
        if len(self.network.heads) > 1:
            raise NetworkError(f"{len(self.network.heads)} layers add to the logits: NIR says networks of one answer")
        read = INPUT
        for node in self.network.nodes:
            if node.sources != (read,):
                raise node.unsupported(f"it reads {', '.join(node.sources)}, not what is before it: only chains of "
                                       f"layers are written to NIR")
            self._add(node)
            read = node.name
        self.nodes["output"] = self.nir.Output(np.array(self.shape))
        names = list(self.nodes)
        return self.nir.NIRGraph(self.nodes, list(pairwise(names)))

    def _add(self, node: Node) -> None:
        if isinstance(node, OrPool):
            self._pool(node.name, node.pooling)
            return
        if not isinstance(node, Layer):
            raise node.unsupported(f"NIR has nothing for a {node.kind}")
        (term, *others) = node.terms
        if others or not isinstance(term, Window) or len(term.taps) > 1:
            raise node.unsupported("NIR has one window of weights for a layer, without taps, shortcuts and products")
        if isinstance(node.ending, Logits):
            self._head(node, term)
        elif isinstance(node.ending, Fire):
            self._layer(node, term, node.ending)
        else:
            raise node.unsupported(f"NIR has nothing for {node.ending.text}")

    def _layer(self, node: Layer, term: Window, ending: Fire) -> None:
        source = self.maps[term.source]
        assert term.multiplier is not None and term.offset is not None, "neurons' currents are scaled"
        exponent = 2.0 ** -(term.shift + FRACTION_BITS)
        weight = _ungrouped(term) * (term.multiplier * exponent * source.greatest)[:, None, None, None]
        # B holds the half that makes the shift round to nearest.
        bias = (term.offset - (1 << (term.shift - 1))) * exponent
        self._weights(node.name, term, weight, bias, source)
        self._neurons(node, ending.neuron, len(weight))
        if ending.pooling is not None:
            self._pool(f"{node.name}_pool", ending.pooling)

    def _weights(self, name: str, term: Window, weight: np.ndarray, bias: np.ndarray, source: MapFormat) -> None:
        nir = self.nir
        if term.walk(self.maps).fills(source.height, source.width):
            self._dense(name, weight.reshape(len(weight), -1), bias)
            return
        self.nodes[name] = nir.Conv2d(
            input_shape=(source.height, source.width), weight=weight.astype(np.float32), stride=(term.stride,) * 2,
            padding=(term.padding,) * 2, dilation=(1, 1), groups=1, bias=bias.astype(np.float32),
        )
        self.shape = tuple(int(side) for side in term.shape("", self.maps))

    def _dense(self, name: str, weight: np.ndarray, bias: np.ndarray) -> None:
        if len(self.shape) > 1:
            self.nodes[f"{name}_flatten"] = self.nir.Flatten(
                input_type=np.array(self.shape), start_dim=0, end_dim=-1
            )
        self.nodes[name] = self.nir.Affine(weight=weight.astype(np.float32), bias=bias.astype(np.float32))
        self.shape = (len(weight),)

    def _neurons(self, node: Layer, neuron: Neuron, channels: int) -> None:
        if neuron.reset is not Reset.HARD and neuron.state_bits:
            raise node.unsupported(f"its reset is {neuron.reset.name}, that of NIR sets potentials to a value")
        if neuron.quantized and not self.quantized:
            raise node.unsupported(
                f"its potentials have {neuron.state_bits} bits, and NIR has none of few bits: --quantized writes them "
                f"as if they were exact, and predictions change"
            )
        scale = neuron.decode_scale / (1 << DECODE_SHIFT)
        if neuron.quantized:
            scale *= code_limit(neuron.state_bits) / (1 << FRACTION_BITS)
        # An integer above fire_above is one above this, and readers may compare with > or >=.
        self._lif(f"{node.name}_neurons", (neuron.fire_above + 0.5) / (1 << FRACTION_BITS), scale)

    def _lif(self, name: str, threshold: float, leak: float) -> None:
        nir, zeros = self.nir, np.zeros(self.shape, np.float32)
        full = {key: np.full(self.shape, value, np.float32) for key, value in (("v_threshold", threshold), ("r", 1.0))}
        if leak >= 1:
            self.nodes[name] = nir.IF(**full, v_reset=zeros)
            return
        tau = TIME_STEP / (1 - leak)
        full["r"] *= tau / TIME_STEP  # The input is added whole.
        self.nodes[name] = nir.LIF(tau=np.full(self.shape, tau, np.float32), **full, v_leak=zeros, v_reset=zeros)

    def _pool(self, name: str, pooling: Pooling) -> None:
        """Add an average over windows and neurons that keep nothing and fire where there is a spike."""
        area = math.prod(pooling.kernel)
        self.nodes[f"{name}_average"] = self.nir.AvgPool2d(
            kernel_size=np.array(pooling.kernel), stride=np.array((pooling.stride,) * 2),
            padding=np.array((pooling.padding,) * 2),
        )
        channels, height, width = self.shape
        self.shape = tuple(int(side) for side in pooling.shape((channels, height, width)))
        self._lif(name, 0.5 / area, 0.0)

    def _head(self, node: Layer, term: Window) -> None:
        """Add what sums up all windows of the head in each step."""
        source = self.maps[term.source]
        weight = np.zeros((len(term.weight), *source.shape))
        _, rows, columns = term.shape("", self.maps)
        _, _, height, width = term.weight.shape
        padded = np.pad(weight, ((0, 0), (0, 0), *((term.padding, height + term.stride),) * 2))
        for row in range(0, rows * term.stride, term.stride):
            for column in range(0, columns * term.stride, term.stride):
                padded[:, :, row : row + height, column : column + width] += _ungrouped(term)
        inside = (slice(term.padding, term.padding + source.height), slice(term.padding, term.padding + source.width))
        scale = self.network.logit_scale * 2.0**getattr(node.ending, "exponent", 0)
        bias = self.network.logit_offset * (self.network.logit_scale / self.network.input.steps)
        self._dense(node.name, (scale * padded[:, :, *inside]).reshape(len(weight), -1), bias)


def _ungrouped(term: Window) -> np.ndarray:
    """Return weights over all input channels: readers of NIR do not agree on groups."""
    each, inputs = len(term.weight) // term.groups, term.weight.shape[1]
    weight = np.zeros((len(term.weight), inputs * term.groups, *term.weight.shape[2:]), np.int64)
    for group in range(term.groups):
        outputs = slice(group * each, (group + 1) * each)
        weight[outputs, group * inputs : (group + 1) * inputs] = term.weight[outputs]
    return weight
