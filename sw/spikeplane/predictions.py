"""Recordings of any format to predictions on a board: what `spikeplane run` does."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .compiler.image import Image, ImageError
from .data.formats.events import Recording, RecordingError
from .data.formats.recordings import READERS, UNITLESS, read_recording
from .data.sets.bins import Bins, scatter
from .data.sets.datasets import DURATIONS, FILE_TIMES, DataRecipe
from .device.driver import Answer, Driver
from .image_data import class_names, image_data

__all__ = ["Frames", "Prediction", "StandardInput", "predict_recordings"]


@dataclass(frozen=True, kw_only=True)
class Frames:
    """How files become what an image takes."""

    bins: Bins
    width: int | None = None
    """Of the sensor, where files name none."""
    height: int | None = None
    unit: str | None = None
    """Of times in .npy, .npz and .mat."""
    keep_times: bool = False
    """Whether time 0 is the file's own, not the first event's."""

    @classmethod
    def of(cls, image: Image, **settings: Any) -> "Frames":
        """Return what the data of the image's training say, some ``settings`` of them replaced, None: not.

        Settings are those of the recipe's [data], and width, height and unit. A ValueError says that the image takes
        no recordings, or what of the settings is wrong.
        """
        if image.input.direct:
            raise ImageError("the image takes pictures, not recordings: `spikeplane simulate` runs its test data")
        data = image_data(image) or DataRecipe(name="recordings", steps=image.input.steps)
        chosen = {name: value for name, value in settings.items() if value is not None}
        sizes = {name: chosen.pop(name, getattr(data.files, name, None)) for name in ("width", "height", "unit")}
        if "side" in chosen:
            chosen.setdefault("downsample", 1)
        elif "downsample" in chosen:
            chosen["side"] = None
        data = replace(data, steps=image.input.steps, **chosen)
        return cls(bins=data.bins(DURATIONS.get(data.name)), keep_times=data.name in FILE_TIMES, **sizes)

    def read(self, path: Path) -> Recording:
        """Return the recording in a file; a RecordingError names it and what is wrong."""
        unit = self.unit if path.suffix.lower() in UNITLESS else None
        return read_recording(path, width=self.width, height=self.height, unit=unit, keep_times=self.keep_times)

    def events(self, recording: Recording, image: Image) -> np.ndarray:
        """Return a recording's events in time steps; a RecordingError says that its frame is not the image's."""
        form, size = image.input, self.bins.size(recording)
        if (form.channels, form.height, form.width) != (2, *size):
            raise RecordingError(
                f"{recording.name}: its {recording.height} x {recording.width} pixels make 2 x {size[0]} x {size[1]}, "
                f"the image takes {form.channels} x {form.height} x {form.width}: give --side or --downsample"
            )
        return self.bins.step_events(recording)


@dataclass(frozen=True, kw_only=True, eq=False)
class StandardInput:
    """What came on standard input, of the format that files with an ending have."""

    content: bytes
    ending: str
    name: ClassVar[str] = "standard input"

    def __post_init__(self):
        if self.suffix not in READERS:
            raise RecordingError(f"{self.name}: format {self.suffix[1:]!r}, must be one of "
                                 f"{', '.join(each[1:] for each in READERS)}")

    @property
    def suffix(self) -> str:
        """The ending as names have it."""
        return f".{self.ending.lower().removeprefix('.')}"

    def read(self, frames: Frames) -> Recording:
        """Return the recording; a RecordingError names standard input and what is wrong with it."""
        # Readers take files: of some formats a library reads them.
        with tempfile.NamedTemporaryFile(suffix=self.suffix, delete=False) as file:
            file.write(self.content)
        path = Path(file.name)
        try:
            return replace(frames.read(path), name=self.name)
        except RecordingError as error:
            raise RecordingError(str(error).replace(str(path), self.name)) from error
        finally:
            path.unlink()


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """What a board says of a recording, or why there is nothing to say."""

    file: str
    error: str | None = None
    label: int | None = None
    """The class with the greatest logit."""
    name: str | None = None
    """Of this class."""
    logits: list[float] = field(default_factory=list)
    events: int = 0
    """Of the recording."""
    spikes: int = 0
    """That the board was sent."""
    cycles: int | None = None
    """Of the core; None: it counts none."""
    running: list[int] = field(default_factory=list)
    """The class after each time step, where these are run one by one."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, without what is not known."""
        if self.error is not None:
            return {"file": self.file, "error": self.error}
        return {name: value for name, value in vars(self).items() if value is not None and value != []}

    @property
    def text(self) -> str:
        """All of it in a line."""
        if self.error is not None:
            return self.error
        cycles = "" if self.cycles is None else f", {self.cycles:,} cycles"
        steps = f"; by step {' '.join(map(str, self.running))}" if self.running else ""
        logits = max(self.logits)
        return f"{self.file}: {self.name} (logit {logits:.4g}; {self.events:,} events{cycles}){steps}"


def predict_recordings(
    driver: Driver, files: Iterable[Path | Recording | StandardInput], frames: Frames, *, by_step: bool = False
) -> Iterator[Prediction]:
    """Yield what the image on ``driver`` predicts of each file, in their order.

    A file that cannot be used gives a prediction with its error, and the next one is run. With ``by_step`` time steps
    are run one by one, as they would come from a camera: the image must have the schedule STORED.
    """
    image = driver.image
    if image is None:
        raise ValueError("no image is loaded on the board")
    names = class_names(image.metadata, len(image.logit_offset))
    for file in files:
        name = str(file) if isinstance(file, Path) else file.name
        try:
            if isinstance(file, StandardInput):
                recording = file.read(frames)
            else:
                recording = file if isinstance(file, Recording) else frames.read(file)
            events = frames.events(recording, image)
        except OSError as error:
            yield Prediction(file=name, error=f"{name}: cannot be read: {error.strerror or error}")
            continue
        except ValueError as error:  # Of a recording, or of a library that it needs.
            yield Prediction(file=name, error=str(error))
            continue
        answers = _by_step(driver, events, image) if by_step else [driver.run_events(events)]
        last = answers[-1]  # Its sums and counters are those of all steps.
        yield Prediction(
            file=name, label=last.prediction, name=names[last.prediction], logits=last.logits.tolist(),
            events=len(recording.events), spikes=len(events),
            cycles=last.cycles if len(last.counters) else None,
            running=[answer.prediction for answer in answers] if by_step else [],
        )


def _by_step(driver: Driver, events: np.ndarray, image: Image) -> list[Answer]:
    form = image.input
    return list(driver.stream(scatter(events, form.steps, form.height, form.width)))
