"""Recordings in files of NumPy and MATLAB."""

import numpy as np
import pytest
from recording_samples import random_events
from spikeplane.data.formats.arrays import read_mat, read_numpy
from spikeplane.data.formats.events import RecordingError

EVENTS = random_events(60, 7, 5)
COLUMNS = {name: EVENTS[field] for name, field in zip("txyp", EVENTS.dtype.names, strict=True)}
SIGNED = np.where(COLUMNS["p"], 1, -1)


@pytest.mark.parametrize("columns", [
    COLUMNS,
    {name: values.astype(float) for name, values in COLUMNS.items()},
    COLUMNS | {"p": SIGNED.astype(np.int8)},
    COLUMNS | {"p": COLUMNS["p"].astype(bool)},
])
def test_an_npz_file(tmp_path, columns):
    path = tmp_path / "sample.npz"
    np.savez(path, **columns, more=np.zeros(3))
    recording = read_numpy(path, 2, 7, 5)
    assert recording.events.tolist() == EVENTS.tolist() and recording.label == 2


def test_an_npy_file(tmp_path):
    path = tmp_path / "sample.npy"
    np.save(path, EVENTS)
    assert read_numpy(path, None, 7, 5).events.tolist() == EVENTS.tolist()
    np.save(path, np.zeros((3, 4)))
    with pytest.raises(RecordingError, match=r"expected an array t or ts .* found none"):
        read_numpy(path, None, 7, 5)


def test_pickles_are_refused(tmp_path):
    path = tmp_path / "sample.npz"
    np.savez(path, **(COLUMNS | {"x": np.array([{}], object)}))
    with pytest.raises(RecordingError, match="not a readable NumPy file: Object arrays cannot"):
        read_numpy(path, None, 7, 5)


def test_missing_values_are_named(tmp_path):
    path = tmp_path / "sample.npz"
    np.savez(path, t=[1], x=[2], p=[1])
    with pytest.raises(RecordingError, match=r"expected an array y, found t, x, p$"):
        read_numpy(path, None, 7, 5)
    np.savez(path, time=[1], xs=[2], ys=[1], pol=[1])
    with pytest.raises(RecordingError, match=r"expected an array t or ts .*, found time, xs, ys, pol$"):
        read_numpy(path, None, 7, 5)
    np.save(tmp_path / "sample.npy", np.zeros(2, [("time", int), ("x", int)]))
    with pytest.raises(RecordingError, match=r"expected an array t or ts .*, found time, x$"):
        read_numpy(tmp_path / "sample.npy", None, 7, 5)
    with pytest.raises(RecordingError, match="the file names no width; give width and height"):
        read_numpy(path)


@pytest.mark.parametrize("change", [
    {}, {"p": SIGNED}, {name: COLUMNS[name].astype(float) + 1 for name in "xyp"},
])
@pytest.mark.parametrize("struct", [False, True])
def test_a_mat_file(tmp_path, change, struct):
    scipy_io = pytest.importorskip("scipy.io")
    path = tmp_path / "sample.mat"
    values = COLUMNS | change
    values["ts"] = values.pop("t")
    scipy_io.savemat(path, {"TD": values} if struct else values)
    assert read_mat(path, None, 7, 5).events.tolist() == EVENTS.tolist()


ORIGINS = [-5_000_000, 0, 5_000_000, 1_700_000_000_000_000]


@pytest.mark.parametrize("start", ORIGINS)
@pytest.mark.parametrize(("kind", "unit", "factor"), [
    (np.int64, None, 1), (np.int64, "us", 1), (np.int64, "ns", 1000), (np.uint64, "ns", 1000),
    ("datetime64[us]", None, 1), ("datetime64[ns]", None, 1000), ("timedelta64[us]", None, 1), (float, None, 1),
    ("timedelta64[ns]", "ns", 1000), ("timedelta64[20us]", None, 1),
])
def test_times_of_any_origin_and_unit(tmp_path, start, kind, unit, factor):
    own = EVENTS["t"] // 20 * 20
    times = own * factor + start * factor + 7 * (factor > 1)
    times = (times // 20).astype(kind) if kind == "timedelta64[20us]" else times.astype(kind)
    path = tmp_path / "sample.npz"
    np.savez(path, **(COLUMNS | {"t": times}))
    np.testing.assert_array_equal(read_numpy(path, None, 7, 5, unit).events["t"], own)


@pytest.mark.parametrize(("kind", "start"), [
    (np.uint64, 2**64 - 10**6), (np.int64, -(2**63)), (np.int64, 2**63 - 10**6),
])
def test_times_at_the_ends_of_64_bits(tmp_path, kind, start):
    path = tmp_path / "sample.npz"
    np.savez(path, **(COLUMNS | {"t": EVENTS["t"].astype(kind) + kind(start)}))
    assert read_numpy(path, None, 7, 5).events.tolist() == EVENTS.tolist()


@pytest.mark.parametrize("start", [0.0, 1.7e9])
def test_times_of_seconds(tmp_path, start):
    path = tmp_path / "sample.npz"
    np.savez(path, **(COLUMNS | {"t": EVENTS["t"] / 1e6 + start}))
    assert read_numpy(path, None, 7, 5, "s").events.tolist() == EVENTS.tolist()
    with pytest.raises(RecordingError, match=r"event \d+ has t = .*, which must be a whole number of us: name the"):
        read_numpy(path, None, 7, 5)


@pytest.mark.parametrize(("t", "unit", "message"), [
    ([0, 1], "min", "unit of times 'min', must be one of s, ms, us, ns"),
    (["a", "b"], None, "t must be numbers, not <U1"),
    ([0.0, np.nan], "s", "event 1 has t = nan, which must be a number: name the file's unit"),
    ([0, 2**63 - 1], "s", r"event 1 has t = 9223372036854775807, which must be at most \d+ us after the first"),
    ([-(2**63), 2**63 - 1], None, "event 1 has t = 9223372036854775807, which must be at most"),
    (np.array([0, 5], "m8[ns]"), "us", r"t is timedelta64\[ns\], a unit of ns, must be us"),
    (np.array([0, 5], "M8[D]"), None, "a unit of D, must be one of s, ms, us, ns"),
    (np.array(["2026-01-01", "NaT"], "M8[us]"), None, "event 1 has t = NaT, which must be a time"),
    ([3, 2], None, "event 1 at 0 us comes before event 0 at 1 us"),
])
def test_times_that_fit_not(tmp_path, t, unit, message):
    path = tmp_path / "sample.npz"
    np.savez(path, t=t, x=[0, 1], y=[0, 1], p=[0, 1])
    with pytest.raises(RecordingError, match=message):
        read_numpy(path, None, 2, 2, unit)


@pytest.mark.parametrize(("change", "message"), [
    ({"p": COLUMNS["p"] + 1}, "polarity counts from 1, as in MATLAB, but an event has x = 0; take 1 off polarity"),
    ({"x": COLUMNS["x"] + 1, "y": COLUMNS["y"] + 1},
     r"x is in 1\.\.7, so it seems to count from 1, as in MATLAB, but polarity does not; take 1 off x and y"),
    ({"y": COLUMNS["y"] + 1}, r"y is in 1\.\.5, so it seems to count from 1"),
    ({"p": COLUMNS["p"] * 3}, r"event \d+ has polarity 3\.0, must be 0 and 1, -1 and 1, or, where x and y count"),
])
def test_what_counts_from_one_alone_is_named(tmp_path, change, message):
    scipy_io = pytest.importorskip("scipy.io")
    path = tmp_path / "sample.mat"
    scipy_io.savemat(path, COLUMNS | {name: values.astype(float) for name, values in change.items()})
    with pytest.raises(RecordingError, match=message):
        read_mat(path, None, 7, 5)


@pytest.mark.parametrize("x", [["a", "b"], np.array([1, 2], "M8[us]"), [[1], [2]]])
def test_fields_of_other_types_are_refused(tmp_path, x):
    path = tmp_path / "sample.npz"
    for field in "xp":
        np.savez(path, **({"t": [0, 1], "x": [0, 1], "y": [0, 1], "p": [0, 1]} | {field: x}))
        with pytest.raises(RecordingError, match=r"must be numbers|must be lists of one length"):
            read_numpy(path, None, 2, 2)


def test_a_header_that_claims_more_than_the_file_has(tmp_path):
    path = tmp_path / "sample.npy"
    np.save(path, EVENTS)
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"'shape': (60,), }  ", b"'shape': (6000,), }"))
    with pytest.raises(RecordingError, match=r"the header claims \d+ bytes of .*, the file has \d+$"):
        read_numpy(path, None, 7, 5)


def test_missing_values_of_a_mat_file_are_named(tmp_path):
    scipy_io = pytest.importorskip("scipy.io")
    scipy_io.savemat(tmp_path / "sample.mat", {"time": [1], "x": [2]})
    with pytest.raises(RecordingError, match=r"expected an array t or ts .*, found time, x$"):
        read_mat(tmp_path / "sample.mat", None, 7, 5)


def test_a_damaged_mat_file(tmp_path):
    pytest.importorskip("scipy.io")
    path = tmp_path / "sample.mat"
    path.write_bytes(b"MATLAB" * 40)
    with pytest.raises(RecordingError, match="not a readable MATLAB file of 240 bytes"):
        read_mat(path, None, 7, 5)
