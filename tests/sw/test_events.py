"""Recordings and their time bins."""

import numpy as np
import pytest
from spikeplane.data.events import EVENT, Recording, RecordingError, TimeBins, scatter


def recording(*events, width=4, height=3):
    array = np.array([(t, x, y, p) for t, x, y, p in events], EVENT)
    return Recording(name="sample", events=array, width=width, height=height)


def test_step_events_are_unique_and_sorted():
    bins = TimeBins(steps=2, duration=100)
    events = bins.step_events(recording(
        (0, 3, 2, 1), (10, 1, 0, 0), (49, 3, 2, 1), (50, 0, 0, 1), (99, 0, 0, 0), (100, 2, 2, 1)
    ))
    assert events.tolist() == [(0, 1, 0, 0), (0, 3, 2, 1), (1, 0, 0, 0), (1, 0, 0, 1)]


def test_spikes_are_the_scattered_step_events():
    random = np.random.RandomState(0)
    events = np.empty(200, EVENT)
    events["t"] = np.sort(random.randint(0, 1000, 200))
    for field, limit in (("x", 4), ("y", 3), ("polarity", 2)):
        events[field] = random.randint(0, limit, 200)
    sample = Recording(name="random", events=events, width=4, height=3)
    bins = TimeBins(steps=7, duration=700, start=100)
    expected = np.zeros((7, 2, 3, 4), np.uint8)
    for t, x, y, polarity in events.tolist():
        if 100 <= t < 800:
            expected[(t - 100) // 100, polarity, y, x] = 1
    np.testing.assert_array_equal(bins.spikes(sample), expected)
    np.testing.assert_array_equal(scatter(bins.step_events(sample), 7, 3, 4), expected)


@pytest.mark.parametrize(("events", "message"), [
    ([], "sample: the recording has no events"),
    ([(0, 0, 0, 0), (1, 4, 0, 0)], "sample: event 1 has x = 4, which must be below 4"),
    ([(0, 0, 3, 0)], "sample: event 0 has y = 3, which must be below 3"),
    ([(0, 0, 0, 2)], "sample: event 0 has polarity = 2, which must be below 2"),
    ([(-1, 0, 0, 0)], "sample: event 0 has t = -1, below 0"),
    ([(5, 0, 0, 0), (4, 0, 0, 0)], "sample: event 1 at 4 us comes before event 0 at 5 us"),
    ([(500, 0, 0, 0)], "sample: no event lies in 0..100 us"),
])
def test_bad_recordings_are_refused(events, message):
    with pytest.raises(RecordingError) as caught:
        TimeBins(steps=2, duration=100).spikes(recording(*events))
    assert str(caught.value) == message


def test_events_of_another_type_are_refused():
    with pytest.raises(RecordingError, match="sample: events must be a one-dimensional array"):
        Recording(name="sample", events=np.zeros((3, 4)), width=4, height=3).verify()


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"duration": 1.5}, {"start": -1}])
def test_bad_bins_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} must be an integer"):
        TimeBins(**{"steps": 2, "duration": 100, **wrong})
