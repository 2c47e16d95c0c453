"""Where boards are built and kept: folders with spaces, killed builds, several builds at once."""

import importlib.metadata
import os
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from configs import NARROW
from mock_device import MockDevice
from spikeplane.device import build_folder, simulated, verilate
from spikeplane.device.build_folder import cache_folder, work_folder
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.device.verilate import BuildError, build_library

SOURCES = Path(__file__).parents[3]


def test_a_board_is_built_where_paths_have_spaces(tmp_path, monkeypatch):
    """The sources, the virtual environment, its Python, the cache and the folder for temporary files."""
    place = tmp_path / "a folder"
    (place / "with spaces").mkdir(parents=True)
    version = importlib.metadata.version("verilator")
    package = importlib.metadata.distribution("verilator").locate_file("verilator")
    (place / "site packages").mkdir()
    (place / "site packages" / "verilator").symlink_to(Path(str(package)))
    shim = place / verilate.SHIM.name
    shim.write_bytes(verilate.SHIM.read_bytes())
    python = place / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)

    class Distribution:
        def locate_file(self, name):
            return place / "site packages" / name

    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Distribution())
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    monkeypatch.setattr(verilate, "SHIM", shim)
    monkeypatch.setattr(verilate, "PACKAGE_VARIABLES",
                        (verilate.PACKAGE_VARIABLES[0], f"PYTHON3={shlex.quote(str(python))}"))
    monkeypatch.setattr(build_folder.tempfile, "tempdir", str(place / "with spaces"))
    monkeypatch.chdir(place)
    with SimulatedTransport(NARROW, place / "the cache", device=MockDevice(NARROW)) as transport:
        assert transport.read(0) == b""
    assert list((place / "with spaces").iterdir()) == []


def test_the_cache_is_the_users_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "spikeplane" / "boards"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for root in ("relative", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", root)
        assert cache_folder() == tmp_path / "home" / ".cache" / "spikeplane" / "boards"
    monkeypatch.delenv("XDG_CACHE_HOME")
    seen = []
    monkeypatch.setattr(simulated, "build_library", lambda component, directory, **_: seen.append(directory))
    monkeypatch.setattr(simulated, "_load", lambda path: sys.exit())
    with pytest.raises(SystemExit):
        SimulatedTransport(NARROW)
    assert seen == [cache_folder()]


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BuildError, match="file: is a file; a folder is needed in its place; XDG_CACHE_HOME may name"):
        build_library(NARROW, tmp_path / "file")


UNBUILT = SimpleNamespace(signature=SimpleNamespace(members={}))
"""Stands for a device that is not elaborated."""


def test_builds_of_the_same_share(tmp_path, monkeypatch):
    monkeypatch.setattr(verilate, "_to_rtlil", lambda component: "text")
    monkeypatch.setattr(verilate, "simulated_device", lambda config: UNBUILT)
    monkeypatch.setattr(verilate, "quick_key", lambda *_: None)
    compiled = []

    def compile_slowly(write_sources, library, **_):
        (text,) = write_sources(tmp_path)
        compiled.append(text)
        time.sleep(0.5)
        library.write_text(text)

    monkeypatch.setattr(verilate, "compile_library", compile_slowly)
    monkeypatch.setattr(verilate, "_to_verilog", lambda text, folder, script: text)
    found = []
    threads = [threading.Thread(target=lambda: found.append(build_library(NARROW, tmp_path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert compiled == ["text"] and len(found) == 3 and len(set(found)) == 1


def test_a_failed_build_leaves_the_lock_to_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(verilate, "_to_rtlil", lambda component: "no RTLIL")
    monkeypatch.setattr(verilate, "simulated_device", lambda config: UNBUILT)
    monkeypatch.setattr(verilate, "quick_key", lambda *_: None)
    for _ in range(2):
        with pytest.raises(BuildError, match="failed with 1"):
            build_library(NARROW, tmp_path)
    assert not list(tmp_path.glob("*.so"))


def test_what_killed_builds_left_is_removed_and_a_live_ones_is_not(tmp_path, monkeypatch):
    source = (
        "import sys, tempfile, time; tempfile.tempdir = sys.argv[1]\n"
        "from spikeplane.device.build_folder import work_folder\n"
        "with work_folder() as work:\n    (work / 'half').touch(); print(work, flush=True); time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(SOURCES / name) for name in ("sw", "hw"))}
    monkeypatch.setattr(build_folder.tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", source, str(tmp_path)], stdout=subprocess.PIPE, text=True,
                          env=environment) as process:
        try:
            assert process.stdout
            left = Path(process.stdout.readline().strip())
            os.utime(left, (0, 0))
            with work_folder() as work:
                assert work.is_dir() and left.is_dir()
        finally:
            process.kill()
    os.utime(left, (0, 0))
    with work_folder() as work:
        assert list(tmp_path.iterdir()) == [work]
    assert list(tmp_path.iterdir()) == []
