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
    with pytest.raises(RecordingError, match="expected an array y, found t, x, p"):
        read_numpy(path, None, 7, 5)
    with pytest.raises(RecordingError, match="arrays have no width and height; give them"):
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


def test_a_damaged_mat_file(tmp_path):
    pytest.importorskip("scipy.io")
    path = tmp_path / "sample.mat"
    path.write_bytes(b"MATLAB" * 40)
    with pytest.raises(RecordingError, match="not a readable MATLAB file of 240 bytes"):
        read_mat(path, None, 7, 5)
