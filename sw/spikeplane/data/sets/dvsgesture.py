"""DVS128 Gesture: eleven gestures of 29 persons."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..formats.aedat import DVS128, read_aedat
from ..formats.events import Recording, RecordingError, from_zero
from ..formats.files import DataError, locate

__all__ = ["CLASSES", "load_dvsgesture"]

FOLDER = "dvsgesture"
CLASSES = 11
LISTS = {"train": "trials_to_train.txt", "test": "trials_to_test.txt"}
COLUMNS = "class,startTime_usec,endTime_usec"


def load_dvsgesture(root: Path | None, part: str) -> Iterator[Recording]:
    """Yield the gestures of ``part``, ``"train"`` or ``"test"``, of the published archive, unpacked
    in ``root`` or ``root/dvsgesture``: lists of .aedat files, each with a table of its gestures."""
    names = locate(root, FOLDER, LISTS[part])
    lines = [line.strip() for line in names.read_text(encoding="utf-8", errors="replace").split()]
    if not lines:
        raise DataError(f"{names}: expected names of .aedat files, found none")
    for line in lines:
        path = names.parent / line
        table = path.with_name(f"{path.stem}_labels.csv")
        for expected in (path, table):
            if path.suffix != ".aedat" or not expected.is_file():
                raise DataError(f"{expected} is missing: {names} names {line}")
        yield from _gestures(path, table)


def _gestures(path: Path, table: Path) -> Iterator[Recording]:
    whole = from_zero(read_aedat(path, width=DVS128, height=DVS128), start=0)
    rows = table.read_text(encoding="utf-8", errors="replace").split()
    if rows[:1] != [COLUMNS]:
        raise DataError(f"{table}: expected the columns {COLUMNS}, found {rows[:1]}")
    for number, row in enumerate(rows[1:], 2):
        cells = row.split(",")
        if len(cells) != 3 or not all(cell.isdecimal() for cell in cells):
            raise DataError(f"{table}: line {number}: expected three integers, found {row}")
        label, start, end = map(int, cells)
        if not 1 <= label <= CLASSES:
            raise DataError(f"{table}: line {number}: class {label}, limit 1..{CLASSES}")
        first, last = np.searchsorted(whole.events["t"], [start, end])
        if first >= last:
            raise RecordingError(f"{path}: no event lies in {start}..{end} us, a gesture of {table}")
        part = Recording(
            name=f"{path}, {start} us", events=whole.events[first:last].copy(),
            width=whole.width, height=whole.height, label=label - 1,
        )
        yield from_zero(part, start)
