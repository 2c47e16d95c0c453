"""Files of arrays whose names and contents differ."""

import numpy as np
import pytest
from spikeplane.data.formats.array_files import read_arrays
from spikeplane.data.formats.files import DataError


def test_an_archive_named_as_an_array(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=np.arange(3))
    assert read_arrays(path)["images"].tolist() == [0, 1, 2]
    path = path.rename(tmp_path / "a.npy")
    with pytest.raises(DataError, match=rf"^{path}: not a readable file of arrays: an archive of arrays, whose"):
        read_arrays(path)
