"""The integer model: what every layer of an :class:`IntegerNetwork` computes, bit for bit.

This is the specification that the core is compared with. Sums come from floating-point
convolutions, which are exact as long as every partial sum fits the significand; the bound is
checked for each layer. Everything after the sums is integer arithmetic of
:class:`spikeplane_hw.neuron.Neuron`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import Counter
from spikeplane_hw.neuron import Neuron
from torch import Tensor
from torch.nn import functional

from .counting import count_reads, count_windows
from .graph import IntegerNetwork, Layer, NetworkError, Schedule

__all__ = ["Result", "run"]

BLOCK_ELEMENTS = 1 << 18
"""Neuron updates of a layer worked on at once: a block should stay in the processor's cache."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a batch of B inputs gives."""

    logits: Tensor
    """int64 (B, classes): the device's sums, without ``logit_offset``."""
    predictions: Tensor
    """int64 (B,): the class with the greatest logit, ``logit_offset`` included."""
    counters: list[dict[Counter, Tensor]]
    """For each layer int64 (B,): SATURATIONS and SPIKES, with a configuration EVENTS and IDLE.
    No layers without ``counters``."""
    synaptic_operations: list[Tensor]
    """For each layer int64 (B,): events times the output channels each one is added to. No layers
    without ``counters``."""
    spikes: list[Tensor]
    """For each layer uint8 (B, steps, channels, height, width), empty for the classifier. No
    layers without ``trace``."""
    states: list[Tensor]
    """For each layer int64 (B, channels, height, width): codes after the last step. No layers
    without ``trace``."""


def run(
    network: IntegerNetwork,
    inputs,
    *,
    schedule: Schedule = Schedule.REGISTERS,
    config: CoreConfig | None = None,
    counters: bool = True,
    trace: bool = False,
) -> Result:
    """Run ``network`` on a batch.

    ``inputs`` is an array or tensor of bool or unsigned integers, (B, steps, channels, height,
    width) or, direct-coded, (B, channels, height, width). ``schedule`` changes only EVENTS, IDLE
    and operations of a layer that replays its sum. EVENTS and IDLE need ``config``. Without
    ``counters`` nothing is counted. ``trace`` keeps spikes and states. Raises a NetworkError if
    shape, type or values of the inputs are wrong.
    """
    inputs = _check(network, inputs)
    largest = max(_elements(network))
    block = max(1, BLOCK_ELEMENTS // largest)
    plans = [_Plan(network, index) for index in range(len(network.layers))]
    parts = [
        _run_block(plans, inputs[start:start + block], schedule, config, counters, trace)
        for start in range(0, len(inputs), block)
    ]
    logits = torch.cat([part["logits"][0] for part in parts])

    def join(name: str) -> list[Tensor]:
        return [torch.cat(values) for values in zip(*(p[name] for p in parts), strict=True)]

    total = logits + torch.from_numpy(network.logit_offset.astype(np.int64))
    return Result(
        logits=logits,
        predictions=total.argmax(1),
        counters=[
            {key: torch.cat([count[key] for count in counts]) for key in counts[0]}
            for counts in zip(*(part["counters"] for part in parts), strict=True)
        ],
        synaptic_operations=join("operations"),
        spikes=join("spikes"),
        states=join("states"),
    )


def _elements(network: IntegerNetwork) -> list[int]:
    return [network.input.steps * c * h * w for c, h, w in network.shapes()]


def _check(network: IntegerNetwork, inputs) -> Tensor:
    form = network.input
    inputs = torch.as_tensor(inputs)
    if tuple(inputs.shape[1:]) != form.shape or not len(inputs):
        shape = ", ".join(map(str, form.shape))
        raise NetworkError(f"inputs have shape {tuple(inputs.shape)}, must be (batch, {shape})")
    if inputs.is_floating_point() or inputs.is_complex():
        raise NetworkError(f"inputs must be integers or booleans, not {inputs.dtype}")
    limit = (1 << form.bits) - 1
    inputs = inputs.to(torch.uint8) if inputs.dtype is torch.bool else inputs
    low, high = int(inputs.min()), int(inputs.max())
    if low < 0 or high > limit:
        raise NetworkError(f"inputs have the value {low if low < 0 else high}, limit 0..{limit}")
    return inputs.to(torch.uint8)


class _Plan:
    """A layer with its tensors, in the narrowest types in which every step is exact."""

    def __init__(self, network: IntegerNetwork, index: int):
        layer = network.layers[index]
        self.layer = layer
        self.replay = index == 0 and network.input.direct
        self.input_bits = (network.input.bits if index == 0 else 1) + layer.taps[-1]
        self.steps = network.input.steps
        codes = layer.weight.astype(np.int64)
        bound = np.abs(codes).sum((1, 2, 3)) * ((1 << self.input_bits) - 1)
        if bound.max() >= 1 << 53:
            raise NetworkError(f"layer {layer.name!r}: sums up to {bound.max()}, limit 2**53")
        self.float = torch.float32 if bound.max() < 1 << 24 else torch.float64
        self.full = layer.fills(*network.shapes()[index][1:])
        self.weight = torch.from_numpy(codes).to(self.float)
        if layer.neuron is None:
            return
        reach = bound * np.abs(layer.affine[0]) + np.abs(layer.affine[1])
        self.integer = torch.int32 if reach.max() < 1 << 31 else torch.int64
        self.multiplier, self.offset = (
            torch.from_numpy(values).to(self.integer).view(-1, 1, 1) for values in layer.affine
        )
        self.table = (
            torch.from_numpy(layer.neuron.table).to(torch.int32) if layer.neuron.quantized else None
        )

    def sums(self, values: Tensor) -> Tensor:
        """Return the exact weighted sums of (inputs, channels, height, width), floating point."""
        values = values.to(self.float)
        if self.full:
            return (values.flatten(1) @ self.weight.flatten(1).T)[:, :, None, None]
        if self.layer.pool:
            weight = torch.ones(len(self.weight), 1, *self.weight.shape[2:], dtype=self.float)
            return functional.conv2d(
                values, weight, None, self.layer.stride, self.layer.padding, groups=len(weight)
            )
        return functional.conv2d(values, self.weight, None, self.layer.stride, self.layer.padding)


def _run_block(plans, values, schedule, config, counters, trace) -> dict[str, list]:
    """Run some inputs; ``values`` is (B, steps, ...), or (B, ...) where the sum is replayed."""
    out: dict = {"counters": [], "operations": [], "spikes": [], "states": []}
    batch = len(values)
    for plan in plans:
        windows = values if plan.replay else _traces(values, plan.layer).flatten(0, 1)
        sums = plan.sums(windows)
        counts, operations = {}, None
        if counters:
            # With the schedule STORED a replayed sum is accumulated again in every outer step.
            repeats = plan.steps if plan.replay and schedule is Schedule.STORED else 1
            counts, operations = _count(plan, windows, batch, repeats, config)
        if plan.layer.neuron is None:
            logits = sums.to(torch.int64).sum((2, 3)).view(batch, plan.steps, -1).sum(1)
            out["logits"] = [logits]
            spikes = torch.zeros(batch, plan.steps, 0, 1, 1, dtype=torch.uint8)
            state = torch.zeros(batch, 0, 1, 1, dtype=torch.int64)
            saturations = fired = torch.zeros(batch, dtype=torch.int64)
        else:
            spikes, state, saturations = _update(plan, plan.layer.neuron, sums, batch, counters)
            fired = spikes.flatten(1).sum(1, dtype=torch.int64) if counters else None
        if counters:
            counts |= {Counter.SATURATIONS: saturations, Counter.SPIKES: fired}
            out["counters"].append(counts)
            out["operations"].append(operations)
        if trace:
            out["spikes"].append(spikes)
            out["states"].append(state.to(torch.int64))
        values = spikes
    return out


def _traces(spikes: Tensor, layer: Layer) -> Tensor:
    """Return what a memory-free neuron sums up: the spikes of the last steps as digits of a number."""
    if len(layer.taps) == 1:
        return spikes
    traces = torch.zeros_like(spikes)
    for delay, weight in enumerate(layer.tap_weights[:spikes.shape[1]]):
        traces[:, delay:] += spikes[:, :spikes.shape[1] - delay] * weight
    return traces


def _count(plan: _Plan, windows: Tensor, batch: int, repeats: int, config: CoreConfig | None):
    planes = [windows >> bit & 1 for bit in range(plan.input_bits)]
    if config is None:
        layer = plan.layer
        active = torch.stack([plane.sum(1, keepdim=True) for plane in planes]).sum(0)
        reads = count_windows(active, layer.weight.shape[2:], layer.stride, layer.padding)
        each = reads * layer.weight_bits * len(plan.weight) * repeats
        return {}, each.view(batch, -1).sum(1)
    events, idle, operations = (
        (value * repeats).view(batch, -1).sum(1)
        for value in count_reads(planes, plan.layer, config)
    )
    return {Counter.EVENTS: events, Counter.IDLE: idle}, operations


def _update(plan: _Plan, neuron: Neuron, sums: Tensor, batch: int, counters: bool):
    """Return (spikes, final state, saturated updates) of a layer's neurons."""
    x, clipped = neuron.affine(sums.to(plan.integer), plan.multiplier, plan.offset)
    x = x.to(torch.int32)
    if plan.replay:
        x = x[:, None].expand(-1, plan.steps, -1, -1, -1)
        clipped = clipped[:, None].expand_as(x)
    else:
        x = x.view(batch, plan.steps, *x.shape[1:])
        clipped = clipped.view_as(x)
    spikes = torch.empty(x.shape, dtype=torch.uint8)
    saturations = torch.zeros(batch, dtype=torch.int64)
    state = torch.zeros_like(x[:, 0])
    for step in range(plan.steps):
        fired, state, saturated = neuron.step(x[:, step], state, plan.table)
        state = torch.as_tensor(state).to(torch.int32)
        spikes[:, step] = fired
        if counters:
            saturations += (saturated | clipped[:, step]).flatten(1).sum(1)
    return spikes, state, saturations
