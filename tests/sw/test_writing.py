"""Files are written whole or not at all, by one function for every kind."""

import errno
import json
import multiprocessing
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import ragged_networks
from spikeplane import writing
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import save_image
from spikeplane.network.container import read_container, write_container
from spikeplane.network.file import save_network
from spikeplane.reports.report import Report
from spikeplane.writing import (
    WritingError,
    check_distinct,
    check_folder,
    check_writable,
    write_bytes,
    write_json,
    write_text,
)
from training_samples import untrained_checkpoint

SOURCES = Path(__file__).parents[2]


def write_network(path):
    save_network(ragged_networks.network(1), path)


def write_image(path):
    save_image(compile_network(ragged_networks.network(1), ragged_networks.CORES[0]), path)


def write_report(path):
    Report("a title").write(path)


def write_checkpoint(path):
    from spikeplane.training.run.checkpoint import save_checkpoint

    save_checkpoint(untrained_checkpoint(), path)


WRITERS = {
    "network": write_network, "image": write_image, "report": write_report, "checkpoint": write_checkpoint,
    "json": lambda path: write_json(path, {"a": 1}), "text": lambda path: write_text(path, "text"),
}
every_kind = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


def save_often(path, number, start):
    """Return the errors of writing and reading one file often, while another process does the same."""
    faults = set()
    time.sleep(max(0, start - time.time()))
    for _ in range(100):
        try:
            write_container(path, "thing", 1, {}, {"w": np.full(50_000, number, np.float32)})
            _, tensors = read_container(path, "thing", 1)
            if len(np.unique(tensors["w"])) != 1:
                faults.add("mixed")
        except Exception as error:
            faults.add(repr(error))
    return faults


def test_two_processes_write_one_file(tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(abs, [1, 2], chunksize=1)
        start = time.time() + 10  # By then both have imported everything.
        found = pool.starmap(save_often, [(tmp_path / "a", number, start) for number in (1, 2)], chunksize=1)
    assert found == [set(), set()]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@every_kind
def test_missing_folders_are_made_and_nothing_is_left_beside(tmp_path, write):
    path = tmp_path / "not" / "there" / "file"
    write(path)
    assert [each.name for each in path.parent.iterdir()] == ["file"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@every_kind
def test_a_symbolic_link_is_followed(tmp_path, write):
    (tmp_path / "there").mkdir()
    link, target = tmp_path / "link", tmp_path / "there" / "target"
    link.symlink_to(target)
    write(link)
    first = target.read_bytes()
    target.write_bytes(b"older")
    target.chmod(0o640)
    write(link)
    assert link.is_symlink() and target.read_bytes() == first and target.stat().st_mode & 0o777 == 0o640


@every_kind
def test_a_full_disk_names_the_file_and_leaves_what_was_there(tmp_path, write):
    path = tmp_path / "file"
    path.write_bytes(b"before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2, limits[1]))
    try:
        with pytest.raises(WritingError, match=f"^{re.escape(str(path))}: cannot be written: File too large$"):
            write(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


@every_kind
def test_what_is_no_file_is_never_replaced(tmp_path, write):
    """A pipe stands for a device: only its owner can make one of these."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    found = []
    process = multiprocessing.get_context("fork").Process(target=write, args=(pipe,))
    process.start()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.is_alive():
        try:
            found.append(os.read(reader, 1 << 16))
        except BlockingIOError:
            time.sleep(0.01)
    process.join(1)
    found.append(os.read(reader, 1 << 16))
    os.close(reader)
    assert process.exitcode == 0 and pipe.is_fifo() and b"".join(found)


def test_devices_stay_and_are_named():
    write_text("/dev/null", "nothing")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(WritingError, match=r"^/dev/full: cannot be written: No space left on device$"):
        write_text("/dev/full", "anything")
    assert Path("/dev/full").is_char_device()
    check_writable("/dev/null")


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(writing.os, "fsync", lambda descriptor: seen.append(
        Path(f"/proc/self/fd/{descriptor}").readlink().name))
    write_text(tmp_path / "a", "text")
    assert len(seen) == 2 and seen[0].startswith(".a.") and seen[1] == tmp_path.name


def test_an_error_of_the_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writing.os, "fsync", full)
    with pytest.raises(WritingError, match="a: cannot be written: No space left on device"):
        write_bytes(tmp_path / "a", b"text")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_removed_later_and_a_live_ones_is_not(tmp_path):
    source = (
        "import os, sys, time; from pathlib import Path; from spikeplane import writing\n"
        "writing.os.fsync = lambda descriptor: (print('there', flush=True), time.sleep(60))\n"
        "writing.write_text(sys.argv[1], 'text')"
    )
    path = tmp_path / "a"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(SOURCES / "sw"), str(SOURCES / "hw")])}
    with subprocess.Popen([sys.executable, "-c", source, str(path)], stdout=subprocess.PIPE,
                          env=environment) as process:
        try:
            assert process.stdout and process.stdout.readline() == b"there\n"
            (part,) = tmp_path.iterdir()
            os.utime(part, (0, 0))
            write_text(path, "another")
            assert part.exists()
        finally:
            process.send_signal(signal.SIGKILL)
    fresh = tmp_path / ".a.0123.part"
    fresh.touch()
    write_text(path, "a third")
    assert not part.exists() and fresh.exists() and path.read_text() == "a third"


def test_places_that_cannot_be_written_are_named_before_work(tmp_path):
    file = tmp_path / "file"
    file.touch()
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for check, path, message in (
        (check_writable, tmp_path, "is a folder; name a file"),
        (check_writable, file / "below" / "it", "is a file; a folder is needed in its place"),
        (check_folder, file, "is a file; a folder is needed in its place"),
        (check_folder, file / "below", "is a file; a folder is needed in its place"),
        (check_writable, tmp_path / "a", "its symbolic links go in a circle"),
        (check_folder, "/proc/nothing", "/proc/nothing: cannot be written"),
        (check_writable, "/proc/nothing", "/proc/nothing: cannot be written"),
        (write_json_of_nothing, tmp_path, "is a folder; name a file"),
        (write_json_of_nothing, file / "below", "is a file; a folder is needed in its place"),
    ):
        with pytest.raises(WritingError, match=re.escape(message)):
            check(path)
    check_folder(tmp_path / "new" / "one")
    check_writable(tmp_path / "new" / "one")
    check_writable(file)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "file"]


def write_json_of_nothing(path):
    write_json(path, {})


def test_what_is_read_is_not_replaced_by_whatever_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    Path("other").touch()
    Path("link").symlink_to("file")
    Path("same").symlink_to("folder")
    Path("hard").hardlink_to("file")
    for output, read in (
        ("file", "file"), (Path("./folder/../file"), tmp_path / "file"), ("link", "file"), ("file", "link"),
        ("hard", "file"), ("same/new", "folder/new"),
    ):
        with pytest.raises(WritingError) as caught:
            check_distinct(output, None, "other", read)
        assert str(caught.value) == f"{output}: would replace {read}, which is read: write somewhere else"
    check_distinct("new", "file", "link", None, tmp_path / "newer")
    check_distinct("file", "other", "new", "folder/file")
    check_distinct("same/new", "same/newer")


def test_json_is_read_back(tmp_path):
    value = {"a": [1, "two"], "b": [[1, -2.5e-9], [None, True], []], "c": "[\n1,\n 2]", "d": [{"e": [3]}, float("inf")]}
    write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text()) == value


def test_a_list_of_numbers_takes_a_line_of_json(tmp_path):
    write_json(tmp_path / "a.json", {"a": [[1, 2], [3.5]], "b": ["x"]})
    assert (tmp_path / "a.json").read_text() == (
        '{\n  "a": [\n    [1, 2],\n    [3.5]\n  ],\n  "b": [\n    "x"\n  ]\n}\n'
    )


def test_long_names_are_written(tmp_path):
    path = tmp_path / ("ü" * 120)
    write_text(path, "text")
    assert path.read_text() == "text"


def test_nothing_else_writes_files():
    """Whoever writes a file goes through spikeplane.writing; what is in folders of one's own is exempt."""
    own = {
        "sw/spikeplane/writing.py", "sw/spikeplane/locking.py",  # The latter empty ones.
        "sw/spikeplane/device/verilate.py",  # Files for Verilator, in a folder that is removed.
        "sw/spikeplane/reports/report.py", "sw/spikeplane/sweeping/written.py",  # Pictures into memory.
        "sw/spikeplane/data/sets/row_cache.py",  # A cache that only grows; what was cut short is cut off.
    }
    pattern = re.compile(r"\.write_text\(|\.write_bytes\(|open\([^)]*[\"'][wax]b?\+?[\"']|savefig\(|json\.dump\(")
    found = {
        str(path.relative_to(SOURCES)) for path in (SOURCES / "sw").rglob("*.py") if pattern.search(path.read_text())
    }
    assert found <= own
