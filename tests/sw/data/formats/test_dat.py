"""Files of Prophesee, version 2 of .dat."""

import numpy as np
from spikeplane.data.formats.dat import read_dat


def test_times_that_wrap(tmp_path):
    path = tmp_path / "sample.dat"
    words = [(2**32 - 9, 1), (3, 2 | 1 << 28)]
    path.write_bytes(b"% Version 2\n\x00\x08" + np.array(words, "<u4").tobytes())
    assert read_dat(path, None, 4, 4).events.tolist() == [(2**32 - 9, 1, 0, 0), (2**32 + 3, 2, 0, 1)]
