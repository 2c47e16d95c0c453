"""A data set as arrays that a network takes, and the recipe that its samples become inputs by."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from ...network.input import InputFormat
from ..formats.events import FRAME_LIMIT, Recording
from ..formats.files import DataError
from ..formats.times import UNITS
from .bins import BINS, Bins
from .samples import SampleArray, parts_of, select

__all__ = [
    "DataRecipe", "Dataset", "FilesRecipe", "from_images", "from_recordings", "image_format", "quantize_image",
    "spike_format",
]

LAYOUTS = ("channels_first", "channels_last")
SEED_LIMIT = 1 << 32
"""NumPy's generators take no greater one."""


@dataclass(frozen=True, kw_only=True)
class FilesRecipe:
    """Where the samples of a data set of one's own lie. Relative paths are below the root folder of data sets."""

    train: str
    """A file of arrays, or a folder with a folder for each class."""
    test: str | None = None
    """The same of the test part; None: some samples of ``train``, by ``table`` or ``test_share``."""
    test_share: float = 0.2
    """Share of the samples of each class that become the test part."""
    seed: int = 0
    """Of what chooses these."""
    table: str | None = None
    """A CSV file with the column ``file``, paths below the folder ``train``, and ``class``, ``part`` (train or test),
    or both."""
    classes: list[str] | None = None
    """Names of the classes in the order of their labels; None: those of folders, table or file."""
    width: int | None = None
    """Pixels, where files of recordings name none; the size that images are brought to."""
    height: int | None = None
    unit: str | None = None
    """Of times in recordings of .npy, .npz and .mat."""
    colours: int | None = None
    """1 or 3: what images are brought to; None: all have the same."""
    layout: str = "channels_first"
    """Of arrays of images with four dimensions."""

    def __post_init__(self):
        if not 0 < self.test_share < 1:
            raise ValueError(f"data.files.test_share must be between 0 and 1, not {self.test_share}")
        if not 0 <= self.seed < SEED_LIMIT:
            raise ValueError(f"data.files.seed must be in 0..{SEED_LIMIT - 1}, not {self.seed}")
        if self.layout not in LAYOUTS:
            raise ValueError(f"data.files.layout must be one of {', '.join(LAYOUTS)}, not {self.layout!r}")
        if self.colours not in (None, 1, 3):
            raise ValueError(f"data.files.colours must be 1 or 3, not {self.colours}")
        for name in ("width", "height"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= FRAME_LIMIT:
                raise ValueError(f"data.files.{name} must be in 1..{FRAME_LIMIT}, not {value}")
        if self.unit not in (None, *UNITS):
            raise ValueError(f"data.files.unit must be one of {', '.join(UNITS)}, not {self.unit!r}")
        if self.test is not None and self.table is not None:
            raise ValueError("data.files.test and data.files.table exclude each other")

    def refuse(self, kind: str, *names: str) -> None:
        """Raise a ValueError if one of these is set: data sets of this ``kind`` have no use for it."""
        for item in fields(self):
            if item.name in names and getattr(self, item.name) != item.default:
                value = getattr(self, item.name)
                raise ValueError(f"data.files.{item.name} is {value!r}, but {kind} have no use for it")


@dataclass(frozen=True, kw_only=True)
class DataRecipe:
    """Which data set, and how its samples become inputs."""

    name: str
    steps: int
    """Time steps: bins of a recording, or how often an image is replayed."""
    bits: int = 1
    """Bits of an image's pixels."""
    crop: int | None = None
    """Rows and columns in the middle of an image that become the input; None: all."""
    frames: str = "time"
    """What the bins of a recording hold equally much of: "time" or "count", of events."""
    duration: int | None = None
    """Microseconds that bins of time cover; None: what the data set has."""
    downsample: int = 1
    """Rows and columns of a recording's pixels that make one pixel of the input."""
    side: int | None = None
    """Pixels of the input along a recording's longer side, in place of ``downsample``."""
    threshold: int = 1
    """Events of a polarity in such a pixel and a bin that make a spike: 1 is OR, more is a sum."""

    validation: int = 0
    """Training samples that are held out of the training, for choices; of each class in its share."""
    validation_seed: int = 0
    """Of what chooses them."""
    files: FilesRecipe | None = None
    """Where the samples of arrays, images and recordings of one's own lie; nothing of other data sets."""

    def __post_init__(self):
        if self.validation < 0:
            raise ValueError(f"data.validation must be 0 samples or more, not {self.validation}")
        if not 0 <= self.validation_seed < SEED_LIMIT:
            raise ValueError(f"data.validation_seed must be in 0..{SEED_LIMIT - 1}, not {self.validation_seed}")
        if self.crop is not None and self.crop < 1:
            raise ValueError(f"data.crop must be 1 pixel or more, not {self.crop}")
        if self.frames not in BINS:
            raise ValueError(f"data.frames must be one of {', '.join(BINS)}, not {self.frames!r}")
        if self.duration is not None and self.frames != "time":
            raise ValueError(f"data.duration needs data.frames time, not {self.frames}")
        try:
            self.bins(None)
        except ValueError as error:
            raise ValueError(f"data.{error}") from error

    def bins(self, duration: int | None) -> Bins:
        """Return the bins of a recording; ``duration`` is the data set's, None if they differ."""
        options = {name: getattr(self, name) for name in ("steps", "downsample", "side", "threshold")}
        if self.frames == "time":
            options["duration"] = duration if self.duration is None else self.duration
        return BINS[self.frames](**options)

    def middle(self, height: int, width: int) -> tuple[slice, slice]:
        """Return the rows and columns of an image that become the input; a ValueError says that it has too few."""
        side = min(height, width)
        if self.crop is None:
            return slice(0, height), slice(0, width)
        if self.crop > side:
            raise ValueError(f"data.crop is {self.crop}, but images of {self.name} are {width}x{height}, limit {side}")
        top, left = (height - self.crop) // 2, (width - self.crop) // 2
        return slice(top, top + self.crop), slice(left, left + self.crop)

    def refuse(self, kind: str, *names: str) -> None:
        """Raise a ValueError if one of these is set: a data set of this ``kind`` has no use for it."""
        defaults = {item.name: item.default for item in fields(self)}
        for name in names:
            if getattr(self, name) != defaults[name]:
                raise ValueError(
                    f"data.{name} is {getattr(self, name)!r}, but {self.name} is a data set of {kind}"
                )


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """One part of a data set, ready for a network."""

    name: str
    input: InputFormat
    inputs: SampleArray
    """In memory or in files, uint8: spikes (count, steps, channels, height, width), or images of ``input.bits`` bits
    (count, channels, height, width) if ``input.direct``."""
    labels: np.ndarray
    """int64 (count,)."""
    classes: int = 10
    class_names: tuple[str, ...] = ()
    """Of each class; empty: they are called by their labels."""

    def check_classes(self, trained: str, classes: int, class_names: Sequence[str] = ()) -> None:
        """Raise a DataError if labels do not mean here what they mean to what was ``trained`` on ``classes`` classes.

        Where one of them names no classes, there must be no more than it knows.
        """
        if self.class_names and class_names:
            same = tuple(self.class_names) == tuple(class_names)
        else:
            same = self.classes <= classes
        if not same:
            known, found = (", ".join(names) or f"{count} classes" for names, count in (
                (class_names, classes), (self.class_names, self.classes),
            ))
            raise DataError(f"{trained} was trained on {known}; {self.name} has {found}: give it the data that it was "
                            f"trained on, or train again")

    def part(self, name: str, samples: np.ndarray) -> "Dataset":
        """Return some samples, by their indices, as a data set called ``name``."""
        return replace(self, name=name, inputs=select(self.inputs, samples), labels=self.labels[samples])

    @property
    def checksum(self) -> str:
        """SHA-256 of inputs and labels."""
        digest = hashlib.sha256(repr((self.inputs.shape, self.inputs.dtype)).encode())
        for part in parts_of(self.inputs):
            digest.update(part.tobytes())
        digest.update(self.labels.tobytes())
        return digest.hexdigest()


def quantize_image(images: np.ndarray, bits: int) -> np.ndarray:
    """Return uint8 images in ``bits`` bits: the nearest level, halves up, in integers only."""
    if not 1 <= bits <= 8:
        raise ValueError(f"bits must be in 1..8, not {bits!r}")
    highest = (1 << bits) - 1
    levels = (2 * np.arange(256) * highest + 255) // 510
    return levels.astype(np.uint8)[images]


def from_recordings(
    recipe: DataRecipe, part: str, recordings: Iterable[Recording], duration: int | None,
    classes: int = 0, names: Sequence[str] = (),
) -> Dataset:
    """Return the data set of labelled recordings, binned as ``recipe`` says.

    ``duration`` is what bins of time cover, in us, unless the recipe says it; None: each recording's own. ``names``
    are those of the classes, in place of their number. A ValueError names a setting of the recipe that only images
    have, a DataError a part without recordings.
    """
    recipe.refuse("recordings", "bits", "crop")
    bins = recipe.bins(duration)
    inputs, labels = [], []
    for recording in recordings:  # One by one: their events may exceed the memory.
        inputs.append(bins.spikes(recording))
        labels.append(recording.label)
    if not inputs:
        raise DataError(f"{recipe.name} {part}: the data set has no recordings")
    return Dataset(
        name=f"{recipe.name} {part}", input=spike_format(inputs[0].shape),
        inputs=np.stack(inputs), labels=np.array(labels, np.int64), classes=len(names) or classes,
        class_names=tuple(names),
    )


def spike_format(shape: tuple[int, ...]) -> InputFormat:
    """Return the format of spikes (steps, channels, height, width)."""
    steps, channels, height, width = shape
    return InputFormat(channels=channels, height=height, width=width, steps=steps)


def image_format(recipe: DataRecipe, shape: tuple[int, ...]) -> InputFormat:
    """Return the format of images (channels, height, width)."""
    channels, height, width = shape
    return InputFormat(
        channels=channels, height=height, width=width, steps=recipe.steps, bits=recipe.bits, direct=True
    )


def from_images(
    recipe: DataRecipe, part: str, load: Callable[[], tuple[np.ndarray, np.ndarray]], classes: int,
    names: Sequence[str] = (),
) -> Dataset:
    """Return the data set of the images, uint8 (count, channels, height, width), and labels of ``load()``.

    A ValueError names a setting of the recipe that only recordings have, before anything is loaded, or a crop that is
    larger than the images.
    """
    recipe.refuse("images", "frames", "duration", "downsample", "side", "threshold")
    images, labels = load()
    rows, columns = recipe.middle(*images.shape[2:])
    images = images[:, :, rows, columns]
    return Dataset(
        name=f"{recipe.name} {part}", input=image_format(recipe, images.shape[1:]),
        inputs=quantize_image(images, recipe.bits), labels=labels, classes=classes, class_names=tuple(names),
    )
