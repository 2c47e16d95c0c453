"""Networks in NIR files (Pedersen et al., arXiv 2311.14641): nodes become operators and neurons, or are refused."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from spikeplane_hw.neuron import Reset

from ..network.checks import NetworkError
from ..nir_library import nir_library
from .assembly import Assembly
from .chain import Chain, ImportedNeuron
from .operators import Operator, Shape, channel_values, one, pair, scaling, window_sums

__all__ = ["Meaning", "read_nir"]


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What NIR files do not say, or libraries mean otherwise than NIR."""

    time_step: float | None = None
    """Seconds of a time step; None: not known, and LIF neurons are refused."""
    discretization: str = "euler"
    """How a leak comes of a time constant: "euler" is 1 - dt / tau, "exponential" exp(-dt / tau)."""
    strict: bool = True
    """Whether a neuron fires where v > threshold, as NIR says, or where v >= threshold."""
    reset: Reset = Reset.HARD
    """HARD: to 0, as NIR says; SOFT: the threshold is subtracted."""

    def __post_init__(self):
        if self.discretization not in ("euler", "exponential"):
            raise ValueError(f"discretization must be euler or exponential, not {self.discretization!r}")
        if self.time_step is not None and not 0 < self.time_step < math.inf:
            raise ValueError(f"a time step must be above 0 s, not {self.time_step}")
        if self.reset not in (Reset.HARD, Reset.SOFT):
            raise ValueError(f"reset must be HARD or SOFT, not {self.reset}")

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """What is assumed, as rows of the table."""
        reset = "to 0" if self.reset is Reset.HARD else "by subtracting the threshold"
        default = self.strict and self.reset is Reset.HARD
        return [
            ("(all neurons)", "fire where", "v > threshold" if self.strict else "v >= threshold"),
            ("(all neurons)", "reset", reset),
            ("(all neurons)", "both of these", f"{'' if default else 'chosen, other than '}NIR's definition"),
        ]


def read_nir(path: Path, meaning: Meaning, source: Shape | None = None) -> Chain:
    """Return the network in a NIR file; ``source`` is the shape of its input where the file does not say it.

    A NetworkError names the file, the node and why it has no exact counterpart.
    """
    nir = nir_library()
    path = Path(path)
    if not path.is_file():
        raise NetworkError(f"{path}: no such file")
    try:
        graph = nir.read(path, type_check=False)
    except Exception as error:  # Whatever the library and HDF5 stumble over in a damaged file.
        raise NetworkError(f"{path}: not a readable NIR file: {_unreadable(nir, path, error)}") from error
    try:
        return _Reader(nir, graph, meaning, source).chain()
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from error


class _Reader:
    """Goes along the nodes of a graph that is a chain."""

    def __init__(self, nir: ModuleType, graph: Any, meaning: Meaning, source: Shape | None):
        self.nir, self.graph, self.meaning = nir, graph, meaning
        self.rows: list[tuple[str, str, str]] = []
        self.names = self._order()
        self.assembly = Assembly(self._source(source))

    def chain(self) -> Chain:
        for name in self.names[1:-1]:
            node = self.graph.nodes[name]
            try:
                becomes = self._neurons(name, node) or self._linear(name, node)
            except (ValueError, TypeError, AttributeError) as error:
                raise NetworkError(f"node {name!r} ({type(node).__name__}): {error}") from error
            self.rows.append((name, _text(node), becomes))
        made = self.assembly.chain(self.rows)
        return replace(made, rows=[*made.rows, *self.meaning.rows])

    def _order(self) -> list[str]:
        """Return the names of the nodes from the input to the output."""
        nodes, edges = self.graph.nodes, self.graph.edges
        for name, node in nodes.items():
            if isinstance(node, self.nir.NIRGraph):
                raise NetworkError(f"node {name!r} is a graph of its own: flatten it before the export")
        ends = {kind: [name for name, node in nodes.items() if isinstance(node, kind)]
                for kind in (self.nir.Input, self.nir.Output)}
        for kind, found in ends.items():
            if len(found) != 1:
                raise NetworkError(f"{len(found)} nodes are {kind.__name__}s, must be 1")
        following: dict[str, list[str]] = {name: [] for name in nodes}
        leading: dict[str, list[str]] = {name: [] for name in nodes}
        for first, second in edges:
            if first not in nodes or second not in nodes:
                raise NetworkError(f"an edge leads from {first!r} to {second!r}, which are not both nodes")
            following[first].append(second)
            leading[second].append(first)
        for what, neighbours in (("writes to", following), ("reads", leading)):
            for name, others in neighbours.items():
                if len(others) > 1:
                    raise NetworkError(
                        f"node {name!r} ({type(nodes[name]).__name__}) {what} {', '.join(map(repr, others))}: branches "
                        f"and recurrent connections are not imported, only a chain of nodes"
                    )
        order = [ends[self.nir.Input][0]]
        while (others := following[order[-1]]) and len(order) <= len(nodes):
            order += others
        if order[-1] != ends[self.nir.Output][0] or len(order) != len(nodes):
            left = sorted(set(nodes) - set(order)) or [order[-1]]
            raise NetworkError(f"the input does not lead to the output through all nodes: node {left[0]!r}")
        return order

    def _source(self, given: Shape | None) -> Shape:
        found = None
        first = next((self.graph.nodes[name] for name in self.names[1:]), None)
        if first is not None and isinstance(first, self.nir.Conv2d) and first.input_shape is not None:
            height, width = (int(side) for side in np.ravel(first.input_shape))
            found = (int(first.weight.shape[1] * first.groups), height, width)
        else:
            shape = self.graph.nodes[self.names[0]].input_type.get("input")
            sides = [] if shape is None else [int(side) for side in np.ravel(shape)]
            found = (sides[0], sides[1], sides[2]) if len(sides) == 3 else None
        if given is None and found is None:
            raise NetworkError("it does not say the shape of its input: name it as in --input 2x34x34, or --recipe")
        if given is not None and found is not None and given != found:
            raise NetworkError(f"its input is {found}, that of the data {given}")
        shape = given or found
        assert shape is not None
        return shape

    def _neurons(self, name: str, node: Any) -> str:
        """Add the neurons that a node is; return what they become, nothing of another node."""
        nir, meaning = self.nir, self.meaning
        if not isinstance(node, nir.IF | nir.LIF | nir.CubaLIF):
            return ""
        shape = self.assembly.shape
        threshold = channel_values("v_threshold", node.v_threshold, shape)
        if (threshold <= 0).any():
            raise ValueError(f"v_threshold {threshold.min():g} of a channel, must be above 0")
        reset = np.ravel(node.v_reset)
        if (reset != 0).any():
            raise ValueError(f"v_reset is {reset[reset != 0][0]:g}, must be 0: potentials begin there")
        gain = channel_values("r", node.r, shape)
        leak, added, how = 1.0, np.zeros(shape[0]), "no leak, v + r * input in each step"
        if not isinstance(node, nir.IF):
            tau = node.tau if isinstance(node, nir.LIF) else node.tau_mem
            leaks = self._leaks("tau" if isinstance(node, nir.LIF) else "tau_mem", tau, shape)
            if (leaks != leaks[0]).any():
                raise ValueError(f"its neurons leak differently, {leaks.min():g} to {leaks.max():g} a step: all "
                                 f"neurons of a layer have one leak")
            leak = float(leaks[0])
            added = (1 - leak) * channel_values("v_leak", node.v_leak, shape)
            gain = (1 - leak) * gain
            how = f"leak {leak:.6g} a step ({meaning.discretization}, dt {meaning.time_step:g} s)"
        if isinstance(node, nir.CubaLIF):
            kept = self._leaks("tau_syn", node.tau_syn, shape)
            if (kept != 0).any():
                raise ValueError(f"{kept.max():.4g} of its synaptic current is left after a step: a second state of "
                                 f"each neuron, which boards do not have. Only tau_syn = dt (euler) is exact")
            gain = gain * channel_values("w_in", node.w_in, shape)
        neuron = ImportedNeuron(leak=leak, threshold=threshold, strict=meaning.strict, reset=meaning.reset)
        self.assembly.neurons(name, neuron, gain, added)
        return how

    def _leaks(self, name: str, tau: Any, shape: Shape) -> np.ndarray:
        step = self.meaning.time_step
        if step is None:
            raise ValueError("its leak depends on the time step, which NIR files do not say: name it by --dt, as 0.001")
        constants = channel_values(name, tau, shape)
        if (constants <= 0).any():
            raise ValueError(f"{name} is {constants.min():g} s, must be above 0")
        if self.meaning.discretization == "exponential":
            return np.exp(-step / constants)
        leaks = 1 - step / constants
        leaks[np.isclose(leaks, 0, atol=1e-6)] = 0.0
        if (leaks < 0).any():
            raise ValueError(f"{name} is {constants.min():g} s, below the time step of {step:g} s")
        return leaks

    def _linear(self, name: str, node: Any) -> str:
        """Fold a node into the operator; return what it becomes."""
        nir, shape = self.nir, self.assembly.shape
        if isinstance(node, nir.Flatten):
            if int(node.start_dim) not in (0, 1) or int(node.end_dim) not in (-1, 2, 3):
                raise ValueError(f"it flattens dimensions {node.start_dim}..{node.end_dim}, must be all of a map's")
            return self.assembly.flatten()
        if isinstance(node, nir.Conv2d):
            return self.assembly.weights(name, _convolution(node, shape))
        if isinstance(node, nir.Affine | nir.Linear):
            weight = np.asarray(node.weight, np.float64)
            bias = np.asarray(node.bias, np.float64) if isinstance(node, nir.Affine) else np.zeros(len(weight))
            return self.assembly.dense(name, weight, bias)
        if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
            if np.ravel(node.padding).any():
                raise ValueError(f"its padding is {np.ravel(node.padding).tolist()}, must be 0")
            kernel = pair("kernel", node.kernel_size)
            averages = isinstance(node, nir.AvgPool2d)
            factor = 1 / math.prod(kernel) if averages else 1.0
            return self.assembly.fold(window_sums(kernel, one("stride", node.stride), shape, factor))
        if isinstance(node, nir.Scale):
            return self.assembly.fold(scaling(channel_values("scale", node.scale, shape), np.zeros(shape[0]), shape))
        raise ValueError("nodes of this kind have no exact counterpart; known are Conv2d, Affine, Linear, Scale, "
                         "Flatten, SumPool2d, AvgPool2d, IF, LIF and CubaLIF")


def _unreadable(nir: ModuleType, path: Path, error: Exception) -> str:
    """Return why the library stumbles over a file: the first node that it does not read, else what it says."""
    try:
        with nir.serialization.h5py.File(path, "r") as file:
            nodes = nir.serialization.hdf2dict(file["node"]["nodes"])
    except Exception:  # A file without nodes.
        nodes = {}
    for name, node in nodes.items():
        try:
            nir.dict2NIRNode(node)
        except Exception as reason:
            kind = node.get("type") if isinstance(node, dict) else None
            if not (isinstance(kind, str) and hasattr(nir, kind)):
                return f"node {name!r} is of type {kind!r}, which version {nir.__version__} of nir does not know"
            return f"node {name!r} ({kind}): {_named(reason)}"
    return _named(error)


def _named(error: Exception) -> str:
    """Return an error's type, and what it says if it says anything."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _text(node: Any) -> str:
    """Return the kind of a node, and the shape of its weights or of its neurons, or its kernel."""
    kernel = getattr(node, "kernel_size", None)
    if kernel is not None:
        sides = np.ravel(kernel).tolist()
    else:
        sides = np.shape(getattr(node, "weight", getattr(node, "v_threshold", 0)))
    return f"{type(node).__name__} {' x '.join(map(str, sides))}".rstrip()


def _convolution(node: Any, shape: Shape) -> Operator:
    weight = np.asarray(node.weight, np.float64)
    dilation, stride = one("dilation", node.dilation), one("stride", node.stride)
    padding = node.padding.decode() if isinstance(node.padding, bytes) else node.padding
    if isinstance(padding, str):
        if padding == "valid":
            padding = 0
        elif stride == 1 and weight.shape[2] == weight.shape[3] and dilation * (weight.shape[2] - 1) % 2 == 0:
            padding = dilation * (weight.shape[2] - 1) // 2
        else:
            raise ValueError(f"padding 'same' of a kernel {weight.shape[2:]} with stride {stride} is not the same on "
                             f"both sides")
    bias = np.zeros(len(weight)) if node.bias is None else np.asarray(node.bias, np.float64)
    return Operator.convolution(
        weight, np.broadcast_to(bias, (len(weight),)), shape, stride=stride, padding=one("padding", padding, 0),
        groups=one("groups", node.groups), dilation=dilation,
    )
