"""The integer model: what every node of an :class:`IntegerNetwork` computes, bit for bit.

This is the specification that the core is compared with. Sums come from floating-point
convolutions, which are exact as long as every partial sum fits the significand; the bound is
checked for each term. Everything after the sums is integer arithmetic. What a node computes stands
in its class; here is the order in which nodes run, and what is kept of a batch.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import Counter

from .checks import NetworkError
from .graph import IntegerNetwork
from .input import INPUT
from .node import NodePlan, Outcome
from .schedule import Schedule
from .tensors import Tensor, torch

__all__ = ["Result", "run"]

BLOCK_ELEMENTS = 1 << 18
"""Values of a map worked on at once: a block should stay in the processor's cache."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a batch of B inputs gives."""

    sums: Tensor
    """int64 (B, classes): the device's sums, without ``logit_offset``."""
    predictions: Tensor
    """int64 (B,): the class with the greatest sum, ``logit_offset`` included."""
    counters: Mapping[str, dict[Counter, Tensor]]
    """For each node int64 (B,): SATURATIONS and SPIKES, with a configuration EVENTS and IDLE.
    Nothing without ``counters``."""
    synaptic_operations: Mapping[str, Tensor]
    """For each node int64 (B,): events times the output channels each one is added to. Nothing
    without ``counters``."""
    term_operations: Mapping[str, tuple[Tensor, ...]]
    """The same of each term of a node that sums up. Nothing without ``counters``."""
    spikes: Mapping[str, Tensor]
    """For each node that makes spikes uint8 (B, steps, channels, height, width). Nothing without
    ``trace``."""
    streams: Mapping[str, Tensor]
    """For each node that makes a stream int32 (B, steps, channels, height, width). Nothing without
    ``trace``."""
    states: Mapping[str, Tensor]
    """For each node with neurons int64 (B, channels, height, width): codes after the last step.
    Nothing without ``trace``."""


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
    and operations of a node that replays its sum. EVENTS and IDLE need ``config``. Without
    ``counters`` nothing is counted. ``trace`` keeps spikes, streams and states. Raises a
    NetworkError if shape, type or values of the inputs are wrong.
    """
    inputs = _check(network, inputs)
    maps, steps = network.maps(), network.input.steps
    block = max(1, BLOCK_ELEMENTS // max(steps * math.prod(each.shape) for each in maps.values()))
    plans = {node.name: node.plan(maps, steps) for node in network.nodes}
    last = {source: node.name for node in network.nodes for source in node.sources}
    parts = [
        _run_block(network, plans, last, inputs[start:start + block], schedule, config, counters, trace)
        for start in range(0, len(inputs), block)
    ]

    def join(kept: dict[str, str]) -> dict[str, Tensor]:
        """Return one tensor of each node's parts; ``kept`` says by what name of an outcome."""
        return {
            name: torch.cat([getattr(part[name], value) for part in parts])
            for name, value in kept.items()
        }

    heads = [node.name for node in network.heads]
    sums = sum(join(dict.fromkeys(heads, "logits")).values(), torch.zeros((), dtype=torch.int64))
    total = sums + torch.from_numpy(network.logit_offset.astype(np.int64))
    made = {name: each for name, each in maps.items() if name != INPUT} if trace else {}
    with_state = [name for name in made if parts[0][name].state is not None]
    return Result(
        sums=sums,
        predictions=total.argmax(1),
        counters={
            name: {
                key: torch.cat([part[name].counters[key] for part in parts])
                for key in parts[0][name].counters
            }
            for name in network.names
        } if counters else {},
        synaptic_operations=join(dict.fromkeys(network.names if counters else (), "operations")),
        term_operations={
            name: tuple(map(torch.cat, zip(*(part[name].term_operations for part in parts), strict=True)))
            for name in (network.names if counters else ())
        },
        spikes=join({name: "output" for name, each in made.items() if not each.signed}),
        streams=join({name: "output" for name, each in made.items() if each.signed}),
        states={name: state.to(torch.int64) for name, state in join(dict.fromkeys(with_state, "state")).items()},
    )


def _check(network: IntegerNetwork, inputs) -> Tensor:
    """Return ``inputs`` as uint8 (B, steps or 1, channels, height, width)."""
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
    inputs = inputs.to(torch.uint8)
    return inputs[:, None] if form.direct else inputs


def _run_block(
    network: IntegerNetwork,
    plans: dict[str, NodePlan],
    last: dict[str, str],
    inputs: Tensor,
    schedule: Schedule,
    config: CoreConfig | None,
    counters: bool,
    trace: bool,
) -> dict[str, Outcome]:
    """Return every node's outcome for some inputs; ``last`` says who reads a map last."""
    values, outcomes = {INPUT: inputs}, {}
    for node in network.nodes:
        outcome = plans[node.name].run(values, schedule, config, counters)
        if outcome.output is not None:
            values[node.name] = outcome.output
        for source in node.sources:
            if last[source] == node.name:
                del values[source]
        outcomes[node.name] = outcome if trace else _without_maps(outcome)
    return outcomes


def _without_maps(outcome: Outcome) -> Outcome:
    return Outcome(logits=outcome.logits, counters=outcome.counters, operations=outcome.operations,
                   term_operations=outcome.term_operations)
