"""The window term: static weights over a map; convolutions, grouped ones, dense layers."""

from dataclasses import dataclass, replace

import numpy as np
from spikeplane_hw.config import CoreConfig

from .checks import NetworkError
from .counting import Reads, count_image, count_reads
from .geometry import Walk
from .input import planes_beside
from .lowered import CoreTerm, UnsupportedError
from .maps import MapFormat, Maps, find_map
from .tensors import Tensor, functional, torch
from .term import Scale, SummingPlan, SummingTerm, TermMemory, Values
from .weights import WeightKind, verify_weights

__all__ = ["KERNEL_LIMIT", "TAP_LIMIT", "Window", "tap_weights", "traces", "verify_taps"]

KERNEL_LIMIT = 7
TAP_LIMIT = 7


def tap_weights(taps: tuple[int, ...]) -> list[int]:
    """Return what a spike of 0, 1, ... steps ago counts, powers of two in units of ``2**-taps[-1]``."""
    return [1 << (taps[-1] - exponent) for exponent in taps]


def traces(spikes: Tensor, taps: tuple[int, ...]) -> Tensor:
    """Return the spikes of the last steps as digits of a number: what memory-free neurons sum up.

    ``spikes`` is uint8 (inputs, steps, ...), and so is the result.
    """
    if len(taps) == 1:
        return spikes
    summed = torch.zeros_like(spikes)
    for delay, weight in enumerate(tap_weights(taps)[:spikes.shape[1]]):
        summed[:, delay:] += spikes[:, :spikes.shape[1] - delay] * weight
    return summed


def verify_taps(where: str, taps: tuple[int, ...], source: MapFormat) -> None:
    """Raise a NetworkError if a term cannot look back at ``source`` with these exponents."""
    if not taps or taps[0] != 0 or list(taps) != sorted(set(taps)) or taps[-1] > TAP_LIMIT:
        raise NetworkError(f"{where}: taps are {list(taps)}, must rise from 0 to at most {TAP_LIMIT}")
    if len(taps) > 1 and not source.spikes:
        why = "a direct-coded image has no steps for taps" if source.replayed else (
            f"taps look back at spikes, not at {source.text}"
        )
        raise NetworkError(f"{where}: {why}; let its neurons leak without a reset instead")


@dataclass(frozen=True, kw_only=True, eq=False)
class Window(SummingTerm):
    """``sum over the window of weight * value``, times M, plus B, shifted.

    A fully connected layer has a kernel as large as its source and no padding. With ``groups`` the
    output channels of a group read the input channels of the same group alone.
    """

    kind = "window"

    weight: np.ndarray
    """int64 (output channels, input channels of a group, kernel height, kernel width)."""
    weight_bits: int
    weight_kind: WeightKind
    stride: int = 1
    padding: int = 0
    groups: int = 1
    """``input_group``: heads of attention, grouped convolutions."""
    taps: tuple[int, ...] = (0,)
    """Exponents k of a memory-free neuron: the input spikes of d steps ago count ``2**-taps[d]``,
    those before the first step nothing. Sums are in units of ``2**-taps[-1]``."""

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source,)

    @property
    def text(self) -> str:
        shape = " x ".join(map(str, self.weight.shape))
        groups = f", {self.groups} groups" if self.groups > 1 else ""
        return f"{self.weight_bits}-bit weights {shape}, stride {self.stride}{groups}"

    def memory(self, maps: Maps) -> TermMemory:
        return replace(
            super().memory(maps), weight_bits=(self.weight_bits,), weights=self.weight.size * self.weight_bits
        )

    def walk(self, maps: Maps) -> Walk:
        channels, _, height, width = self.weight.shape
        return Walk(
            kernel=(height, width), stride=self.stride, padding=self.padding, channels=channels,
            groups=self.groups, weight_bits=self.weight_bits,
        )

    def verify(self, where: str, maps: Maps, scale: Scale) -> None:
        source = find_map(where, maps, self.source)
        channels, height, width = source.shape
        verify_weights(where, self.weight, self.weight_bits, self.weight_kind)
        out, inputs, *kernel = self.weight.shape
        if self.groups < 1 or channels % self.groups or out % self.groups:
            raise NetworkError(f"{where}: groups is {self.groups}, must divide the {channels} input and the "
                               f"{out} output channels")
        if inputs != channels // self.groups:
            of_a_group = f" in each of {self.groups} groups" if self.groups > 1 else ""
            raise NetworkError(f"{where}: weight has {inputs} input channels, the map before it "
                               f"{channels // self.groups}{of_a_group}")
        full = self.walk(maps).fills(height, width)
        if self.stride not in (1, 2) and not (full and self.stride > 0):
            raise NetworkError(f"{where}: stride is {self.stride!r}, must be 1 or 2")
        if max(kernel) > KERNEL_LIMIT and not full:
            raise NetworkError(f"{where}: kernel is {kernel[0]}x{kernel[1]}, limit {KERNEL_LIMIT} a "
                               f"side or the whole {height}x{width} input without padding")
        if not 0 <= self.padding < min(kernel):
            raise NetworkError(f"{where}: padding is {self.padding!r}, must be from 0 to less than "
                               f"the {kernel[0]}x{kernel[1]} kernel")
        verify_taps(where, self.taps, source)
        if source.replayed and scale.fraction_bits is None:
            raise NetworkError(f"{where}: a classifier cannot read a direct-coded image, only spikes")
        self.verify_scale(where, out, scale)

    def planes(self, source: MapFormat, values: Tensor) -> list[Tensor]:
        if len(self.taps) == 1:
            return source.planes(values)
        tapped = traces(values, self.taps)
        return [tapped >> bit & 1 for bit in range(1 + self.taps[-1])]

    def bound(self, maps: Maps) -> np.ndarray:
        source = maps[self.source]
        greatest = (1 << (1 + self.taps[-1])) - 1 if len(self.taps) > 1 else source.greatest
        return np.abs(self.weight.astype(np.int64)).sum((1, 2, 3)) * greatest

    def plan(self, maps: Maps, scale: Scale) -> "WindowPlan":
        return WindowPlan(self, maps, scale)

    def lower(self, where: str, maps: Maps, scale: Scale) -> CoreTerm:
        if self.groups > 1 and self.weight.shape[3] > 1:
            raise UnsupportedError(f"{where}: groups is {self.groups} in a kernel {self.weight.shape[3]} columns wide; "
                                   f"the core has groups in kernels of one column, the integer model runs all")
        if maps[self.source].signed:
            raise UnsupportedError(f"{where}: source {self.source!r} is a stream; the core has no windows on "
                                   f"streams yet, the integer model runs them")
        return CoreTerm(channels=len(self.weight), **{name: getattr(self, name) for name in (
            "source", "weight", "weight_bits", "weight_kind", "stride", "padding", "groups", "taps",
            "multiplier", "offset", "shift",
        )})


class WindowPlan(SummingPlan):
    """Convolutions or products of matrices."""

    def __init__(self, term: Window, maps: Maps, scale: Scale):
        super().__init__(term, maps, scale)
        self.taps, self.groups = term.taps, term.groups
        self.full = self.walk.fills(self.map.height, self.map.width) and term.groups == 1
        self.weight = torch.from_numpy(term.weight.astype(np.int64)).to(self.float)

    def sums(self, values: Values) -> Tensor:
        source = traces(values[self.source], self.taps)
        flat = source.flatten(0, 1).to(self.float)
        if self.full:
            sums = (flat.flatten(1) @ self.weight.flatten(1).T)[:, :, None, None]
        else:
            sums = functional.conv2d(
                flat, self.weight, None, self.walk.stride, self.walk.padding, groups=self.groups
            )
        return sums.unflatten(0, source.shape[:2])

    def count(self, values: Values, config: CoreConfig | None, accumulations: int) -> Reads:
        source = values[self.source]
        planes = [plane.flatten(0, 1) for plane in self.term.planes(self.map, source)]
        beside = planes_beside(self.map.channels, self.map.bits, config) if self.map.replayed and config else 1
        if config is not None and beside > 1:
            reads = count_image(planes, beside, self.walk, config)
        else:
            reads = count_reads(planes, self.walk, config)
        times = accumulations if self.map.replayed else 1

        def of_inputs(counts: Tensor) -> Tensor:
            return counts.view(len(source), -1).sum(1) * times

        return Reads(
            counters={key: of_inputs(counts) for key, counts in reads.counters.items()},
            operations=of_inputs(reads.operations),
        )
