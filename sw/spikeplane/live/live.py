"""Live events through a board: one request a time step, a running prediction, and what was lost and how late it was."""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from ..data.formats.events import Recording, RecordingError
from ..data.sets.bins import STEP_EVENT, Bins, CountBins
from ..device.driver import Answer, Driver
from ..image_data import class_names
from ..quantiles import quantiles
from .bin_queue import BinQueue, EventBin
from .sources import Source

__all__ = ["FEEDER", "QUEUE", "LiveStatistics", "LiveStep", "run_live"]

FEEDER = "spikeplane live"
"""The name of the thread that reads events."""
QUEUE = 8
"""Bins that wait for the board at most, unless another number is asked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveStep:
    """What the board says after a time step."""

    index: int
    """Of the bin: what is missing was dropped."""
    label: int
    """The class with the greatest logit over the last steps."""
    name: str
    logits: list[float]
    """Of these steps."""
    events: int
    """That came in the bin."""
    spikes: int
    """That the board was sent."""
    latency: float | None
    """Seconds from the last event of the bin to the logits; None: the bin is empty."""

    def to_dict(self) -> dict:
        """Return plain values."""
        return dict(vars(self))


@dataclass(kw_only=True)
class LiveStatistics:
    """What came, what was lost, and how late the answers were."""

    steps: int = 0
    events: int = 0
    """In the bins that the board ran."""
    spikes: int = 0
    outside: int = 0
    """Events beyond the sensor's frame, which are left out."""
    dropped_bins: int = 0
    dropped_events: int = 0
    bytes_left: int = 0
    """That were no whole event."""
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def quantiles(self) -> dict[str, float]:
        """Latencies in seconds, by the names of QUANTILES in ``quantiles.py``; empty where no bin had events."""
        return quantiles(self.latencies)

    @property
    def rows(self) -> list[tuple[str, str]]:
        """All of it in words."""
        rate = f"{self.events / self.seconds:,.0f} events/s" if self.seconds else "-"
        rows = [("time steps", f"{self.steps:,} in {self.seconds:.2f} s"), ("events", f"{self.events:,}, {rate}"),
                ("spikes sent", f"{self.spikes:,}"),
                ("dropped: the board was slower", f"{self.dropped_bins:,} steps with {self.dropped_events:,} events"),
                ("left out: beyond the frame", f"{self.outside:,} events")]
        if self.bytes_left:
            rows.append(("left out: no whole event", f"{self.bytes_left:,} bytes"))
        return rows + [(f"latency, {name}", f"{1000 * value:.2f} ms") for name, value in self.quantiles.items()]


def run_live(
    driver: Driver, source: Source, every: float | Fraction, bins: Bins, size: tuple[int, int], *, queue: int = QUEUE,
    window: int | None = None, statistics: LiveStatistics | None = None,
    show: Callable[[LiveStep, np.ndarray, np.ndarray], object] | None = None,
) -> Generator[LiveStep, None, None]:
    """Yield what the image on ``driver`` says after each time step of ``every`` seconds of ``source``.

    ``bins`` say which pixels make a cell, and how many events a spike; ``size`` is (height, width) of the sensor. The
    image must have the schedule STORED. Where the board is slower than the source, the oldest of ``queue`` bins is
    dropped: its step is not run, and is counted in ``statistics``; a source that is patient waits. Predictions are of
    the last ``window`` steps, None: of as many as the image was trained on. A RecordingError says that the sensor's
    frame is not the image's. ``show`` is given each step, its spikes, STEP_EVENT, and the device's counters since the
    first step; without, no counters are read.
    """
    image = driver.image
    if image is None:
        raise ValueError("no image is loaded on the board")
    statistics = LiveStatistics() if statistics is None else statistics
    window = image.input.steps if window is None else window
    if window < 1 or not every > 0:
        raise ValueError(f"a window of {window} steps of {float(every)} s, must be of 1 or more that take time")
    names = class_names(image.metadata, len(image.logit_offset))
    cells = CountBins(steps=1, downsample=bins.downsample, side=bins.side, threshold=bins.threshold)
    frame = Recording(name=source.name, events=np.zeros(0), height=size[0], width=size[1])
    made, wanted = (2, *cells.size(frame)), (image.input.channels, image.input.height, image.input.width)
    if made != wanted:
        raise RecordingError(f"{source.name}: a sensor of {size[0]} x {size[1]} pixels makes {made}, the image takes "
                             f"{wanted}: give --side, --downsample, or --width and --height")
    waiting, stopping = BinQueue(queue), threading.Event()
    feeder = threading.Thread(target=_feed, args=(source, every, waiting, stopping), name=FEEDER, daemon=True)
    taken: list[tuple[EventBin, np.ndarray]] = []

    def steps() -> Iterator[np.ndarray]:
        while (found := waiting.take()) is not None:
            spikes, outside = _spikes(found.events, cells, frame)
            statistics.outside += outside
            taken.append((found, spikes))
            yield spikes

    totals: deque[np.ndarray] = deque([np.zeros(len(names), np.int64)], maxlen=window + 1)
    begun = time.monotonic()
    feeder.start()
    answers = driver.stream(steps(), counted=show is not None)
    try:
        for answer in answers:
            now = time.monotonic()
            found, spikes = taken.pop()
            totals.append(answer.sums)
            logits = _logits(answer, totals, image.logit_scale, image.logit_offset, image.input.steps)
            latency = None if found.arrived is None else now - found.arrived
            label = int(np.argmax(logits))
            statistics.steps += 1
            statistics.events += len(found.events)
            statistics.spikes += len(spikes)
            statistics.latencies += [] if latency is None else [latency]
            _measure(statistics, waiting, source, now - begun)
            step = LiveStep(
                index=found.index, label=label, name=names[label], logits=logits.tolist(), events=len(found.events),
                spikes=len(spikes), latency=latency,
            )
            if show is not None:
                show(step, spikes, answer.counters)
            yield step
    finally:
        stopping.set()
        waiting.end()
        answers.close()
        feeder.join()
        source.close()
        _measure(statistics, waiting, source, time.monotonic() - begun)


def _feed(source: Source, every: float | Fraction, waiting: BinQueue, stopping: threading.Event) -> None:
    try:
        for found in source.bins(every, stopping):
            if not waiting.put(found, wait=source.patient):
                return
    except Exception as error:  # It is raised where bins are taken.
        waiting.end(error)
    finally:
        waiting.end()


def _measure(statistics: LiveStatistics, waiting: BinQueue, source: Source, seconds: float) -> None:
    statistics.dropped_bins, statistics.dropped_events = waiting.dropped_bins, waiting.dropped_events
    statistics.bytes_left, statistics.seconds = source.bytes_left, seconds


def _spikes(events: np.ndarray, cells: CountBins, frame: Recording) -> tuple[np.ndarray, int]:
    """Return the spikes of a bin, STEP_EVENT, and how many events lie beyond the frame."""
    inside = (events["x"] < frame.width) & (events["y"] < frame.height)
    kept = events[inside].copy()
    if not len(kept):
        return np.zeros(0, STEP_EVENT), len(events)
    kept["t"] = 0  # Within a bin they count alike.
    return cells.step_events(replace(frame, events=kept)), len(events) - len(kept)


def _logits(
    answer: Answer, totals: deque[np.ndarray], scale: float, offset: np.ndarray, steps: int
) -> np.ndarray:
    """Return the logits of the last steps; sums are those since the first step, and wrap as the device's do."""
    sums = (answer.sums - totals[0]).astype(np.int32).astype(np.int64)
    return scale * (sums + offset * ((len(totals) - 1) / steps))
