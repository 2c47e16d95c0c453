"""The leaky neuron over all its steps as one node of the autograd graph.

It gives what a loop over :meth:`.LIF.step` gives, spikes and gradients, in less time and memory:
only the potentials are kept for the backward pass, and on a CPU the elements are worked on in
blocks that stay in its cache.
"""

from dataclasses import dataclass

import torch
from spikeplane_hw.neuron import Reset
from torch import Tensor

from .quantizers import PotentialQuantizer

__all__ = ["Dynamics", "channel_axes", "firing_rate", "leaky_response", "surrogate"]

BLOCK = 1 << 15
"""Elements of a block on a CPU: the tensors of a step then fit its second-level cache."""


@dataclass(frozen=True, kw_only=True)
class Dynamics:
    """What decides a leaky neuron's spikes, beside its currents."""

    steps: int
    leak: float
    threshold: float
    reset: Reset
    stores: bool
    """Whether a potential is carried into the next step."""
    quantizer: PotentialQuantizer | None
    """What it goes through; None keeps it as it is."""
    limit: float | None
    """Greatest absolute potential; None for no limit."""


def surrogate(potential: Tensor) -> Tensor:
    """Return the gradient of a spike, a triangle around 1: ``max(0, 1 - |u - 1|)``."""
    return torch.minimum(potential, 2 - potential).clamp_(min=0)


def leaky_response(
    currents: Tensor, dynamics: Dynamics, potentials: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Return spikes, and if asked potentials before the reset, both (steps, ...) with gradients.

    ``currents`` are (steps, ...), or (1, ...) to be replayed. Maps (steps, batch, channels, height,
    width) lie in memory with their channels last.
    """
    channels, last = channel_axes(currents)
    moved = currents.movedim(channels, last)
    if torch.compiler.is_compiling():
        # The compiler lays out what it keeps in the order of the axes; four, it takes for an image's.
        flat = _unrolled(moved.flatten(1), dynamics, potentials)
        spikes, found = (None if each is None else each.unflatten(1, moved.shape[1:]) for each in flat)
        assert spikes is not None
        return spikes.movedim(last, channels), None if found is None else found.movedim(last, channels)
    if not potentials:
        return _Leaky.apply(moved, dynamics, False).movedim(last, channels), None
    spikes, found = _Leaky.apply(moved, dynamics, True)
    return spikes.movedim(last, channels), found.movedim(last, channels)


def channel_axes(maps: Tensor) -> tuple[int, int]:
    """Return the axis of channels, and the one where they are fastest to convolve."""
    return (2, 4) if maps.ndim == 5 else (0, 0)


def firing_rate(spikes: Tensor) -> Tensor:
    """Return the mean of ``spikes``, a scalar."""
    return _FiringRate.apply(spikes)


class _FiringRate(torch.autograd.Function):
    """The mean; its gradient lies in memory as the spikes do, so that adding another's is fast."""

    @staticmethod
    def forward(ctx, spikes: Tensor) -> Tensor:
        ctx.size, ctx.stride = spikes.size(), spikes.stride()
        return spikes.mean()

    @staticmethod
    def backward(ctx, *gradients: Tensor):
        (gradient,) = gradients
        return gradient.new_empty_strided(ctx.size, ctx.stride).copy_(gradient / ctx.size.numel())


def _unrolled(currents: Tensor, dynamics: Dynamics, shown: bool) -> tuple[Tensor, Tensor | None]:
    """Return what :class:`_Leaky` returns, in operations that a compiler fuses with those around them."""
    potentials, spikes, state = [], [], None
    for step in range(dynamics.steps):
        potential = currents[step if len(currents) > 1 else 0]
        if state is not None:
            potential = potential + dynamics.leak * state
        if dynamics.limit is not None:
            potential = potential.clamp(-dynamics.limit, dynamics.limit)
        fired = (potential > dynamics.threshold).to(potential.dtype)
        spike = _with_slope(fired, potential, surrogate(potential))
        potentials.append(potential)
        spikes.append(spike)
        if dynamics.stores:
            state = _kept(dynamics.reset, potential, spike)
            if dynamics.quantizer is not None:
                levels = dynamics.quantizer.levels_of(state.detach())
                state = _with_slope(levels, state, dynamics.quantizer.slope(state.detach()))
    return torch.stack(spikes), torch.stack(potentials) if shown else None


def _with_slope(exact: Tensor, smooth: Tensor, slope: Tensor) -> Tensor:
    """Return ``exact``, whose gradient with respect to ``smooth`` is ``slope``."""
    line = smooth * slope.detach()
    return exact.detach() + (line - line.detach())


class _Leaky(torch.autograd.Function):
    @staticmethod
    def forward(ctx, currents: Tensor, dynamics: Dynamics, shown: bool) -> Tensor | tuple[Tensor, Tensor]:
        spikes = currents.new_empty((dynamics.steps, *currents.shape[1:]))
        changed = dynamics.stores or dynamics.limit is not None or len(currents) < dynamics.steps
        # An output of its own must not lie where the input lies.
        potentials = torch.empty_like(spikes) if changed or shown else currents.contiguous()
        flat = currents.reshape(len(currents), -1), potentials.flatten(1), spikes.flatten(1)
        for block in _blocks(flat[0]):
            _forward(dynamics, *(tensor[:, block] for tensor in flat))
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(potentials, spikes)
        ctx.dynamics, ctx.replayed = dynamics, len(currents) < dynamics.steps
        return (spikes, potentials) if shown else spikes

    @staticmethod
    def backward(ctx, *gradients: Tensor | None):
        potentials, spikes = ctx.saved_tensors
        gradient, *more = (
            None if found is None else found.reshape(ctx.dynamics.steps, -1) for found in gradients
        )
        direct = more[0] if more else None
        if gradient is None:
            gradient = torch.zeros_like(spikes).flatten(1)
        count = 1 if ctx.replayed else ctx.dynamics.steps
        result = potentials.new_empty((count, *potentials.shape[1:]))
        flat = potentials.flatten(1), spikes.flatten(1), gradient, result.flatten(1)
        for block in _blocks(gradient):
            own = None if direct is None else direct[:, block]
            _backward(ctx.dynamics, *(tensor[:, block] for tensor in flat), direct=own)
        return result, None, None


def _blocks(flat: Tensor) -> list[slice]:
    size = BLOCK if flat.device.type == "cpu" else max(flat.shape[1], 1)
    return [slice(start, start + size) for start in range(0, flat.shape[1], size)]


def _forward(dynamics: Dynamics, currents: Tensor, potentials: Tensor, spikes: Tensor) -> None:
    """Write potentials, before the reset, and spikes; all (steps or 1, elements)."""
    state = None
    for step in range(dynamics.steps):
        current = currents[step if len(currents) > 1 else 0]
        potential, spike = potentials[step], spikes[step]
        if state is None:
            if potential.data_ptr() != current.data_ptr():
                potential.copy_(current)
        else:
            torch.add(current, state, alpha=dynamics.leak, out=potential)
        if dynamics.limit is not None:
            potential.clamp_(-dynamics.limit, dynamics.limit)
        torch.gt(potential, dynamics.threshold, out=spike)
        if dynamics.stores and step < dynamics.steps - 1:
            state = _kept(dynamics.reset, potential, spike)
            if dynamics.quantizer is not None:
                state = dynamics.quantizer.levels_of(state)


def _kept(reset: Reset, potential: Tensor, spike: Tensor) -> Tensor:
    """Return the potential after the reset."""
    if reset is Reset.HARD:
        return torch.addcmul(potential, potential, spike, value=-1)
    return potential - spike if reset is Reset.SOFT else potential


def _backward(
    dynamics: Dynamics, potentials: Tensor, spikes: Tensor, gradient: Tensor, result: Tensor,
    direct: Tensor | None = None,
) -> None:
    """Write the gradient of the currents, (steps, elements), or (1, elements) if replayed.

    ``gradient`` is that of the spikes, ``direct`` that of the potentials before the reset, if any.
    """
    carried = None
    for step in reversed(range(dynamics.steps)):
        potential, spike = potentials[step], spikes[step]
        of_spike = gradient[step]
        if carried is None:
            of_potential = of_spike * surrogate(potential)
        else:
            if dynamics.quantizer is not None:
                kept = _kept(dynamics.reset, potential, spike)
                carried *= dynamics.quantizer.slope(kept)
            if dynamics.reset is Reset.HARD:
                of_spike = torch.addcmul(of_spike, potential, carried, value=-1)
                carried.addcmul_(carried, spike, value=-1)
            elif dynamics.reset is Reset.SOFT:
                of_spike = of_spike - carried
            of_potential = carried.addcmul_(of_spike, surrogate(potential))
        if direct is not None:
            of_potential += direct[step]
        if len(result) > 1 or step == dynamics.steps - 1:
            result[step if len(result) > 1 else 0] = of_potential
        else:
            result[0] += of_potential
        carried = of_potential.mul_(dynamics.leak) if dynamics.stores else None
