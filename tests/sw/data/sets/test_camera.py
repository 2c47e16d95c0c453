"""The event camera model."""

import numpy as np
import pytest
from spikeplane.data.formats.events import Recording
from spikeplane.data.sets.camera import EventCamera, Saccades

IDEAL = EventCamera(mismatch=0.0, noise_rate=0.0)
STILL = Saccades(jitter=0.0)


def square():
    image = np.zeros((1, 8, 8))
    image[0, 2:6, 2:6] = 1
    return image


def test_events_follow_the_log_intensity():
    (events,) = IDEAL.record(square(), STILL, [0])
    Recording(name="square", events=events, width=16, height=16).verify()
    assert events["t"][-1] < STILL.total
    # The path ends where it began: each pixel has seen its own level again, so it has emitted as
    # many events of one polarity as of the other, but for the last threshold of hysteresis.
    balance = np.zeros((16, 16))
    np.add.at(balance, (events["y"], events["x"]), events["polarity"] * 2.0 - 1)
    assert np.abs(balance).max() <= 1
    assert len(events) > 100


def test_threshold_counts():
    # A pixel going from black to white emits one event for each threshold in between.
    camera = EventCamera(width=1, height=1, mismatch=0.0, noise_rate=0.0, threshold=0.3)
    images = np.ones((1, 1, 1))
    path = Saccades(amplitude=2.0, jitter=0.0)
    start, end = (
        camera._log_intensity(images, path.position(time)[None])
        for time in (0, path.duration // 2)
    )
    crossed = int(((end - start) / camera.threshold).item())
    (events,) = camera.record(images, path, [0])
    rising = events[(events["t"] < path.duration // 2)]
    assert crossed >= 2
    assert rising["polarity"].tolist() == [1] * crossed


def test_recordings_depend_on_their_own_image_and_seed_only():
    camera = EventCamera()
    images = np.random.RandomState(3).rand(3, 8, 8)
    together = camera.record(images, Saccades(), [5, 6, 7])
    (alone,) = camera.record(images[1:2], Saccades(), [6])
    np.testing.assert_array_equal(together[1], alone)
    (other,) = camera.record(images[1:2], Saccades(), [8])
    assert not np.array_equal(other, alone)


def test_a_still_black_frame_shows_only_noise():
    black = np.zeros((2, 8, 8))
    assert [len(events) for events in IDEAL.record(black, STILL, [0, 1])] == [0, 0]
    noisy = EventCamera(noise_rate=5.0).record(black, STILL, [0, 1])
    expected = 5.0 * 16 * 16 * STILL.total * 1e-6
    assert [len(events) for events in noisy] == pytest.approx([expected] * 2, rel=0.3)


def test_path_is_a_triangle():
    path = Saccades(amplitude=2.0, duration=100)
    corners = [path.position(time).tolist() for time in (0, 100, 200, 300)]
    assert corners == [[-1, -1], [1, 0], [-1, 1], [-1, -1]]
    assert path.position(50).tolist() == [0, -0.5]
