"""A model of an event camera, and the three saccades that it watches an image with.

Each pixel keeps a reference level of log intensity. Where the log intensity has moved a contrast
threshold away, the pixel emits an event of that polarity and moves its reference by a threshold.
"""

from dataclasses import dataclass

import numpy as np

from ..formats.events import EVENT

__all__ = ["EventCamera", "Saccades"]


@dataclass(frozen=True, kw_only=True)
class Saccades:
    """A path along three sides of a triangle, as the camera of N-MNIST moved."""

    amplitude: float = 3.0
    """Width and height of the triangle in pixels."""
    duration: int = 100_000
    """Microseconds a saccade takes."""
    jitter: float = 0.5
    """Largest offset of a whole path, in pixels, drawn for each recording."""

    @property
    def total(self) -> int:
        """Microseconds of the whole path."""
        return 3 * self.duration

    def position(self, time: float) -> np.ndarray:
        """Return the (y, x) offset of the image, in pixels, ``time`` microseconds in."""
        corners = np.array([(-0.5, -0.5), (0.5, 0.0), (-0.5, 0.5), (-0.5, -0.5)]) * self.amplitude
        side, part = divmod(min(time, self.total) / self.duration, 1)
        return corners[int(side)] * (1 - part) + corners[min(int(side) + 1, 3)] * part


@dataclass(frozen=True, kw_only=True)
class EventCamera:
    """A sensor of ``height`` x ``width`` pixels."""

    width: int = 16
    height: int = 16
    threshold: float = 0.5
    """Change of the natural logarithm of intensity that makes an event."""
    mismatch: float = 0.05
    """Standard deviation of a pixel's threshold, relative."""
    dark_level: float = 0.3
    """Intensity where the image is black; white adds 1."""
    noise_rate: float = 0.2
    """Events a second that a pixel emits for no reason."""
    sample_time: int = 2_000
    """Microseconds between samples of the intensity; crossings in between are interpolated."""

    def record(self, images: np.ndarray, path: Saccades, seeds: list[int]) -> list[np.ndarray]:
        """Return the events, EVENT arrays in time order, of each image moved along ``path``.

        ``images`` is float (count, rows, columns) in 0..1, stretched to the frame. A recording
        depends on its own image and seed only.
        """
        draws = [np.random.RandomState(seed) for seed in seeds]
        offset = np.array([d.uniform(-path.jitter, path.jitter, 2) for d in draws])
        size = (self.height, self.width)
        threshold = self.threshold * np.array(
            [np.clip(d.normal(1, self.mismatch, size), 0.5, 1.5) for d in draws]
        )
        noise = [self._noise(d, path.total) for d in draws]

        previous = self._log_intensity(images, path.position(0) + offset)
        reference = previous.copy()
        found: list[tuple[np.ndarray, ...]] = []
        for end in range(self.sample_time, path.total + 1, self.sample_time):
            level = self._log_intensity(images, path.position(end) + offset)
            while True:
                difference = level - reference
                index = np.nonzero(np.abs(difference) >= threshold)
                if not len(index[0]):
                    break
                polarity = difference[index] > 0
                reference[index] += np.where(polarity, 1, -1) * threshold[index]
                # The reference may have been crossed at the end of the last sample already.
                part = (reference[index] - previous[index]) / (level[index] - previous[index])
                time = end - self.sample_time * (1 - np.clip(part, 0, 1))
                time = np.minimum(time.astype(np.int64), end - 1)
                found.append((*index, time, polarity))
            previous = level
        recording, y, x, time, polarity = (
            np.concatenate([f[i] for f in found]) if found else np.zeros(0, np.int64)
            for i in range(5)
        )
        events = np.empty(len(time), EVENT)
        events["t"], events["x"], events["y"], events["polarity"] = time, x, y, polarity
        order = np.argsort(recording, kind="stable")
        bounds = np.searchsorted(recording[order], np.arange(1, len(images)))
        parts = np.split(events[order], bounds)
        return [
            np.sort(np.concatenate(pair), order=["t", "y", "x", "polarity"])
            for pair in zip(parts, noise, strict=True)
        ]

    def _log_intensity(self, images: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """Return log intensity (count, height, width) of images moved by ``offset`` (count, 2)."""
        rows = self._interpolation(images.shape[1], self.height, offset[:, 0])
        columns = self._interpolation(images.shape[2], self.width, offset[:, 1])
        moved = rows @ images @ columns.transpose(0, 2, 1)
        return np.log(moved + self.dark_level)

    @staticmethod
    def _interpolation(source: int, target: int, offset: np.ndarray) -> np.ndarray:
        """Return linear interpolation matrices (count, target, source); black outside."""
        center = (np.arange(target) + 0.5 - offset[:, None]) * source / target - 0.5
        return np.maximum(0, 1 - np.abs(center[:, :, None] - np.arange(source)))

    def _noise(self, draw: np.random.RandomState, total: int) -> np.ndarray:
        """Return noise events, uniform over pixels, time and polarity."""
        rate = self.noise_rate * self.width * self.height * total * 1e-6
        events = np.empty(draw.poisson(rate), EVENT)
        for field, limit in (("t", total), ("x", self.width), ("y", self.height), ("polarity", 2)):
            events[field] = draw.randint(0, limit, len(events))
        return events
