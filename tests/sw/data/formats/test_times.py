"""Times of events."""

import numpy as np
import pytest
from spikeplane.data.formats.events import TIME_LIMIT, RecordingError
from spikeplane.data.formats.times import DISORDER, require_order, unwrap


@pytest.mark.parametrize("width", [12, 23, 28, 32])
def test_counters_that_wrap(width):
    random = np.random.RandomState(width)
    counts = np.cumsum(random.randint(0, 1 << width - 5, 500)) + random.randint(1 << width - 1)
    late = counts.copy()
    late[1::7] -= 3
    np.testing.assert_array_equal(unwrap(counts % (1 << width), width), counts)
    np.testing.assert_array_equal(unwrap(late % (1 << width), width), late)


def test_a_step_back_that_is_no_wrap_stays():
    assert unwrap(np.array([3000, 0, 5], np.uint16), 12).tolist() == [3000, 0, 5]
    assert unwrap(np.array([7, 4095, 6], np.uint16), 12).tolist() == [7, 4095, 4102]
    assert unwrap(np.array([], np.uint32), 32).tolist() == []


def test_times_may_be_late_but_not_start_again():
    require_order("sample", np.array([], np.int64))
    require_order("sample", np.array([5, 50_000, 50_000 - DISORDER, 90_000]))
    with pytest.raises(RecordingError, match=(
        r"^sample: event 3 at 39997 us comes after one at 50000 us, limit 10000 us back: its times start again; "
    )):
        require_order("sample", np.array([5, 50_000, 44_000, 39_997]))
    with pytest.raises(RecordingError, match=f"^sample: times of -5..{2**62} us, limit {TIME_LIMIT} us in all"):
        require_order("sample", np.array([-5, 2**62]))
