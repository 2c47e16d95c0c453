"""Trained modules of PyTorch, snnTorch and SpikingJelly become operators and neurons, or are refused by name."""

import math
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import nn

from ..network.checks import NetworkError
from ..network.pool import Pooling
from . import snntorch_modules, spikingjelly_modules
from .assembly import Assembly
from .chain import Chain
from .module_values import Leaf, library, numbers, plain
from .operators import Operator, Shape, one, pair, scaling, window_sums

__all__ = ["Modules", "module_text", "read_modules"]

Modules = nn.Module | Iterable[nn.Module]
LIBRARIES = {"snntorch": snntorch_modules, "spikingjelly": spikingjelly_modules}
"""Readers of each library's modules, by the package that these are of."""
NOTHING = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Identity)


def read_modules(modules: Modules, source: Shape) -> Chain:
    """Return the network that modules are, one called after the other in each time step.

    ``source`` is (channels, height, width) of its input. A NetworkError names the module and why it has no exact
    counterpart.
    """
    assembly, rows, seen = Assembly(source), [], {}
    named = list(_leaves(modules))
    if not named:
        raise NetworkError("there are no modules")
    spikingjelly_modules.check_step_modes(named)
    with torch.no_grad():
        for name, module, _ in named:
            try:
                if id(module) in seen and (neurons := _neurons(module)):
                    raise ValueError(f"it is the same {neurons} as {seen[id(module)]!r}: their potentials are one")
                seen.setdefault(id(module), name)
                _check_hooks(module)
                becomes = _add(assembly, name, module)
            except (ValueError, TypeError, AttributeError) as error:
                raise NetworkError(f"module {name!r} ({type(module).__name__}): {error}") from error
            rows.append((name, _text(module), becomes))
    return assembly.chain(rows)


def module_text(modules: Modules) -> str:
    """Return the libraries that modules are of, with their versions where these are known."""
    names = sorted({library(module) for _, module, _ in _leaves(modules)})
    return ", ".join(f"{name} {version(name)}" for name in names)


def _leaves(modules: Modules, prefix: str = "", within: nn.Module | None = None) -> Iterator[Leaf]:
    """Yield modules that hold no others, in the order in which they are called."""
    if not isinstance(modules, nn.Module):
        children = {str(index): module for index, module in enumerate(modules)}
    elif _sequence(modules):
        _check_hooks(modules)
        children = dict(modules._modules)
    else:
        raise NetworkError(
            f"{type(modules).__name__} is not an nn.Sequential: what its forward does is not known. Name its modules "
            f"in the order in which forward calls them, as [net.conv1, net.lif1, net.fc1, net.lif2]"
        )
    for name, module in children.items():
        if not isinstance(module, nn.Module):
            raise NetworkError(f"{prefix}{name} is a {type(module).__name__}, must be a module")
        if _sequence(module):
            container = module if within is None and library(module) != "torch" else within
            yield from _leaves(module, f"{prefix}{name}.", container)
        else:
            yield f"{prefix}{name}", module, within


def _sequence(module: nn.Module) -> bool:
    """Return whether a module calls the modules that it holds one after the other, and does nothing else."""
    return type(module) is nn.Sequential or (
        library(module) == "spikingjelly" and type(module).__name__ in spikingjelly_modules.CONTAINERS
    )


def _check_hooks(module: nn.Module) -> None:
    if module._forward_hooks or module._forward_pre_hooks:
        raise ValueError("it has hooks, which may change what it does: remove them")


def _neurons(module: nn.Module) -> str:
    reader = LIBRARIES.get(library(module))
    return "neuron" if reader is not None and type(module).__name__ in reader.NEURONS else ""


def _add(assembly: Assembly, name: str, module: nn.Module) -> str:
    """Add a module; return what it becomes."""
    reader = LIBRARIES.get(library(module))
    if reader is not None:
        becomes = reader.add(assembly, name, module)
        if becomes is not None:
            return becomes
    kind = plain(module)
    shape = assembly.shape
    if kind in NOTHING:
        return "nothing, in evaluation"
    if kind is nn.Flatten:
        if module.start_dim != 1 or module.end_dim != -1:
            raise ValueError(f"it flattens dimensions {module.start_dim}..{module.end_dim}, must be 1..-1")
        return assembly.flatten()
    if kind is nn.Conv2d:
        return assembly.weights(name, _convolution(module, shape))
    if kind is nn.Linear:
        weight = numbers(module.weight)
        return assembly.dense(name, weight, np.zeros(len(weight)) if module.bias is None else numbers(module.bias))
    if kind in (nn.BatchNorm1d, nn.BatchNorm2d):
        return assembly.fold(_normalization(module, shape))
    if kind is nn.AvgPool2d:
        return assembly.fold(_average(module, shape))
    if kind is nn.AdaptiveAvgPool2d:
        if pair("output_size", module.output_size) != (1, 1):
            raise ValueError(f"its output_size is {module.output_size}, must be 1")
        return assembly.fold(window_sums((shape[1], shape[2]), 1, shape, 1 / (shape[1] * shape[2])))
    if kind is nn.MaxPool2d:
        return assembly.pool(_maximum(module))
    raise ValueError(
        "modules of this kind have no exact counterpart; known are Conv2d, Linear, BatchNorm1d, BatchNorm2d, "
        "AvgPool2d, AdaptiveAvgPool2d, MaxPool2d of spikes, Flatten, Dropout, "
        + ", ".join(f"{package}'s {', '.join(each.NEURONS)}" for package, each in LIBRARIES.items())
    )


def _convolution(module: Any, shape: Shape) -> Operator:
    weight = numbers(module.weight)
    if module.padding_mode != "zeros":
        raise ValueError(f"its padding_mode is {module.padding_mode!r}, must be 'zeros'")
    stride, dilation = one("stride", module.stride), one("dilation", module.dilation)
    padding = module.padding
    if isinstance(padding, str):
        extent = dilation * (weight.shape[2] - 1)
        if padding == "same" and (stride != 1 or weight.shape[2] != weight.shape[3] or extent % 2):
            raise ValueError(f"padding 'same' of a kernel {weight.shape[2:]} is not the same on both sides")
        padding = extent // 2 if padding == "same" else 0
    bias = np.zeros(len(weight)) if module.bias is None else numbers(module.bias)
    return Operator.convolution(
        weight, bias, shape, stride=stride, padding=one("padding", padding, 0), groups=module.groups, dilation=dilation
    )


def _normalization(module: Any, shape: Shape) -> Operator:
    if module.running_mean is None:
        raise ValueError("it has no running mean and variance: what it does depends on the batch")
    if module.num_features != shape[0]:
        raise ValueError(f"it takes {module.num_features} channels, the map before it is {shape}")
    factor = 1 / np.sqrt(numbers(module.running_var) + module.eps)
    if module.weight is not None:
        factor = factor * numbers(module.weight)
    added = -numbers(module.running_mean) * factor
    return scaling(factor, added if module.bias is None else added + numbers(module.bias), shape)


def _average(module: Any, shape: Shape) -> Operator:
    if one("padding", module.padding, 0) or module.ceil_mode:
        raise ValueError("it pads, or has ceil_mode: its windows must lie within the map")
    kernel = pair("kernel_size", module.kernel_size)
    divisor = module.divisor_override or math.prod(kernel)
    return window_sums(kernel, one("stride", module.stride), shape, 1 / divisor)


def _maximum(module: Any) -> Pooling:
    if module.ceil_mode or module.return_indices or one("dilation", module.dilation) != 1:
        raise ValueError("its ceil_mode, return_indices and dilation must be those by default")
    return Pooling(
        kernel=pair("kernel_size", module.kernel_size), stride=one("stride", module.stride),
        padding=one("padding", module.padding, 0),
    )


def _text(module: nn.Module) -> str:
    weight = getattr(module, "weight", None)
    shape = f" {' x '.join(map(str, weight.shape))}" if isinstance(weight, torch.Tensor) and weight.ndim > 1 else ""
    return f"{library(module)}: {type(module).__name__}{shape}"
