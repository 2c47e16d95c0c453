"""What an image says of the parts of a layer, and what each part must read and make by that."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spikeplane_hw.config import CoreConfig

from ..network.weights import WEIGHT_BITS
from .held import ImageError
from .parts import Split, SplitKind, in_piece, read_rows
from .spike_map import SpikeMap

if TYPE_CHECKING:
    from .image import Image, LayerInfo

__all__ = ["Part", "layer_parts", "verify_split"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a layer, or all of it."""

    info: "LayerInfo"
    number: int

    @property
    def split(self) -> Split | None:
        """How the layer is split; None: it is not."""
        if not self.info.split:
            return None
        return Split(kind=SplitKind(self.info.split), borders=self.info.borders)

    @property
    def last(self) -> bool:
        """Whether it is the last one of its layer."""
        return self.number == self.info.parts - 1

    @property
    def rows(self) -> range | None:
        """The rows of sums that it makes; None: all of them."""
        return self._own(SplitKind.ROWS)

    @property
    def steps(self) -> range | None:
        """The time steps that it makes; None: all of them."""
        return self._own(SplitKind.STEPS)

    @property
    def shares(self) -> bool:
        """Whether it has passes, weights and parameters of the first part."""
        return self.number > 0 and self.info.split != SplitKind.PLANES.value

    @property
    def where(self) -> str:
        """What it is, in words."""
        own = "" if self.split is None else f", {self.info.split} {self.info.borders[self.number]} to " \
                                            f"{self.info.borders[self.number + 1] - 1}"
        return f"layer {self.info.name!r}{own}"

    def _own(self, kind: SplitKind) -> range | None:
        split = self.split
        return split.ranges[self.number] if split is not None and split.kind is kind else None

    def read(self, d: dict[str, int], height: int, pixel_slots: int) -> tuple[range, int]:
        """Return the rows that a term reads of a map of ``height``, and how many of padding lie above them."""
        assert self.rows is not None
        return read_rows(self.rows, height, d["kernel_rows"], d["stride"], d["pad_slots"] // pixel_slots)

    def source(
        self, d: dict[str, int], whole: SpikeMap, loaded: tuple[SpikeMap, range] | None, config: CoreConfig
    ) -> SpikeMap:
        """Return what a term reads of a map, which is there as a whole, or of which a piece with some rows is."""
        if self.rows is not None:
            read, _ = self.read(d, whole.height, whole.pixel_slots)
            return in_piece(loaded[0], loaded[1], read, config) if loaded else whole.rows_of(read)
        if self.steps is not None:
            return loaded[0] if loaded else whole.steps_of(self.steps)
        return whole


def layer_parts(image: "Image") -> list[Part]:
    """Return the part of a layer that each layer of the program is."""
    return [Part(info=info, number=number) for info in image.layers for number in range(info.parts)]


def verify_split(where: str, image: "Image", info: "LayerInfo") -> None:
    """Check that a layer's parts are ones, and together all of it."""
    if not info.split:
        if info.borders:
            raise ImageError(f"{where}: it has borders {info.borders}, but is not split")
        return
    kinds = [kind.value for kind in SplitKind]
    if info.split not in kinds:
        raise ImageError(f"{where}: it is split by {info.split!r}, must be one of {', '.join(kinds)}")
    steps = image.schedule.inner_steps(image.input.steps)
    ends = {SplitKind.ROWS: [info.height], SplitKind.STEPS: [steps], SplitKind.PLANES: WEIGHT_BITS}
    borders, allowed = list(info.borders), ends[SplitKind(info.split)]
    if len(borders) < 3 or borders != sorted(set(borders)) or borders[0] or borders[-1] not in allowed:
        raise ImageError(f"{where}: the borders of its {info.split} are {borders}, must rise from 0 to "
                         f"{' or '.join(map(str, allowed))}")
    if info.split != SplitKind.PLANES.value and (image.batch > 1 or image.schedule.stores):
        raise ImageError(f"{where}: its {info.split} are split, which takes single samples and all steps at once")
