"""Folders of one's own: classes, splits, the cache, and what bad ones are called."""

import os
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
from own_files import SIZE, bar_events, bar_images, recording_folder, write_aedat, write_npz
from PIL import EpsImagePlugin, Image
from spikeplane.data.formats.events import Recording, RecordingError, RecordingWarning
from spikeplane.data.formats.files import DataError
from spikeplane.data.sets import contents, own_folders, row_cache, samples
from spikeplane.data.sets.bins import TimeBins
from spikeplane.data.sets.datasets import DataRecipe, FilesRecipe, load_dataset, load_parts
from spikeplane.data.sets.own_folders import read_image
from spikeplane.data.sets.samples import StoredSamples


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(contents, "SETTLED", 0)
    return tmp_path / "cache" / "spikeplane" / "samples"


@pytest.fixture
def reads(monkeypatch):
    """Paths of recordings that are read, in their order."""
    seen = []
    read = own_folders.read_recording

    def reading(path, **options):
        seen.append(path.name)
        return read(path, **options)

    monkeypatch.setattr(own_folders, "read_recording", reading)
    return seen


def recipe(**files) -> DataRecipe:
    options = {"train": "bars", "width": SIZE, "height": SIZE} | files
    return DataRecipe(name="recordings", steps=3, files=FilesRecipe(**options))


def load_both(chosen, root):
    return [load_dataset(chosen, part, root) for part in ("train", "test")]


def test_recordings_by_folder(tmp_path):
    recording_folder(tmp_path / "bars")
    train, test = (load_dataset(recipe(), part, tmp_path) for part in ("train", "test"))
    assert train.class_names == test.class_names == ("lies", "stands")
    assert train.input.shape == (3, 2, SIZE, SIZE)
    assert (len(train.labels), len(test.labels)) == (16, 4)
    assert np.bincount(test.labels).tolist() == [2, 2]
    expected = {}
    for label, name in ((1, "lies"), (0, "stands")):
        for index in range(10):
            recording = Recording(name="", events=bar_events(label, 2 * index + label), width=SIZE, height=SIZE)
            expected[TimeBins(steps=3).spikes(recording).tobytes()] = train.class_names.index(name)
    for part in (train, test):
        assert [expected[each.tobytes()] for each in part.inputs] == part.labels.tolist()
    assert {each.tobytes() for each in train.inputs}.isdisjoint(each.tobytes() for each in test.inputs)


def test_another_seed_is_another_split(tmp_path):
    recording_folder(tmp_path / "bars")
    first, again, other = (
        load_dataset(recipe(seed=seed), "test", tmp_path).inputs.tobytes() for seed in (0, 0, 1)
    )
    assert first == again != other


def test_a_recording_is_read_once(tmp_path, reads):
    recording_folder(tmp_path / "bars")
    first = load_dataset(recipe(), "train", tmp_path)
    assert len(reads) == 16
    load_dataset(recipe(), "test", tmp_path)
    assert sorted(reads) == sorted(2 * [f"{index:02}.npz" for index in range(10)])
    np.testing.assert_array_equal(load_dataset(recipe(), "train", tmp_path).inputs, first.inputs)
    (tmp_path / "bars").rename(tmp_path / "moved")
    load_dataset(recipe(train="moved"), "train", tmp_path)
    assert len(reads) == 20
    load_dataset(replace(recipe(train="moved"), steps=4), "train", tmp_path)
    assert len(reads) == 36


def test_a_file_of_another_content_is_read_again(tmp_path, reads):
    folder = recording_folder(tmp_path / "bars")
    before = load_dataset(recipe(test_share=0.1), "train", tmp_path)
    path = folder / "lies" / "03.npz"
    status = path.stat()
    write_npz(path, bar_events(1, 99))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    reads.clear()
    after = load_dataset(recipe(test_share=0.1), "train", tmp_path)
    assert reads == ["03.npz"]
    assert (before.inputs != after.inputs).any()


def test_a_file_that_was_just_written_is_looked_at_again(tmp_path, monkeypatch):
    """Its times may be those of a later content."""
    monkeypatch.setattr(contents, "SETTLED", 10**12)
    path = tmp_path / "a"
    path.write_bytes(b"one")
    first, = contents.Contents(tmp_path).digests([path])
    assert not contents.Contents(tmp_path)._known
    path.write_bytes(b"two")
    assert contents.Contents(tmp_path).digests([path]) != [first]


def test_what_was_read_before_a_bad_file_is_kept(tmp_path, reads):
    folder = recording_folder(tmp_path / "bars")
    path = folder / "stands" / "05.npz"
    good = path.read_bytes()
    path.write_bytes(good[:100])
    chosen = recipe(test_share=0.05)
    with pytest.raises(RecordingError, match=f"^{path}: not a readable NumPy file"):
        load_dataset(chosen, "train", tmp_path)
    done = len(reads)
    assert 1 < done < 19
    path.write_bytes(good)
    load_dataset(chosen, "train", tmp_path)
    assert len(reads) == 19 + 1  # The bad one twice, all others once.


def test_the_cache_survives_a_kill_and_names_damage(tmp_path, cache, reads):
    recording_folder(tmp_path / "bars")
    expected = load_dataset(recipe(), "train", tmp_path).inputs.copy()
    index, = cache.glob("*.index")
    rows, = cache.glob("*.rows")
    index.write_bytes(index.read_bytes()[:-5])
    rows.write_bytes(rows.read_bytes() + b"cut")
    reads.clear()
    np.testing.assert_array_equal(load_dataset(recipe(), "train", tmp_path).inputs, expected)
    assert len(reads) == 1
    content = bytearray(rows.read_bytes())
    content[3] ^= 1
    rows.write_bytes(content)
    with pytest.raises(DataError, match=rf"^{rows}: row 0 is cut or damaged: remove {cache}, a cache$"):
        load_dataset(recipe(), "train", tmp_path)


def test_sets_larger_than_the_memory_stay_in_files(tmp_path, monkeypatch):
    recording_folder(tmp_path / "bars")
    whole = load_dataset(recipe(), "train", tmp_path)
    monkeypatch.setattr(samples, "HELD_LIMIT", 1000)
    monkeypatch.setattr(samples, "PART", 5000)
    part, held = load_parts(replace(recipe(), validation=4), tmp_path)
    assert held is not None and isinstance(part.inputs, StoredSamples) and isinstance(held.inputs, StoredSamples)
    stored = load_dataset(recipe(), "train", tmp_path)
    assert stored.inputs.nbytes == whole.inputs.nbytes and stored.inputs.shape == whole.inputs.shape
    assert stored.checksum == whole.checksum
    for index in (3, -1, slice(2, 9), np.array([5, 0]), whole.labels == 1):
        np.testing.assert_array_equal(stored.inputs[index], whole.inputs[index])
    with pytest.raises(IndexError):
        stored.inputs[16]
    assert sorted([*part.inputs[:].sum((1, 2, 3, 4)), *held.inputs[:].sum((1, 2, 3, 4))]) == sorted(
        whole.inputs.sum((1, 2, 3, 4))
    )


def test_parts_by_folder(tmp_path):
    recording_folder(tmp_path / "bars")
    recording_folder(tmp_path / "other", 3)
    assert len(load_dataset(recipe(test="other"), "train", tmp_path).labels) == 20
    assert len(load_dataset(recipe(test="other"), "test", tmp_path).labels) == 6
    write_npz(tmp_path / "other" / "leans" / "00.npz", bar_events(0, 1))
    with pytest.raises(DataError, match=r"other/leans/00.npz: class 'leans' is none of the training part's, lies, st"):
        load_dataset(recipe(test="other"), "test", tmp_path)


def test_parts_and_classes_by_table(tmp_path):
    folder = tmp_path / "bars"
    lines = ["file,class,part"]
    for index in range(8):
        write_npz(folder / f"{index}.npz", bar_events(index % 2, index))
        lines.append(f"{index}.npz,{(2, 10)[index % 2]},{'test' if index > 5 else 'train'}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    found = load_dataset(recipe(table="list.csv"), "train", tmp_path)
    assert found.class_names == ("2", "10") and found.labels.tolist() == [0, 1] * 3
    assert load_dataset(recipe(table="list.csv"), "test", tmp_path).labels.tolist() == [0, 1]
    (tmp_path / "list.csv").write_text("\n".join(line.rpartition(",")[0] for line in lines))
    assert len(load_dataset(recipe(table="list.csv", test_share=0.5), "test", tmp_path).labels) == 4


@pytest.mark.parametrize(("table", "message"), [
    (None, "list.csv is missing: expected a CSV file with a column `file`"),
    ("", "expected the column `file`, and class, part or both, found none"),
    ("name,class\na,b", "expected the column `file`, and class, part or both, found name, class"),
    ("file,class", "it names no files"),
    ("file,class\n0.npz", "line 2: expected 2 values"),
    ("file,class\nabsent.npz,a", "line 2: .*absent.npz is missing"),
    ("file,part\n0.npz,train", "line 2: no class: neither a column `class` nor a folder says it"),
    ("file,class,part\n0.npz,a,dev", "line 2: part 'dev', must be one of train, test"),
    ("file,class\n0.npz,a\n0.npz,b", "line 3: 0.npz is in line 2 already"),
    ("file,class,part\n0.npz,a,train\n1.npz,a,test", "the class a alone; two or more are needed to tell apart"),
    ("file,class,part\n0.npz,a,train\n1.npz,b,train", "the test part has no samples"),
])
def test_bad_tables_are_named(tmp_path, table, message):
    for index in range(2):
        write_npz(tmp_path / "bars" / f"{index}.npz", bar_events(0, index))
    if table is not None:
        (tmp_path / "list.csv").write_text(table)
    with pytest.raises(DataError, match=message):
        load_dataset(recipe(table="list.csv"), "train", tmp_path)


def test_bad_folders_are_named(tmp_path):
    folder = tmp_path / "bars"
    for message in ("bars is missing: expected a folder with", "bars: expected a folder for each class, found none"):
        with pytest.raises(DataError, match=message):
            load_dataset(recipe(), "train", tmp_path)
        folder.mkdir(exist_ok=True)
    (folder / "stands").mkdir()
    with pytest.raises(DataError, match=r"stands: the folder of a class is empty: expected files that end in one of"):
        load_dataset(recipe(), "train", tmp_path)
    write_npz(folder / "stands" / "0.npz", bar_events(0, 0))
    with pytest.raises(DataError, match="the class stands alone; two or more are needed to tell apart"):
        load_dataset(recipe(), "train", tmp_path)
    write_npz(folder / "lies" / "0.npz", bar_events(1, 0))
    with pytest.raises(DataError, match="the test part has no samples"):
        load_dataset(recipe(), "train", tmp_path)
    with pytest.raises(ValueError, match=r"^data\.files is missing: recordings are files of yours"):
        load_dataset(DataRecipe(name="recordings", steps=2), "train", tmp_path)
    with pytest.raises(ValueError, match=r"^data\.files is set, but mnist is none of arrays, images, recordings"):
        load_dataset(replace(recipe(), name="mnist"), "train", tmp_path)


def test_events_beyond_the_frame_and_other_sizes_are_named(tmp_path):
    folder = recording_folder(tmp_path / "bars", 5)
    write_npz(folder / "lies" / "07.npz", bar_events(1, 1, size=SIZE + 2))
    with pytest.raises(RecordingError, match=r"lies/07.npz: event \d+ has x = \d+, which must be below 12"):
        load_both(recipe(), tmp_path)


def test_frames_of_other_sizes_are_named(tmp_path):
    for index in range(4):
        write_aedat(tmp_path / "bars" / "lies" / f"{index}.aedat", bar_events(1, index))
        path = tmp_path / "bars" / "stands" / f"{index}.bin"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes([3, index, 0, 0, 5]))
    message = r"it makes an input of \(3, 2, (34|128), .*, .* one of \(3, 2, (128|34), .*: all must have one size"
    with pytest.raises(RecordingError, match=message):
        load_dataset(recipe(width=None, height=None, test_share=0.3), "train", tmp_path)


def test_files_that_are_no_recordings_are_left_out_aloud(tmp_path):
    folder = recording_folder(tmp_path / "bars")
    (folder / "lies" / "notes.txt").write_text("")
    (folder / "lies" / ".hidden").write_text("")
    with pytest.warns(RecordingWarning, match=r"bars: 1 files are left out, the first one .*notes.txt"):
        found = load_dataset(recipe(), "train", tmp_path)
    assert len(found.labels) == 16


def test_warnings_of_a_file_are_kept_with_it(tmp_path, monkeypatch):
    recording_folder(tmp_path / "bars", 3)
    read = own_folders.read_recording

    def reading(path, **options):
        warnings.warn(f"{path.name} lost a part", RecordingWarning, stacklevel=2)
        return read(path, **options)

    monkeypatch.setattr(own_folders, "read_recording", reading)
    for _ in range(2):
        with pytest.warns(RecordingWarning, match="lost a part"):
            load_dataset(recipe(), "train", tmp_path)
        monkeypatch.setattr(own_folders, "read_recording", None)


def write_images(folder, count=6, mode="L", size=(10, 8)):
    images, labels = bar_images(count)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / ("stands", "lies")[label] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).resize(size).convert(mode).save(path)
    return folder


def test_images_by_folder(tmp_path):
    write_images(tmp_path / "pictures", 10)
    chosen = DataRecipe(name="images", steps=2, bits=8, files=FilesRecipe(train="pictures"))
    found = load_dataset(chosen, "train", tmp_path)
    assert found.input.shape == (1, 8, 10) and found.input.direct and found.class_names == ("lies", "stands")
    path, = (tmp_path / "pictures").glob("lies/1.png")
    assert any((np.asarray(Image.open(path)) == each[0]).all() for each in found.inputs)
    few = load_dataset(replace(chosen, bits=2), "train", tmp_path)
    assert few.inputs.max() == 3
    resized = load_dataset(replace(chosen, files=FilesRecipe(train="pictures", width=5, height=4, colours=3)),
                           "train", tmp_path)
    assert resized.input.shape == (3, 4, 5)


def test_greys_of_16_bits_keep_their_upper_8(tmp_path):
    values = np.array([[0, 128, 129], [257, 32896, 65535]], np.uint16)
    Image.fromarray(values).save(path := tmp_path / "wide.png")
    assert read_image(path, colours=1).tolist() == [[[0, 0, 1], [1, 128, 255]]]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_white_is_behind_what_is_transparent(tmp_path, mode):
    """What is drawn in the alpha channel alone, black on black, is seen."""
    image = Image.new("RGBA", (3, 1), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (255, 0, 0, 255))
    transparent = {"transparency": 1} if mode == "P" else {}
    if mode == "P":
        image = Image.new("P", (3, 1))
        image.putpalette([0, 0, 0, 9, 9, 9, 255, 0, 0])
        image.putpixel((1, 0), 1)
        image.putpixel((2, 0), 2)
    image.convert(mode).save(path := tmp_path / "drawn.png", **transparent)
    found = read_image(path, colours=3)[:, 0].T.tolist()
    assert found[:2] == [[0, 0, 0], [255, 255, 255]] and found[2] == ([76] * 3 if mode == "LA" else [255, 0, 0])


def test_images_start_no_other_program(tmp_path, monkeypatch):
    """Whatever a file is called, PostScript in it is not run."""
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *arguments: pytest.fail("Ghostscript is called"))
    path = tmp_path / "drawn.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n%%EOF\n")
    with pytest.raises(DataError, match=r"drawn.png: not a readable image: cannot identify image file"):
        read_image(path)


def test_bad_images_are_named(tmp_path, monkeypatch):
    folder = write_images(tmp_path / "pictures")
    chosen = DataRecipe(name="images", steps=2, bits=8, files=FilesRecipe(train="pictures", test_share=0.3))
    bad = folder / "lies" / "3.png"
    good = bad.read_bytes()
    Image.new("L", (4, 4)).save(bad)
    with pytest.raises(RecordingError, match=r"makes an input of \(1, .*\), .* all must have one size"):
        load_both(chosen, tmp_path)
    Image.new("RGBA", (10, 8)).save(bad)
    with pytest.raises(DataError, match=r"3.png: an image of mode RGBA, known are 1, L, P, RGB: set data"):
        load_both(chosen, tmp_path)
    Image.new("F", (10, 8)).save(tiff := tmp_path / "values.tiff")
    with pytest.raises(DataError, match=r"values.tiff: not a readable image: "):
        read_image(tiff)
    monkeypatch.setattr(own_folders, "FORMATS", ("TIFF",))
    with pytest.raises(DataError, match=r"values.tiff: an image of mode F, whose range of values is not known: save"):
        read_image(tiff, colours=1)
    monkeypatch.undo()
    bad.write_bytes(good[:60])
    with pytest.raises(DataError, match=r"3.png: not a readable image: "):
        load_both(chosen, tmp_path)


@pytest.mark.parametrize(("settings", "message"), [
    ({"test_share": 1.0}, "data.files.test_share must be between 0 and 1, not 1.0"),
    ({"colours": 2}, "data.files.colours must be 1 or 3, not 2"),
    ({"unit": "h"}, "data.files.unit must be one of s, ms, us, ns, not 'h'"),
    ({"width": 0}, "data.files.width must be in 1..65536, not 0"),
    ({"test": "a", "table": "b"}, "data.files.test and data.files.table exclude each other"),
    ({"seed": -1}, "data.files.seed must be in 0"),
    ({"layout": "last"}, "data.files.layout must be one of channels_first, channels_last, not 'last'"),
])
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        FilesRecipe(train="x", **settings)


def test_two_processes_may_fill_the_cache(tmp_path):
    first = row_cache.RowCache("a", packed=True, folder=tmp_path)
    second = row_cache.RowCache("a", packed=True, folder=tmp_path)
    for cache, name in ((first, "one"), (second, "two"), (first, "three")):
        with cache.filling() as filling:
            filling.add(name, np.full((2, 5), name == "two", np.uint8), [])
    with second.filling():
        assert "three" in second
    assert second.read([second[name] for name in ("one", "two", "three")]).mean((1, 2)).tolist() == [0, 1, 0]


def test_digests_are_kept(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"content")
    time.sleep(0.01)
    digest, = contents.Contents(tmp_path).digests([path])
    known = contents.Contents(tmp_path)
    assert known._known[str(path)][-1] == digest
