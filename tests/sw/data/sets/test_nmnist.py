"""N-MNIST files."""

import os
from pathlib import Path

import numpy as np
import pytest
from packed_samples import SAMPLE, pack
from spikeplane.data.formats.events import EVENT, RecordingError
from spikeplane.data.formats.files import DataError
from spikeplane.data.formats.nmnist_bin import read_nmnist_bin
from spikeplane.data.sets import nmnist
from spikeplane.data.sets.nmnist import load_nmnist

DATA = os.environ.get("SPIKEPLANE_DATA")
LONG = [(7, 33, 0, 1), (7, 0, 33, 0), (70000, 5, 6, 1), (300000, 1, 2, 0)]


def encode(events) -> bytes:
    return b"".join(
        bytes([x, y]) + (polarity << 23 | t).to_bytes(3, "big") for t, x, y, polarity in events
    )


def test_official_recordings(tmp_path, monkeypatch):
    monkeypatch.setitem(nmnist.COUNTS, "train", 1)
    folder = tmp_path / "Train" / "3"
    folder.mkdir(parents=True)
    (folder / "00001.bin").write_bytes(encode(LONG))
    (recording,) = load_nmnist(tmp_path, "train")
    assert recording.events.tolist() == LONG and recording.events.dtype == EVENT
    assert recording.label == 3


def test_packed_recordings(tmp_path):
    (tmp_path / "nmnist_small").mkdir()
    path = tmp_path / "nmnist_small" / "nmnist_test100.npz"
    np.savez(path, **pack(SAMPLE, SAMPLE[1:]))
    first, second = load_nmnist(tmp_path, "test")
    assert first.events.tolist() == SAMPLE and second.events.tolist() == SAMPLE[1:]
    assert [first.label, second.label] == [0, 1]


@pytest.mark.parametrize("raw", [b"", b"1234", encode(LONG)[:-1]])
def test_cut_recordings_are_refused(tmp_path, raw):
    path = tmp_path / "cut.bin"
    path.write_bytes(raw)
    with pytest.raises(RecordingError, match=f"a positive multiple of 5 bytes, found {len(raw)}"):
        read_nmnist_bin(path)


def test_events_out_of_frame_are_refused(tmp_path):
    path = tmp_path / "wide.bin"
    path.write_bytes(encode([(0, 34, 0, 0)]))
    with pytest.raises(RecordingError, match="event 0 has x = 34, which must be below 34"):
        read_nmnist_bin(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"nmnist_train1K.npz is missing: .*\(or .* nmnist/Train/0"):
        list(load_nmnist(tmp_path, "train"))
    (tmp_path / "nmnist" / "Train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"expected 60000 recordings as 0/\*\.bin to 9/\*\.bin, found 0"):
        list(load_nmnist(tmp_path, "train"))


@pytest.mark.skipif(DATA is None, reason="SPIKEPLANE_DATA names no folder of data sets")
def test_the_real_files():
    recordings = list(load_nmnist(Path(DATA), "test"))
    assert len(recordings) == 100
    assert sum(len(recording.events) for recording in recordings) == 385596
    assert [recording.label for recording in recordings[:8]] == [7, 2, 1, 0, 4, 1, 4, 9]
