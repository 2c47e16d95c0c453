"""A built device is found without elaborating it, and never for another device, source, tool or flag."""

import importlib.metadata
import time
from dataclasses import asdict, replace

import pytest
import spikeplane_hw
from configs import NARROW
from mock_device import MockDevice
from spikeplane.device import built, verilate
from spikeplane.device.verilate import build_library
from spikeplane_hw.config import TINY, CoreConfig
from spikeplane_hw.device import Device


class OtherDevice(Device):
    """It may elaborate anything."""


class OtherConfig(CoreConfig):
    """Its properties may say anything."""


class Bench:
    """A build directory, and how often was elaborated and compiled there."""

    def __init__(self, directory):
        self.directory = directory
        self.elaborated = self.compiled = 0
        self.text = "device"

    def to_rtlil(self, component):
        self.elaborated += 1
        component._MustUse__used = True
        return f"{self.text} {component.config}"

    def compile(self, write_sources, library, **_):
        self.compiled += 1
        (text,) = write_sources(library.parent)
        library.write_text(text)

    def open(self, component=None, **options):
        """Return how often was (elaborated, compiled), and the library's text."""
        before = self.elaborated, self.compiled
        library = build_library(NARROW if component is None else component, self.directory, **options)
        return self.elaborated - before[0], self.compiled - before[1], library.read_text()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a package of two files in place of spikeplane_hw's."""
    folder = tmp_path / "package"
    (folder / "part").mkdir(parents=True)
    (folder / "core.py").write_text("a = 1\n")
    (folder / "part" / "unit.py").write_text("b = 1\n")
    monkeypatch.setattr(built, "PACKAGE", folder)
    return folder


@pytest.fixture
def later(monkeypatch):
    """Let the package's import begin after all that was written so far; call it again after a change."""
    def move():
        monkeypatch.setattr(spikeplane_hw, "IMPORT_TIME", time.time_ns() + 2 * built.MARGIN)
    move()
    return move


@pytest.fixture
def bench(tmp_path, monkeypatch, package, later):
    bench = Bench(tmp_path / "build")
    bench.directory.mkdir()
    monkeypatch.setattr(verilate, "_to_rtlil", bench.to_rtlil)
    monkeypatch.setattr(verilate, "compile_library", bench.compile)
    monkeypatch.setattr(verilate, "_to_verilog", lambda text, folder, script: text)
    return bench


def test_a_second_look_does_not_elaborate(bench):
    first = bench.open()
    assert first[:2] == (1, 1)
    assert bench.open() == (0, 0, first[2])
    next(bench.directory.glob("*.so")).unlink()
    assert bench.open() == first


@pytest.mark.parametrize("name", ["core.py", "part/unit.py"])
def test_a_changed_source_is_elaborated(bench, package, name):
    bench.open()
    (package / name).write_text("a = 2\n")
    bench.text = "changed"
    found = bench.open()
    assert found[:2] == (1, 1) and found[2].startswith("changed")
    # Another text that makes the same circuit leads to the same library.
    (package / name).write_text("# nothing\n")
    assert bench.open()[:2] == (1, 0)


def test_sources_changed_after_their_import_are_not_trusted(bench, package, monkeypatch):
    monkeypatch.setattr(spikeplane_hw, "IMPORT_TIME", time.time_ns())
    (package / "core.py").write_text("a = 3\n")
    assert [bench.open()[0] for _ in range(3)] == [1, 1, 1]
    assert not list(bench.directory.glob(f"*{built.SUFFIX}"))


def test_a_source_changed_while_it_is_elaborated_is_not_recorded(bench, package, monkeypatch):
    def to_rtlil(component):
        (package / "core.py").write_text("a = 4\n")
        return bench.to_rtlil(component)

    monkeypatch.setattr(verilate, "_to_rtlil", to_rtlil)
    bench.open()
    assert not list(bench.directory.glob(f"*{built.SUFFIX}"))


def test_another_configuration_is_elaborated(bench):
    texts = [bench.open(config)[2] for config in (NARROW, TINY, replace(NARROW, spike_depth=512))]
    assert len(set(texts)) == 3 and bench.elaborated == 3
    assert bench.open(TINY) == (0, 0, texts[1])


def test_other_options_are_elaborated(bench, monkeypatch):
    bench.open()
    assert bench.open(waves=True)[:2] == (1, 1)
    assert bench.open(label="other")[:2] == (1, 1)
    monkeypatch.setattr(verilate, "COMPILE_FLAGS", "-O0")
    assert bench.open()[:2] == (1, 1)


@pytest.mark.parametrize("package", [*verilate.PACKAGES, "amaranth"])
def test_another_version_of_a_package_is_elaborated(bench, monkeypatch, package):
    bench.open()
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0.1" if name == package else version(name))
    assert bench.open()[0] == 1


@pytest.mark.parametrize(("name", "value"), [
    ("_run", lambda command, directory: "g++ 0.1"), ("_processor", lambda: "flags: another"),
])
def test_another_compiler_or_processor_is_elaborated(bench, monkeypatch, name, value):
    bench.open()
    monkeypatch.setattr(verilate, name, value)
    assert bench.open()[:2] == (1, 1)


def test_an_amaranth_that_is_no_release_is_elaborated_every_time(bench, monkeypatch):
    read_text = importlib.metadata.PathDistribution.read_text
    monkeypatch.setattr(
        importlib.metadata.PathDistribution, "read_text",
        lambda self, name: "{}" if name == "direct_url.json" else read_text(self, name),
    )
    assert [bench.open(NARROW)[0] for _ in range(2)] == [1, 1]


def test_another_class_is_elaborated_every_time(bench):
    bench.open()
    for make in (OtherDevice, MockDevice, Device, lambda config: OtherConfig(**asdict(config))):
        assert [bench.open(make(NARROW))[0] for _ in range(2)] == [1, 1]
    assert len(list(bench.directory.glob(f"*{built.SUFFIX}"))) == 1


def test_a_damaged_record_is_made_anew(bench):
    _, _, text = bench.open()
    (record,) = bench.directory.glob(f"*{built.SUFFIX}")
    whole = record.read_bytes()
    (bench.directory.parent / "elsewhere.so").write_text("of another place")
    for content in (b"", b"absent.so", b"../elsewhere.so", b"../package/core.py", b"\xff\xfe"):
        record.write_bytes(content)
        assert bench.open() == (1, 0, text), content
        assert record.read_bytes() == whole
