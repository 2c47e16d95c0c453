"""Files of one's own by class: folders of classes or a table say which, a list or a seed says which of them test."""

import csv
import warnings
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..formats.events import RecordingWarning
from ..formats.files import DataError
from .dataset import DataRecipe, FilesRecipe
from .split import split_training

__all__ = ["ClassFiles", "check_parts", "class_files", "files_of", "own_path", "test_samples"]

PARTS = ("train", "test")
FOLDERS, TABLE = "a folder with a folder for each class", "a CSV file with a column `file`"
"""What is expected where a recipe names a folder, and a table."""


@dataclass(kw_only=True)
class ClassFiles:
    """Files of one part, and the classes of all."""

    folder: Path
    names: tuple[str, ...]
    paths: list[Path] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)


def files_of(recipe: DataRecipe) -> FilesRecipe:
    """Return where the samples lie; a ValueError says that the recipe does not."""
    if recipe.files is None:
        raise ValueError(f"data.files is missing: {recipe.name} are files of yours; name them as in "
                         f'files = {{ train = "..." }}')
    return recipe.files


def own_path(root: Path | None, name: str, expected: str) -> Path:
    """Return the path of a file or folder that a recipe names: below ``root``, without one where the command runs.

    A DataError says that it is missing, what was ``expected``, and what says where it is looked for.
    """
    path = Path(name) if root is None else Path(root) / name
    if path.exists():
        return path
    if Path(name).is_absolute():
        where = ""
    elif root is None:
        where = "; without --data or SPIKEPLANE_DATA it is looked for where the command runs"
    else:
        where = (f"; {name} is looked for below {root}, which --data or SPIKEPLANE_DATA names, without these where the "
                 f"command runs")
    raise DataError(f"{path} is missing: expected {expected}{where}")


def check_parts(what: str, names: Collection[str], counts: dict[str, int]) -> None:
    """Raise a DataError if there are fewer than two classes, or a part has no samples."""
    if len(names) < 2:
        raise DataError(f"{what}: the class {', '.join(names) or 'none'} alone; two or more are needed to tell apart")
    for part, count in counts.items():
        if not count:
            raise DataError(f"{what}: the {part} part has no samples")


def test_samples(what: str, labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of training and test samples: of each class its share tests, chosen by a seed.

    A DataError says that none of the samples, of the file or folder ``what``, would train.
    """
    count = round(share * len(labels))
    if count >= len(labels):
        raise DataError(f"{what}: with data.files.test_share {share:g} all of {len(labels)} samples test, and none "
                        f"trains: set a smaller one")
    return split_training(labels, count, seed)


def class_files(recipe: DataRecipe, root: Path | None, part: str, endings: Collection[str]) -> ClassFiles:
    """Return the files of ``part``, "train" or "test", in the order of the table, or in a random one that a seed says.

    A file belongs to the class of the folder that it lies in, or to the one that the table says. Files with other
    ``endings``, and links to folders within that of a class, are left out, which warnings say; hidden ones are no files
    of a data set. A DataError names a folder that is missing or empty or whose name is no UTF-8, a link that leads
    nowhere, a class alone, and what in the table is wrong.
    """
    files = files_of(recipe)
    if files.table is not None:
        table = own_path(root, files.table, TABLE)
        return _by_table(files, own_path(root, files.train, "the folder of the table's files"), table, part)
    folder = own_path(root, files.train, FOLDERS)
    entries = _by_folder(folder, endings)
    names = _class_names(files, folder, [name for name, _ in entries])
    if files.test is None:
        chosen = _labelled(folder, names, entries)
        rest, held = test_samples(str(folder), np.array(chosen.labels), files.test_share, files.seed)
        check_parts(str(folder), names, {"train": len(rest), "test": len(held)})
        return _mixed(chosen, rest if part == "train" else held, files.seed)
    check_parts(str(folder), names, {"train": len(entries)})
    if part == "test":
        folder = own_path(root, files.test, FOLDERS)
        entries = _by_folder(folder, endings)
    return _mixed(_labelled(folder, names, entries), np.arange(len(entries)), files.seed)


def _mixed(found: ClassFiles, indices: np.ndarray, seed: int) -> ClassFiles:
    """Return some files in a random order: of folders, the first samples would be of one class."""
    order = indices[np.random.RandomState(seed).permutation(len(indices))]
    return ClassFiles(
        folder=found.folder, names=found.names, paths=[found.paths[index] for index in order],
        labels=[found.labels[index] for index in order],
    )


def _by_folder(folder: Path, endings: Collection[str]) -> list[tuple[str, Path]]:
    """Return (class, path) of each file below a folder of folders of classes."""
    if not folder.is_dir():
        raise DataError(f"{folder}: expected {FOLDERS}, found a file")
    entries = _entries(folder, "*")
    classes = [path for path in entries if path.is_dir()]
    if not classes:
        raise DataError(f"{folder}: expected a folder for each class, found none")
    found, others, linked = [], [], []
    for each in classes:
        name, below = _class_name(each), _entries(each, "**/*")
        paths = [path for path in below if path.is_file()]
        linked += [path for path in below if path.is_symlink() and path.is_dir()]
        wanted = [path for path in paths if path.suffix.lower() in endings]
        others += [path for path in paths if path.suffix.lower() not in endings]
        if not wanted:
            raise DataError(f"{each}: the folder of a class is empty: expected files that end in one of "
                            f"{', '.join(endings)}, found {f'{len(paths)} others' if paths else 'none'}")
        found += [(name, path) for path in wanted]
    others += [path for path in entries if path.is_file()]
    if linked:
        warnings.warn(
            f"{folder}: {len(linked)} links to folders are left out, the first one {linked[0]}: only the folder of a "
            f"class may be one", RecordingWarning, stacklevel=2,
        )
    if others:
        warnings.warn(
            f"{folder}: {len(others)} files are left out, the first one {others[0]}: they lie in no class's folder, or "
            f"end in none of {', '.join(endings)}", RecordingWarning, stacklevel=2,
        )
    return found


def _entries(folder: Path, pattern: str) -> list[Path]:
    """Return what is in a folder in its order, nothing that is hidden; a DataError names a link that leads nowhere."""
    found = sorted(
        path for path in folder.glob(pattern)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    for path in found:
        if path.is_symlink() and not path.exists():
            raise DataError(f"{path}: a link to {path.readlink()}, which is missing: remove it, or link what was moved")
    return found


def _class_name(folder: Path) -> str:
    """Return the name of a class's folder; a DataError says that no report could show it."""
    try:
        folder.name.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{folder.parent}: the folder of a class has the name {folder.name!r}, which is no UTF-8: "
                        f"rename it") from error
    return folder.name


def _order(name: str) -> tuple:
    """Return a key that sorts numbers by their value, before words."""
    return (0, int(name), name) if name.isascii() and name.isdecimal() else (1, 0, name)


def _class_names(files: FilesRecipe, what: Path, found: list[str]) -> tuple[str, ...]:
    """Return the names of the classes in the order of their labels."""
    unique = sorted(set(found), key=_order)
    if files.classes is None:
        return tuple(unique)
    unknown = sorted(set(unique) - set(files.classes))
    if unknown:
        raise DataError(f"{what}: class {unknown[0]!r} is none of data.files.classes, {', '.join(files.classes)}")
    return tuple(files.classes)


def _labelled(folder: Path, names: tuple[str, ...], entries: list[tuple[str, Path]]) -> ClassFiles:
    for name, path in entries:
        if name not in names:
            raise DataError(f"{path}: class {name!r} is none of the training part's, {', '.join(names)}")
    return ClassFiles(
        folder=folder, names=names, paths=[path for _, path in entries],
        labels=[names.index(name) for name, _ in entries],
    )


def _by_table(files: FilesRecipe, folder: Path, table: Path, part: str) -> ClassFiles:
    rows = _rows(table)
    entries = []
    for line, row in rows:
        path = folder / row["file"]
        if not path.is_file():
            raise DataError(f"{table}: line {line}: {path} is missing")
        name = row.get("class") or (Path(row["file"]).parts[0] if len(Path(row["file"]).parts) > 1 else "")
        if not name:
            raise DataError(f"{table}: line {line}: no class: neither a column `class` nor a folder says it")
        if "part" in row and row["part"] not in PARTS:
            raise DataError(f"{table}: line {line}: part {row['part']!r}, must be one of {', '.join(PARTS)}")
        entries.append((name, path, row.get("part")))
    names = _class_names(files, table, [name for name, *_ in entries])
    whole = _labelled(folder, names, [(name, path) for name, path, _ in entries])
    if "part" in rows[0][1]:
        chosen = {each: [index for index, entry in enumerate(entries) if entry[2] == each] for each in PARTS}
    else:
        split = test_samples(str(table), np.array(whole.labels), files.test_share, files.seed)
        chosen = {each: indices.tolist() for each, indices in zip(PARTS, split, strict=True)}
    check_parts(str(table), names, {each: len(chosen[each]) for each in PARTS})
    return ClassFiles(
        folder=folder, names=names, paths=[whole.paths[index] for index in chosen[part]],
        labels=[whole.labels[index] for index in chosen[part]],
    )


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    """Return (line, values by column) of a CSV file."""
    if not table.is_file():
        raise DataError(f"{table}: expected {TABLE}, found a folder")
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = reader.fieldnames or []
            if "file" not in columns or len(set(columns)) < len(columns):
                raise DataError(f"{table}: expected the column `file`, and class, part or both, found "
                                f"{', '.join(columns) or 'none'}")
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(f"{table}: line {reader.line_num}: expected {len(columns)} values")
                rows.append((reader.line_num, {name: value.strip() for name, value in row.items()}))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{table}: not a readable CSV file: {error}") from error
    if not rows:
        raise DataError(f"{table}: it names no files")
    seen: dict[str, int] = {}
    for line, row in rows:
        if row["file"] in seen:
            raise DataError(f"{table}: line {line}: {row['file']} is in line {seen[row['file']]} already")
        seen[row["file"]] = line
    return rows
