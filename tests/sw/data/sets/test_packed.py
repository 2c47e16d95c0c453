"""Packed recordings."""

import numpy as np
import pytest
from packed_samples import SAMPLE, pack
from spikeplane.data.formats.files import DataError
from spikeplane.data.sets.packed import read_packed_events


@pytest.mark.parametrize(("change", "message"), [
    ({"x": np.zeros(3, np.uint8)}, "x has 3 entries, expected 4"),
    ({"offsets": np.array([0, 5, 4], np.uint32)}, "label has 1 entries, expected 2"),
    ({"offsets": np.array([1, 4], np.uint32)}, "offsets must rise from 0"),
    ({"offsets": np.array([], np.uint32)}, "offsets must be a list of integers"),
    ({"offsets": np.array([0.0, 4.0])}, "offsets must be a list of integers"),
    ({"x": np.zeros((4, 1), np.uint8)}, "x must be a list of integers"),
    ({"dt_lo": np.zeros(4, np.int64)}, "dt_lo must be bytes, not int64"),
])
def test_inconsistent_archives_are_refused(tmp_path, change, message):
    path = tmp_path / "bad.npz"
    np.savez(path, **(pack(SAMPLE) | change))
    with pytest.raises(DataError, match=message):
        read_packed_events(path, 34, 34)


def test_foreign_archives_are_refused(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, x=np.zeros(3))
    with pytest.raises(DataError, match=r"'offsets'.* missing"):
        read_packed_events(path, 34, 34)
    path.write_bytes(b"no zip")
    with pytest.raises(DataError, match="not a readable npz file"):
        read_packed_events(path, 34, 34)
