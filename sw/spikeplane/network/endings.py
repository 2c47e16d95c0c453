"""Endings: what becomes of a layer's sum."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

from spikeplane_hw.descriptor import POOL_LIMIT
from spikeplane_hw.memory_map import Counter
from spikeplane_hw.neuron import FRACTION_BITS, STATE_WIDTH, Levels, Neuron, Reset, quantizer_table, saturate

from ..wording import potential_text
from .checks import NetworkError
from .lowered import CoreLayer, UnsupportedError
from .maps import STREAM_BITS, MapFormat
from .node import Outcome
from .pool import Pooling
from .tensors import Tensor, torch
from .term import Scale

__all__ = ["Digit", "Ending", "Fire", "Logits", "Store"]


class Ending(ABC):
    """What becomes of a layer's sum. A class holds all that is known of its kind."""

    kind: ClassVar[str]
    """The name of the class in files."""
    replays: ClassVar[bool] = True
    """Whether the sum of an image is summed up once and given to it in every step."""

    @property
    @abstractmethod
    def scale(self) -> Scale:
        """What one unit of the sum is worth."""

    @property
    def potential_bits(self) -> int:
        """Bits of a potential that is stored for each element of the sum."""
        return 0

    @abstractmethod
    def output(self, shape: tuple[int, int, int]) -> MapFormat | None:
        """Return the map that a sum of ``shape`` becomes; None if it is added to the logits."""

    @abstractmethod
    def verify(self, where: str, shape: tuple[int, int, int], taps: list[tuple[int, ...]]) -> None:
        """Raise a NetworkError if a rule is broken; ``taps`` are those of the terms."""

    @abstractmethod
    def end(self, x: Tensor, steps: int, counted: bool) -> Outcome:
        """Return what becomes of the exact sums ``x``, (inputs, steps or 1, channels, height, width)."""

    @abstractmethod
    def lower(self, where: str, layer: CoreLayer, shape: tuple[int, int, int]) -> CoreLayer:
        """Return ``layer``, a sum of ``shape``, with this ending; an UnsupportedError says why no core runs it."""

    @property
    @abstractmethod
    def text(self) -> str:
        """What it is, in words."""


def _over_steps(x: Tensor, steps: int) -> Tensor:
    return x if x.shape[1] == steps else x.expand(-1, steps, -1, -1, -1)


@cache
def _table(bits: int, levels: Levels) -> Tensor:
    """Return a quantizer table, int32."""
    return torch.from_numpy(quantizer_table(bits, levels)).to(torch.int32)


@dataclass(frozen=True, kw_only=True)
class Fire(Ending):
    """Neurons: the sum is their current. With ``pooling`` spikes are OR-ed on the way out.

    The counter SPIKES counts firing neurons, ahead of the pool.
    """

    kind = "fire"

    neuron: Neuron
    pooling: Pooling | None = None

    @property
    def scale(self) -> Scale:
        return Scale(fraction_bits=FRACTION_BITS)

    @property
    def potential_bits(self) -> int:
        return self.neuron.state_bits

    def output(self, shape: tuple[int, int, int]) -> MapFormat:
        channels, height, width = shape if self.pooling is None else self.pooling.shape(shape)
        return MapFormat(channels=channels, height=height, width=width)

    def verify(self, where: str, shape: tuple[int, int, int], taps: list[tuple[int, ...]]) -> None:
        if any(len(each) > 1 for each in taps) and (
            self.neuron.state_bits or self.neuron.reset is not Reset.NONE
        ):
            raise NetworkError(f"{where}: taps need neurons without state and reset")
        if self.pooling is not None:
            self.pooling.verify(where, shape)

    def end(self, x: Tensor, steps: int, counted: bool) -> Outcome:
        current = saturate(x).to(torch.int32)
        clipped = _over_steps(current != x, steps) if counted else None
        current = _over_steps(current, steps)
        table = _table(self.neuron.state_bits, self.neuron.levels) if self.neuron.quantized else None
        spikes = torch.empty(current.shape, dtype=torch.uint8)
        saturations = torch.zeros(len(x), dtype=torch.int64)
        state = torch.zeros_like(current[:, 0])
        for step in range(steps):
            fired, state, saturated = self.neuron.step(current[:, step], state, table)
            state = torch.as_tensor(state).to(torch.int32)
            spikes[:, step] = fired
            if clipped is not None:
                saturations += (saturated | clipped[:, step]).flatten(1).sum(1)
        counters = {
            Counter.SATURATIONS: saturations, Counter.SPIKES: spikes.flatten(1).sum(1, dtype=torch.int64),
        } if counted else {}
        pooled = spikes if self.pooling is None else self.pooling.pool(spikes)
        return Outcome(output=pooled, state=state, counters=counters)

    def lower(self, where: str, layer: CoreLayer, shape: tuple[int, int, int]) -> CoreLayer:
        if self.pooling is None:
            return replace(layer, neuron=self.neuron)
        if not self.pooling.side_by_side(shape) or max(self.pooling.kernel) > POOL_LIMIT:
            height, width = self.pooling.kernel
            raise UnsupportedError(
                f"{where}: it pools {height}x{width} spikes on the way out with stride {self.pooling.stride} and "
                f"padding {self.pooling.padding}; the core's windows there lie side by side, without padding, and have "
                f"at most {POOL_LIMIT} pixels a side: make the pool a node of its own (OrPool)"
            )
        return replace(layer, neuron=self.neuron, pool=self.pooling.kernel)

    @property
    def text(self) -> str:
        pooled = "" if self.pooling is None else ", OR-pool"
        return potential_text(self.neuron.state_bits) + pooled


STORING = Neuron(fire_above=(1 << (STATE_WIDTH - 1)) - 1, reset=Reset.NONE, state_bits=STATE_WIDTH, leak=0.0)
"""What stores its current on the core: it never fires, and forgets what it held."""
STATELESS = Neuron(reset=Reset.NONE, state_bits=0)
"""What keeps nothing of its current on the core, of which a digit is what spikes."""


@dataclass(frozen=True, kw_only=True)
class Store(Ending):
    """A stream: the sum itself, STREAM_BITS signed bits, saturated."""

    kind = "store"
    replays = False

    fraction_bits: int
    """1.0 is ``2**fraction_bits``."""

    @property
    def scale(self) -> Scale:
        return Scale(fraction_bits=self.fraction_bits)

    def output(self, shape: tuple[int, int, int]) -> MapFormat:
        channels, height, width = shape
        return MapFormat(channels=channels, height=height, width=width, bits=STREAM_BITS,
                         fraction_bits=self.fraction_bits)

    def verify(self, where: str, shape: tuple[int, int, int], taps: list[tuple[int, ...]]) -> None:
        if not 0 <= self.fraction_bits < STREAM_BITS:
            raise NetworkError(f"{where}: fraction_bits is {self.fraction_bits}, must be in 0..{STREAM_BITS - 1}")

    def end(self, x: Tensor, steps: int, counted: bool) -> Outcome:
        assert STREAM_BITS == STATE_WIDTH, "streams saturate as currents do"
        stream = saturate(x).to(torch.int32)
        counters = {}
        if counted:
            counters = {
                Counter.SATURATIONS: _over_steps(stream != x, steps).flatten(1).sum(1),
                Counter.SPIKES: torch.zeros(len(x), dtype=torch.int64),
            }
        return Outcome(output=_over_steps(stream, steps), counters=counters)

    def lower(self, where: str, layer: CoreLayer, shape: tuple[int, int, int]) -> CoreLayer:
        return replace(layer, neuron=STORING, stores=True)

    @property
    def text(self) -> str:
        return f"{STREAM_BITS}-bit stream, {self.fraction_bits} fraction bits"


@dataclass(frozen=True, kw_only=True)
class Digit(Ending):
    """A binary digit of the sum as spikes: of the STREAM_BITS bits in two's complement that it saturates to.

    The digits of a stream are the maps that weights over it read, see :func:`.digits.weighted_stream`.
    """

    kind = "digit"

    digit: int
    """It counts ``2**digit``, the last one ``-2**digit``."""
    fraction_bits: int
    """As of :class:`Store`."""

    @property
    def scale(self) -> Scale:
        return Scale(fraction_bits=self.fraction_bits)

    def output(self, shape: tuple[int, int, int]) -> MapFormat:
        channels, height, width = shape
        return MapFormat(channels=channels, height=height, width=width)

    def verify(self, where: str, shape: tuple[int, int, int], taps: list[tuple[int, ...]]) -> None:
        for name, value in (("digit", self.digit), ("fraction_bits", self.fraction_bits)):
            if not 0 <= value < STREAM_BITS:
                raise NetworkError(f"{where}: {name} is {value}, must be in 0..{STREAM_BITS - 1}")

    def end(self, x: Tensor, steps: int, counted: bool) -> Outcome:
        current = saturate(x).to(torch.int32)
        spikes = _over_steps((current >> self.digit & 1).to(torch.uint8), steps)
        counters = {
            Counter.SATURATIONS: _over_steps(current != x, steps).flatten(1).sum(1),
            Counter.SPIKES: spikes.flatten(1).sum(1, dtype=torch.int64),
        } if counted else {}
        return Outcome(output=spikes, counters=counters)

    def lower(self, where: str, layer: CoreLayer, shape: tuple[int, int, int]) -> CoreLayer:
        return replace(layer, neuron=STATELESS, digit=self.digit)

    @property
    def text(self) -> str:
        return f"digit {self.digit}"


@dataclass(frozen=True, kw_only=True)
class Logits(Ending):
    """A classifier: sums, times a power of two, are added to the logits, over all pixels and steps."""

    kind = "logits"

    exponent: int = 0
    """Of the power of two."""

    @property
    def scale(self) -> Scale:
        return Scale(fraction_bits=None)

    def output(self, shape: tuple[int, int, int]) -> None:
        return None

    def verify(self, where: str, shape: tuple[int, int, int], taps: list[tuple[int, ...]]) -> None:
        if not 0 <= self.exponent < STREAM_BITS:
            raise NetworkError(f"{where}: exponent is {self.exponent}, must be in 0..{STREAM_BITS - 1}")
        if any(each[-1] for each in taps):
            raise NetworkError(f"{where}: a classifier has no taps: its sums count alike in every step")

    def end(self, x: Tensor, steps: int, counted: bool) -> Outcome:
        nothing = torch.zeros(len(x), dtype=torch.int64)
        return Outcome(
            logits=x.to(torch.int64).sum((1, 3, 4)) << self.exponent,
            counters={Counter.SATURATIONS: nothing, Counter.SPIKES: nothing} if counted else {},
        )

    def lower(self, where: str, layer: CoreLayer, shape: tuple[int, int, int]) -> CoreLayer:
        return replace(layer, exponent=self.exponent)

    @property
    def text(self) -> str:
        return f"2**{self.exponent} times into logits" if self.exponent else "logits"
