"""DVS128 Gesture files."""

import numpy as np
import pytest
from recording_samples import aedat_3_1, random_events
from spikeplane.data.formats.events import RecordingError
from spikeplane.data.formats.files import DataError
from spikeplane.data.sets.datasets import DataRecipe, load_dataset
from spikeplane.data.sets.dvsgesture import COLUMNS, load_dvsgesture

EVENTS = random_events(500, 128, 128)
TIME = EVENTS["t"].tolist()
ROWS = [(8, TIME[20], TIME[100]), (11, TIME[100] + 1, TIME[480])]
NAME = "user01_led"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "dvsgesture"
    folder.mkdir()
    (folder / "trials_to_train.txt").write_text(f"{NAME}.aedat\r\n\n")
    (folder / f"{NAME}.aedat").write_bytes(aedat_3_1(EVENTS))
    write_table(folder, ROWS)
    return tmp_path


def write_table(folder, rows, header=COLUMNS):
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    (folder / f"{NAME}_labels.csv").write_text("\n".join(lines) + "\n")


def test_gestures(root):
    found = list(load_dvsgesture(root, "train"))
    assert [recording.label for recording in found] == [7, 10]
    for recording, (_, start, end) in zip(found, ROWS, strict=True):
        expected = EVENTS[(EVENTS["t"] >= start) & (EVENTS["t"] < end)].copy()
        expected["t"] -= start
        assert recording.events.tolist() == expected.tolist()
    dataset = load_dataset(DataRecipe(name="dvsgesture", steps=4, downsample=4), "train", root)
    assert dataset.inputs.shape == (2, 4, 2, 32, 32) and dataset.classes == 11
    assert (np.count_nonzero(dataset.inputs, axis=(2, 3, 4)) > 0).all()


@pytest.mark.parametrize(("rows", "message"), [
    ([(12, 0, 5)], r"_labels\.csv: line 2: class 12, limit 1\.\.11"),
    ([(0, 0, 5)], r"class 0, limit 1\.\.11"),
    ([*ROWS, (1, 2)], "line 4: expected three integers, found 1,2"),
    ([(1, "x", 2)], "line 2: expected three integers, found 1,x,2"),
])
def test_wrong_tables_are_refused(root, rows, message):
    write_table(root / "dvsgesture", rows)
    with pytest.raises(DataError, match=message):
        list(load_dvsgesture(root, "train"))


def test_missing_and_wrong_files_are_named(root):
    folder = root / "dvsgesture"
    with pytest.raises(DataError, match=r"trials_to_test\.txt is missing: expected"):
        list(load_dvsgesture(root, "test"))
    write_table(folder, [(1, TIME[-1] + 1, TIME[-1] + 2)])
    with pytest.raises(RecordingError, match=r"no event lies in \d+\.\.\d+ us, a gesture of"):
        list(load_dvsgesture(root, "train"))
    write_table(folder, ROWS, "label,start,end")
    with pytest.raises(DataError, match="expected the columns class,startTime_usec,endTime_usec"):
        list(load_dvsgesture(root, "train"))
    (folder / f"{NAME}_labels.csv").unlink()
    with pytest.raises(DataError, match=r"user01_led_labels\.csv is missing: .* names user01_led\.aedat"):
        list(load_dvsgesture(root, "train"))
    (folder / "trials_to_train.txt").write_text("\n")
    with pytest.raises(DataError, match=r"expected names of \.aedat files, found none"):
        list(load_dvsgesture(root, "train"))
