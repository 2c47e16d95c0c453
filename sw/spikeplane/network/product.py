"""The product term: another spike map stands in for the weights, {0,1}; attention."""

from dataclasses import dataclass

import numpy as np
from spikeplane_hw.config import CoreConfig

from .checks import NetworkError
from .counting import Reads, count_reads
from .geometry import Walk
from .lowered import CoreTerm, TermKind
from .maps import MapFormat, Maps, find_map
from .tensors import Tensor, torch
from .term import Scale, SummingPlan, SummingTerm, Values

__all__ = ["Product"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Product(SummingTerm):
    """Counts of spikes that two maps share, in ``groups`` groups (heads) of input channels.

    As it lies, each pixel of ``operand`` is an output channel of every group, and the channels of the
    two maps meet: ``sum[n, g * P + m] = sum over c in group g of source[n, c] * operand[m, c]`` with P
    pixels, n and m pixels: ``Q K^T``. ``transposed``, each channel of ``operand`` is an output channel,
    and its pixels meet the channels of a group: ``sum[n, c] = sum over m of source[n, g(c) * P + m] *
    operand[m, c]``: ``A V``.
    """

    kind = "product"

    operand: str
    transposed: bool = False
    groups: int = 1

    @property
    def sources(self) -> tuple[str, ...]:
        return self.source, self.operand

    @property
    def text(self) -> str:
        return "product of two maps"

    def walk(self, maps: Maps) -> Walk:
        operand = maps[self.operand]
        pixels = operand.height * operand.width
        channels = operand.channels if self.transposed else self.groups * pixels
        return Walk(kernel=(1, 1), channels=channels, groups=self.groups)

    def verify(self, where: str, maps: Maps, scale: Scale) -> None:
        source, operand = (find_map(where, maps, name) for name in self.sources)
        for name, each in zip(self.sources, (source, operand), strict=True):
            if not each.spikes:
                raise NetworkError(f"{where}: a product counts spikes; {name!r} is {each.text}")
        pixels = operand.height * operand.width
        if self.groups < 1 or operand.channels % self.groups or source.channels % self.groups:
            raise NetworkError(f"{where}: groups is {self.groups}, must divide the {source.channels} channels of "
                               f"{self.source!r} and the {operand.channels} of {self.operand!r}")
        need = self.groups * pixels if self.transposed else operand.channels
        if source.channels != need:
            what = f"{self.groups} groups of {pixels} pixels of" if self.transposed else "as many channels as"
            raise NetworkError(f"{where}: {self.source!r} has {source.channels} channels, must have {need}: "
                               f"{what} {self.operand!r}")
        self.verify_scale(where, self.walk(maps).channels, scale)

    def planes(self, source: MapFormat, values: Tensor) -> list[Tensor]:
        return source.planes(values)

    def bound(self, maps: Maps) -> np.ndarray:
        shared = maps[self.source].channels // self.groups
        return np.full(self.walk(maps).channels, shared, np.int64)

    def lower(self, where: str, maps: Maps, scale: Scale) -> CoreTerm:
        return CoreTerm(
            kind=TermKind.PRODUCT, channels=self.walk(maps).channels, **{name: getattr(self, name) for name in (
                "source", "operand", "transposed", "groups", "multiplier", "offset", "shift",
            )},
        )

    def plan(self, maps: Maps, scale: Scale) -> "ProductPlan":
        return ProductPlan(self, maps, scale)


class ProductPlan(SummingPlan):
    """A product of matrices for each input, step and group."""

    def __init__(self, term: Product, maps: Maps, scale: Scale):
        super().__init__(term, maps, scale)
        self.operand, self.transposed, self.groups = term.operand, term.transposed, term.groups

    def sums(self, values: Values) -> Tensor:
        source, operand = values[self.source].to(self.float), values[self.operand].to(self.float)
        count, steps, _, height, width = source.shape
        # (inputs, steps, groups, channels of a group or output, pixels)
        left = source.reshape(count, steps, self.groups, -1, height * width)
        right = operand.reshape(count, steps, self.groups, -1, operand.shape[3] * operand.shape[4])
        matched = right if self.transposed else right.transpose(3, 4)
        return torch.matmul(matched, left).reshape(count, steps, -1, height, width)

    def count(self, values: Values, config: CoreConfig | None, accumulations: int) -> Reads:
        source = values[self.source]
        reads = count_reads([source.flatten(0, 1)], self.walk, config)
        return Reads(
            counters={key: counts.view(len(source), -1).sum(1) for key, counts in reads.counters.items()},
            operations=reads.operations.view(len(source), -1).sum(1),
        )
