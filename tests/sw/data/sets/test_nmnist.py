"""N-MNIST files."""

import os

import pytest
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
    (folder / "._00001.bin").write_bytes(bytes(65))
    with pytest.raises(DataError, match=r"as 0/\*\.bin to 9/\*\.bin, found 2, 1 of them \._\* of macOS; delete these$"):
        list(load_nmnist(tmp_path, "train"))


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
    with pytest.raises(DataError, match=r"^Train is missing: expected the published folder .*/nmnist/Train or"):
        list(load_nmnist(tmp_path, "train"))
    (tmp_path / "nmnist" / "Train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"expected 60000 recordings as 0/\*\.bin to 9/\*\.bin, found 0"):
        list(load_nmnist(tmp_path, "train"))
