"""Files of N-MNIST's tools."""

import pytest
from spikeplane.data.formats.events import RecordingError
from spikeplane.data.formats.nmnist_bin import read_nmnist_bin


def test_marks_of_the_clock_are_named(tmp_path):
    path = tmp_path / "sample.bin"
    path.write_bytes(bytes([1, 2, 0x80, 0, 5, 0, 240, 0, 0, 6, 3, 4, 0, 0, 7]))
    with pytest.raises(RecordingError, match=(
        "event 1 has y = 240, a mark of the camera's clock and no pixel of 34 rows; clean the file's 1 marks"
    )):
        read_nmnist_bin(path)
    assert len(read_nmnist_bin(path, width=304, height=300).events) == 3


def test_a_cut_file_is_named(tmp_path):
    path = tmp_path / "sample.bin"
    path.write_bytes(bytes(9))
    with pytest.raises(RecordingError, match=r"sample\.bin: cut: expected a positive multiple of 5 bytes, found 9"):
        read_nmnist_bin(path)
