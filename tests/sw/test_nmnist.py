"""N-MNIST files."""

import os
from pathlib import Path

import numpy as np
import pytest
from spikeplane.data.events import EVENT, RecordingError
from spikeplane.data.files import DataError
from spikeplane.data.nmnist import load_nmnist, read_nmnist_bin, read_packed_events

DATA = os.environ.get("SPIKEPLANE_DATA")
SAMPLE = [(7, 33, 0, 1), (7, 0, 33, 0), (70000, 5, 6, 1), (300000, 1, 2, 0)]


def encode(events) -> bytes:
    return b"".join(
        bytes([x, y]) + (polarity << 23 | t).to_bytes(3, "big") for t, x, y, polarity in events
    )


def pack(*recordings) -> dict[str, np.ndarray]:
    events = [event for recording in recordings for event in recording]
    gaps = np.concatenate([np.diff([0] + [e[0] for e in recording]) for recording in recordings])
    return {
        "offsets": np.cumsum([0] + [len(r) for r in recordings]).astype(np.uint32),
        "dt_lo": (gaps & 255).astype(np.uint8), "dt_hi": (gaps >> 8).astype(np.uint8),
        "x": np.array([e[1] for e in events], np.uint8),
        "y": np.array([e[2] for e in events], np.uint8),
        "p": np.packbits([e[3] for e in events]),
        "label": np.arange(len(recordings), dtype=np.uint8),
    }


SHORT = [(t // 10, x, y, p) for t, x, y, p in SAMPLE]


def test_official_recordings(tmp_path):
    folder = tmp_path / "Train" / "3"
    folder.mkdir(parents=True)
    (folder / "00001.bin").write_bytes(encode(SAMPLE))
    (recording,) = load_nmnist(tmp_path, "train")
    assert recording.events.tolist() == SAMPLE and recording.events.dtype == EVENT
    assert recording.label == 3


def test_packed_recordings(tmp_path):
    (tmp_path / "nmnist_small").mkdir()
    path = tmp_path / "nmnist_small" / "nmnist_test100.npz"
    np.savez(path, **pack(SHORT, SHORT[1:]))
    first, second = load_nmnist(tmp_path, "test")
    assert first.events.tolist() == SHORT and second.events.tolist() == SHORT[1:]
    assert [first.label, second.label] == [0, 1]


@pytest.mark.parametrize("raw", [b"", b"1234", encode(SAMPLE)[:-1]])
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


@pytest.mark.parametrize(("change", "message"), [
    ({"x": np.zeros(3, np.uint8)}, "x has 3 entries, expected 4"),
    ({"offsets": np.array([0, 5, 4], np.uint32)}, "label has 1 entries, expected 2"),
    ({"offsets": np.array([1, 4], np.uint32)}, "offsets must rise from 0"),
])
def test_inconsistent_archives_are_refused(tmp_path, change, message):
    path = tmp_path / "bad.npz"
    np.savez(path, **(pack(SHORT) | change))
    with pytest.raises(DataError, match=message):
        read_packed_events(path)


def test_foreign_archives_are_refused(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, x=np.zeros(3))
    with pytest.raises(DataError, match=r"'offsets'.* missing"):
        read_packed_events(path)
    path.write_bytes(b"no zip")
    with pytest.raises(DataError, match="not a readable npz file"):
        read_packed_events(path)
    with pytest.raises(DataError, match=r"nmnist_train1K.npz is missing: expected"):
        load_nmnist(tmp_path, "train")


@pytest.mark.skipif(DATA is None, reason="SPIKEPLANE_DATA names no folder of data sets")
def test_the_real_files():
    recordings = load_nmnist(Path(DATA), "test")
    assert len(recordings) == 100
    assert sum(len(recording.events) for recording in recordings) == 385596
    assert [recording.label for recording in recordings[:8]] == [7, 2, 1, 0, 4, 1, 4, 9]
