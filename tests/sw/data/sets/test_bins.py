"""Bins of recordings."""

import numpy as np
import pytest
from spikeplane.data.formats.events import EVENT, Recording, RecordingError
from spikeplane.data.sets.bins import CountBins, TimeBins, scatter


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


def test_events_outside_all_bins_are_refused():
    with pytest.raises(RecordingError, match=r"^sample: no event lies in 0\.\.100 us$"):
        TimeBins(steps=2, duration=100).spikes(recording((500, 0, 0, 0)))


def test_bins_may_end_with_the_recording():
    spikes = TimeBins(steps=2).spikes(recording((0, 0, 0, 0), (9, 1, 0, 0), (10, 2, 0, 0), (19, 3, 0, 0)))
    assert [np.flatnonzero(step[0, 0]).tolist() for step in spikes] == [[0, 1], [2, 3]]


@pytest.mark.parametrize(("count", "steps"), [(7, 3), (3, 7), (8, 4), (1, 1)])
def test_bins_of_equal_count(count, steps):
    sample = recording(*((1000 + t * t, t, 0, 1) for t in range(count)), width=count)
    events = CountBins(steps=steps).step_events(sample)
    counts = np.bincount(events["step"], minlength=steps)
    assert counts.sum() == count and counts.max() - counts.min() <= 1
    assert (np.diff(events["x"][np.argsort(events["step"], kind="stable")]) == 1).all()


@pytest.mark.parametrize("downsample", [1, 2, 3])
@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_cells_spike_from_the_threshold_on(downsample, threshold):
    random = np.random.RandomState(0)
    sample = recording(*(
        (t, random.randint(5), random.randint(7), random.randint(2)) for t in range(200)
    ), width=5, height=7)
    bins = CountBins(steps=2, downsample=downsample, threshold=threshold)
    sums = np.zeros((2, 2, -(-7 // downsample), -(-5 // downsample)), int)
    for index, (_, x, y, polarity) in enumerate(sample.events.tolist()):
        sums[index // 100, polarity, y // downsample, x // downsample] += 1
    np.testing.assert_array_equal(bins.spikes(sample), sums >= threshold)


@pytest.mark.parametrize(("height", "width", "side"), [(7, 5, 3), (5, 7, 7), (128, 128, 48), (1000, 2000, 60)])
def test_a_side_is_that_of_the_longer_one(height, width, side):
    corners = [(0, x, y, 1) for y in range(0, height, 3) for x in range(0, width, 3)]
    sample = recording(*corners, (0, width - 1, height - 1, 0), width=width, height=height)
    events = CountBins(steps=1, side=side).step_events(sample)
    longer = max(height, width)
    cells = {(x * side // longer, y * side // longer, 1) for _, x, y, _ in corners}
    last = ((width - 1) * side // longer, (height - 1) * side // longer)
    assert {(x, y, p) for _, x, y, p in events.tolist()} == cells | {(*last, 0)}
    assert CountBins(steps=1, side=side).size(sample) == (last[1] + 1, last[0] + 1)
    assert max(last) + 1 == side


def test_a_side_that_is_no_reduction_is_refused():
    with pytest.raises(RecordingError, match=r"^sample: 3 x 4 pixels make no 5 cells a side$"):
        CountBins(steps=1, side=5).spikes(recording((0, 0, 0, 0)))
    with pytest.raises(ValueError, match=r"^side 5 and downsample 2 exclude each other$"):
        CountBins(steps=1, side=5, downsample=2)


def test_numpy_integers_are_integers():
    sample = recording((0, 1, 1, 1), (69_999, 2, 2, 0))
    bins = TimeBins(steps=np.uint8(200), duration=sample.events["t"][-1] + 1, start=np.int16(0), downsample=np.uint8(2))
    assert bins == TimeBins(steps=200, duration=70_000, downsample=2) and type(bins.steps) is int
    assert bins.step_events(sample).tolist() == [(0, 0, 0, 1), (199, 1, 1, 0)]


def test_steps_end_where_their_16_bits_do():
    sample = recording((0, 1, 1, 1), (65_535, 1, 1, 1))
    assert TimeBins(steps=65_536).step_events(sample)["step"].tolist() == [0, 65_535]
    with pytest.raises(ValueError, match=r"^steps must be an integer in 1\.\.65536, not 70000$"):
        TimeBins(steps=70_000)


@pytest.mark.parametrize("steps", [1, 3, 7, 1000])
@pytest.mark.parametrize("duration", [1, 5, 700, 2**40 + 1, 2**61 + 7])
def test_bins_of_long_times_are_exact(steps, duration):
    times = sorted({duration * k // 13 for k in range(14)} | {duration * k // steps for k in range(0, steps + 1, 7)})
    sample = recording(*((t, k % 997, k // 997, 1) for k, t in enumerate(times)), width=1000)
    events = TimeBins(steps=steps, duration=duration).step_events(sample)
    expected = {(k % 997, k // 997): t * steps // duration for k, t in enumerate(times) if t < duration}
    assert {(x, y): step for step, x, y, _ in events.tolist()} == expected


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"duration": 1.5}, {"start": -1}, {"downsample": 0},
                                   {"threshold": 0}, {"side": 0}, {"steps": np.float64(2)}, {"duration": 2**62}])
def test_bad_bins_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} must be an integer"):
        TimeBins(**{"steps": 2, "duration": 100, **wrong})
