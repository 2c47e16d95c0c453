"""Folders of one's own: recordings and images by class, made into inputs once and cached."""

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...network.input import InputFormat
from ...progress import counted
from ..formats.events import RecordingError, RecordingWarning
from ..formats.files import DataError, import_extra
from ..formats.recordings import READERS, UNITLESS, read_recording
from .class_files import ClassFiles, class_files, files_of
from .contents import Contents
from .dataset import DataRecipe, Dataset, image_format, quantize_image, spike_format
from .row_cache import Row, RowCache
from .samples import StoredSamples, held

__all__ = ["IMAGE_ENDINGS", "load_image_folder", "load_recording_folder", "read_image"]

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm")
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM")
"""What Pillow takes a file for, whatever its name: nothing that starts another program, as EPS does."""
VERSION = 2
"""Of how files become rows; a change makes all that is cached anew."""
MODES = {"1": 1, "L": 1, "P": 3, "RGB": 3}
"""Colours of Pillow's modes."""
WIDE_MODES = ("I;16", "I;16B", "I;16L")
"""Greys of 16 bits, of which Pillow clips what is above 255."""
CONVERTED = (*MODES, *WIDE_MODES, "LA", "PA", "RGBA", "RGBX", "CMYK", "YCbCr")
"""Modes whose values have a known range."""
SHOWN = 200
"""Files from which on a bar is drawn while they are read."""


def load_recording_folder(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    """Return ``part`` of recordings of one's own, by class; each file is read and binned once.

    A RecordingError names a file that cannot be read or whose frame is another, a DataError what :func:`.class_files`
    says.
    """
    recipe.refuse("recordings", "bits", "crop")
    files, bins = files_of(recipe), recipe.bins(None)
    files.refuse("recordings", "colours", "layout")
    found = class_files(recipe, root, part, READERS)

    def read(path: Path) -> np.ndarray:
        unit = files.unit if path.suffix.lower() in UNITLESS else None
        return bins.spikes(read_recording(path, width=files.width, height=files.height, unit=unit))

    kind = type(bins).__name__
    cache = RowCache(
        ["recordings", VERSION, kind, dataclasses.asdict(bins), files.width, files.height, files.unit], packed=True
    )
    samples = _made(cache, found, read, "recording", lambda spikes: spikes)
    return _dataset(recipe, part, found, samples, spike_format(samples.shape[1:]))


def load_image_folder(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    """Return ``part`` of images of one's own, by class; each file is read once.

    A DataError names a file that cannot be read or whose size or colours are others, and what
    :func:`.class_files` says.
    """
    recipe.refuse("images", "frames", "duration", "downsample", "side", "threshold")
    recipe.refuse("your own images, which are taken whole", "crop")
    files = files_of(recipe)
    files.refuse("images", "unit", "layout")
    found = class_files(recipe, root, part, IMAGE_ENDINGS)
    cache = RowCache(["images", VERSION, files.colours, files.width, files.height], packed=False)
    samples = _made(
        cache, found, lambda path: read_image(path, files.colours, files.width, files.height), "image",
        lambda images: quantize_image(images, recipe.bits),
    )
    return _dataset(recipe, part, found, samples, image_format(recipe, samples.shape[1:]))


def read_image(
    path: Path, colours: int | None = None, width: int | None = None, height: int | None = None
) -> np.ndarray:
    """Return an image file as uint8 (1 or 3, height, width).

    ``colours`` converts it: of greys of 16 bits the upper 8 are taken, rounded, and white is behind what is
    transparent. ``width`` and ``height``, both or none, bring it to a size. A DataError names a file that cannot be
    read, or has another number of colours and no ``colours`` is given.
    """
    if (width is None) != (height is None):
        raise DataError("data.files.width and data.files.height are given together, or none of them")
    pillow, operations = import_extra("PIL.Image"), import_extra("PIL.ImageOps")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pillow.DecompressionBombWarning)
            with pillow.open(path, formats=FORMATS) as opened:
                image = operations.exif_transpose(opened)
                if image.mode not in CONVERTED:
                    raise DataError(f"{path}: an image of mode {image.mode}, whose range of values is not known: "
                                    f"save it with 8 or 16 bits")
                if colours is None and image.mode not in MODES:
                    raise DataError(f"{path}: an image of mode {image.mode}, known are {', '.join(MODES)}: set "
                                    f"data.files.colours to 1 or 3 to convert it")
                mode = "L" if (colours or MODES[image.mode]) == 1 else "RGB"
                image = _opaque(_narrow(image)).convert(mode)
                if width is not None and height is not None:
                    image = image.resize((width, height), pillow.Resampling.BILINEAR)
                pixels = np.asarray(image, np.uint8)
    except DataError:
        raise
    except Exception as error:  # Whatever Pillow stumbles over in a damaged file.
        raise DataError(f"{path}: not a readable image: {error}") from error
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _narrow(image):
    """Return a Pillow image of 8 bits a value."""
    if image.mode not in WIDE_MODES:
        return image
    return import_extra("PIL.Image").fromarray(((np.asarray(image, np.uint32) + 128) // 257).astype(np.uint8))


def _opaque(image):
    """Return a Pillow image before white where it is transparent: by a channel, or by a colour that is named."""
    if "A" not in image.mode.upper() and "transparency" not in image.info:
        return image
    pillow, image = import_extra("PIL.Image"), image.convert("RGBA")
    return pillow.alpha_composite(pillow.new("RGBA", image.size, "white"), image)


class _Rows(StoredSamples):
    """Rows of the cache as samples."""

    def __init__(self, cache: RowCache, rows: list[Row], decode: Callable[[np.ndarray], np.ndarray]):
        self._cache, self._rows, self._decode = cache, rows, decode

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self._rows), *self._rows[0].shape

    def read(self, indices: np.ndarray) -> np.ndarray:
        if not len(indices):
            return np.empty((0, *self.shape[1:]), np.uint8)
        return self._decode(self._cache.read([self._rows[index] for index in indices]))


def _made(
    cache: RowCache, found: ClassFiles, read: Callable[[Path], np.ndarray], unit: str,
    decode: Callable[[np.ndarray], np.ndarray],
) -> StoredSamples:
    """Return what files become, reading those of a content that the cache has not."""
    contents = Contents(found.folder).digests(found.paths)
    missing = {content: path for content, path in zip(contents, found.paths, strict=True) if content not in cache}
    if missing:
        with cache.filling() as filling, counted(len(missing), unit=f"{unit}s", shown=len(missing) > SHOWN) as show:
            for done, (content, path) in enumerate(missing.items(), 1):
                if content not in cache:  # Another process may have added it.
                    with warnings.catch_warnings(record=True) as caught:
                        warnings.simplefilter("always")
                        array = read(path)
                    filling.add(content, array, [
                        str(each.message) for each in caught if issubclass(each.category, RecordingWarning)
                    ])
                show(done)
    rows = [cache[content] for content in contents]
    first = rows[0].shape
    for path, row in zip(found.paths, rows, strict=True):
        for note in row.notes:
            warnings.warn(note, RecordingWarning, stacklevel=4)
        if row.shape != first:
            raise RecordingError(
                f"{path}: it makes an input of {row.shape}, {found.paths[0]} one of {first}: all must have one size"
            )
    return _Rows(cache, rows, decode)


def _dataset(recipe: DataRecipe, part: str, found: ClassFiles, samples: StoredSamples, form: InputFormat) -> Dataset:
    return Dataset(
        name=f"{recipe.name} {part}", input=form, inputs=held(samples), labels=np.array(found.labels, np.int64),
        classes=len(found.names), class_names=found.names,
    )
