"""What lies in folders of classes: links, names that are no text, and where files are looked for."""

import os
from pathlib import Path

import pytest
from own_files import bar_events, recording_folder, write_npz
from spikeplane.data.formats.events import RecordingWarning
from spikeplane.data.formats.files import DataError
from spikeplane.data.sets import class_files
from spikeplane.data.sets.datasets import DataRecipe, FilesRecipe


def found(root: Path | None, part: str = "train", **files):
    recipe = DataRecipe(name="recordings", steps=3, files=FilesRecipe(**{"train": "bars"} | files))
    return class_files.class_files(recipe, root, part, [".npz"])


def test_a_link_that_leads_nowhere_is_named(tmp_path):
    folder = recording_folder(tmp_path / "bars")
    (folder / "lies" / ".hidden.npz").symlink_to("/gone/0.npz")
    assert len(found(tmp_path).paths) == 16
    for path in (folder / "lies" / "deeper" / "0.npz", folder / "leans"):
        path.parent.mkdir(exist_ok=True)
        path.symlink_to("/gone/0.npz")
        with pytest.raises(DataError, match=rf"^{path}: a link to /gone/0.npz, which is missing: remove it, or link"):
            found(tmp_path)
        path.unlink()


def test_what_is_hidden_is_no_sample(tmp_path):
    folder = recording_folder(tmp_path / "bars")
    for hidden in (folder / "lies" / ".git" / "below", folder / ".git"):
        write_npz(hidden / "0.npz", bar_events(0, 0))
    whole = found(tmp_path)
    assert whole.names == ("lies", "stands") and len(whole.paths) == 16


def test_linked_folders_within_a_class_are_left_out_aloud(tmp_path):
    folder = recording_folder(tmp_path / "bars")
    other = recording_folder(tmp_path / "other") / "lies"
    (folder / "lies" / "more").symlink_to(other)
    message = f"{folder}: 1 links to folders are left out, the first one {folder}/lies/more: only the folder of a"
    with pytest.warns(RecordingWarning, match=message):
        assert len(found(tmp_path).paths) == 16


def test_files_and_the_folder_of_a_class_may_be_links(tmp_path):
    folder = recording_folder(tmp_path / "bars")
    recording_folder(tmp_path / "other", names=("leans", "bends"))
    (folder / "leans").symlink_to(tmp_path / "other" / "leans")
    (folder / "lies" / "more.npz").symlink_to(tmp_path / "other" / "bends" / "00.npz")
    whole = found(tmp_path, test_share=0.1)
    assert whole.names == ("leans", "lies", "stands") and len(whole.paths) == 28


def test_the_name_of_a_class_is_utf_8(tmp_path):
    folder = recording_folder(tmp_path / "bars")
    write_npz(folder / os.fsdecode(b"caf\xe9") / "0.npz", bar_events(0, 0))
    with pytest.raises(DataError, match=rf"^{folder}: the folder of a class has the name 'caf\\udce9', which is no"):
        found(tmp_path)
    (folder / os.fsdecode(b"caf\xe9")).rename(folder / "café")
    assert found(tmp_path, test_share=0.1).names == ("café", "lies", "stands")


@pytest.mark.parametrize("table", [None, "list.csv"])
def test_some_samples_must_train(tmp_path, table):
    folder = recording_folder(tmp_path / "bars", 20)
    lines = [f"{name}/{index:02}.npz" for name in ("lies", "stands") for index in range(20)]
    (tmp_path / "list.csv").write_text("\n".join(["file", *lines]))
    assert len(found(tmp_path, table=table, test_share=0.98).paths) == 1
    message = f"^{tmp_path / table if table else folder}: with data.files.test_share 0.99 all of 40 samples test, and"
    with pytest.raises(DataError, match=message):
        found(tmp_path, table=table, test_share=0.99)


def test_where_files_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    assert class_files.own_path(None, "here", "a folder") == Path("here")
    assert class_files.own_path(tmp_path / "root", str(tmp_path / "here"), "a folder") == tmp_path / "here"
    for root, name, message in (
        (tmp_path / "root", "here", f"{tmp_path}/root/here is missing: expected a folder; here is looked for below "
         f"{tmp_path}/root, which --data or SPIKEPLANE_DATA names, without these where the command runs"),
        (None, "bars", "bars is missing: expected a folder; without --data or SPIKEPLANE_DATA it is looked for where "
         "the command runs"),
        (tmp_path, "/gone/bars", "/gone/bars is missing: expected a folder"),
    ):
        with pytest.raises(DataError, match=f"^{message}$"):
            class_files.own_path(root, name, "a folder")


def test_what_is_missing_says_where_it_was_looked_for(tmp_path):
    folder = recording_folder(tmp_path / "bars")
    for files, name in (({"train": "a"}, "a"), ({"table": "b"}, "b"), ({"test": "c"}, "c")):
        with pytest.raises(DataError, match=f"{name} is missing: expected .*; {name} is looked for below .* --data "):
            found(tmp_path, "test", **files)
    with pytest.raises(DataError, match=r"00.npz: expected a folder with a folder for each class, found a file"):
        found(folder, train="lies/00.npz")
    with pytest.raises(DataError, match=r"lies: expected a CSV file with a column `file`, found a folder"):
        found(folder, train="lies", table="lies")
