"""Recordings."""

import numpy as np
import pytest
from spikeplane.data.formats.events import EVENT, Recording, RecordingError, from_zero, make_events


def recording(*events, width=4, height=3):
    array = np.array([(t, x, y, p) for t, x, y, p in events], EVENT)
    return Recording(name="sample", events=array, width=width, height=height)


@pytest.mark.parametrize(("events", "message"), [
    ([], "sample: the recording has no events"),
    ([(0, 0, 0, 0), (1, 4, 0, 0)], "sample: event 1 has x = 4, which must be below 4"),
    ([(0, 0, 3, 0)], "sample: event 0 has y = 3, which must be below 3"),
    ([(0, 0, 0, 2)], "sample: event 0 has polarity = 2, which must be below 2"),
    ([(-1, 0, 0, 0)], "sample: event 0 has t = -1, below 0"),
    ([(5, 0, 0, 0), (4, 0, 0, 0)], "sample: event 1 at 4 us comes before event 0 at 5 us"),
])
def test_bad_recordings_are_refused(events, message):
    with pytest.raises(RecordingError) as caught:
        recording(*events).verify()
    assert str(caught.value) == message


@pytest.mark.parametrize("size", [{"width": 0}, {"height": 65_537}])
def test_frames_beyond_16_bits_are_refused(size):
    (side, value), = size.items()
    with pytest.raises(RecordingError, match=rf"^sample: {side} {value}, must be in 1\.\.65536$"):
        recording((0, 0, 0, 0), **size).verify()


def test_times_beyond_the_limit_are_refused():
    with pytest.raises(RecordingError, match=f"^sample: an event has t = {2**62}, limit {2**62 - 1}$"):
        recording((0, 0, 0, 0), (2**62, 0, 0, 0)).verify()


def test_events_of_another_type_are_refused():
    with pytest.raises(RecordingError, match="sample: events must be a one-dimensional array"):
        Recording(name="sample", events=np.zeros((3, 4)), width=4, height=3).verify()


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float32, np.uint64])
def test_events_are_made_of_numbers_of_any_type(kind):
    events = make_events("sample", *(np.array(v, kind) for v in ([1, 2], [3, 4], [5, 6], [0, 1])))
    assert events.tolist() == [(1, 3, 5, 0), (2, 4, 6, 1)] and events.dtype == EVENT


@pytest.mark.parametrize(("change", "message"), [
    ({"x": [0, 65536]}, r"event 1 has x = 65536, which must be a whole number of 0\.\.65535"),
    ({"y": [-1, 0]}, "event 0 has y = -1, which"),
    ({"t": [0, 0.5]}, r"event 1 has t = 0\.5, which"),
    ({"t": [np.nan, 0]}, "event 0 has t = nan, which"),
    ({"polarity": [0, 256]}, "event 1 has polarity = 256, which"),
    ({"x": [0]}, "fields must be lists of one length, not of shapes"),
    ({"x": ["a", "b"]}, "x must be numbers, not <U1"),
])
def test_numbers_that_do_not_fit_are_refused(change, message):
    fields = {name: np.array(v) for name, v in {
        "t": [0, 1], "x": [0, 1], "y": [0, 1], "polarity": [0, 1], **change
    }.items()}
    with pytest.raises(RecordingError, match=f"^sample: {message}"):
        make_events("sample", **fields)


def test_times_from_zero():
    sample = recording((9, 1, 0, 0), (5, 2, 0, 0), (9, 3, 0, 1))
    assert from_zero(sample).events.tolist() == [(0, 2, 0, 0), (4, 1, 0, 0), (4, 3, 0, 1)]
    assert from_zero(sample, start=3).events["t"].tolist() == [2, 6, 6]
    assert sample.events["t"].tolist() == [9, 5, 9]
