"""What a class of spiking neurons gives: options, training steps, integers, and figures.

A new kind of neuron is a subclass of :class:`SpikingNeurons` and a name for it in
:data:`spikeplane.training.net.neurons.NEURONS`; nothing else asks which kind a layer has.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Self

from spikeplane_hw.neuron import FRACTION_BITS, STATE_WIDTH, Neuron
from torch import Tensor, nn

from ...wording import potential_text

__all__ = ["LIMIT", "SpikingNeurons"]

LIMIT = 2.0 ** (STATE_WIDTH - 1 - FRACTION_BITS)
"""The core's potentials saturate here, in units of the threshold."""


class SpikingNeurons(nn.Module):
    """The neurons of a layer. Potentials and currents are in units of the threshold 1.0."""

    options: ClassVar[type]
    """A dataclass of what recipes set of such neurons; all of its fields have defaults."""
    replays: ClassVar[bool] = True
    """Whether the neurons take the one current of an image for all steps."""

    def __init__(self):
        super().__init__()
        self.records = False
        """Whether the next forward pass keeps its potentials in :attr:`recorded`."""
        self.recorded: Tensor | None = None
        """Potentials before the reset (steps, ...), of the last pass; None where not recorded."""

    @classmethod
    def create(cls, options: Any) -> Self:
        """Return neurons with these ``options``; a ValueError says what is wrong with them."""
        raise NotImplementedError(f"{cls.__name__} does not say how it is created from {options}")

    @classmethod
    def float32(cls, options: Any) -> Any:
        """Return the options of the twin without quantization; without any to leave out, the same."""
        return options

    def mix(self, sums: Tensor) -> Tensor:
        """Return what enters the normalization for ``sums``, (steps, ...): linear, and causal in steps.

        Neurons with a potential take the sums as they are: it makes them count in later steps.
        """
        return sums

    def respond(self, currents: Tensor, steps: int, potentials: bool) -> tuple[Tensor, Tensor | None]:
        """Return spikes, 0.0 or 1.0, and potentials before the reset, both (steps, ...).

        ``currents`` are (steps, ...), or (1, ...) to be replayed. Potentials are those that the
        threshold is compared with, with gradients; None unless ``potentials``.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how its neurons respond")

    def forward(self, currents: Tensor, steps: int) -> Tensor:
        """Return spikes (steps, ...) of ``currents``, (steps, ...), or (1, ...) to be replayed."""
        spikes, self.recorded = self.respond(currents, steps, self.records)
        return spikes

    def integers(self) -> tuple[Neuron, tuple[int, ...]]:
        """Return the core's neuron and the exponents of its taps, (0,) without taps.

        A layer's taps are described in :class:`spikeplane.network.layer.Layer`; the neuron's shift
        is chosen when the network is exported.
        """
        raise NotImplementedError(f"{type(self).__name__} has no integers")

    @property
    def stored_bits(self) -> int:
        """Bits of a potential that is kept from step to step; 0 where none is."""
        return self.integers()[0].state_bits

    @property
    def text(self) -> str:
        """The neurons in a few words, for `spikeplane info`."""
        return potential_text(self.stored_bits)

    def trace(self, currents: Tensor, steps: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield for each step the potentials before the reset, and the stored ones, None if none are.

        ``currents`` are as in :meth:`forward`. Stored potentials are in units of the threshold.
        """
        _, potentials = self.respond(currents, steps, True)
        assert potentials is not None
        for potential in potentials:
            yield potential, None
