import importlib.metadata
import os
from dataclasses import replace

import pytest
from configs import NARROW
from mock_device import MockDevice
from spikeplane.device.frames import FrameReader, Reply, Request
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.device.transport import TransportError
from spikeplane.device.verilate import BuildError, build_library, generate_verilog
from spikeplane_hw.frame import Command, Status
from spikeplane_hw.memory_map import Register, Space

QUICK = replace(NARROW, name="quick", checksum_bits=8)
"""Whose host link takes a byte a cycle: its cycles are those of the bytes."""
HELLO = Request(command=Command.HELLO, sequence=4)
ANSWER = Reply(command=Command.HELLO, sequence=4, status=Status.OK)


def test_a_board_runs_only_while_there_is_work():
    with SimulatedTransport(QUICK, device=MockDevice(QUICK)) as transport:
        assert transport.read(1.0) == b""
        before = transport.cycles
        assert transport.read(1.0) == b""
        assert transport.cycles - before < 10
        transport.write(HELLO.encode())
        assert FrameReader().feed(transport.read(0)) == [ANSWER]
        assert transport.cycles - before < 100


def test_a_rest_ends_when_the_core_is_done():
    busy = 5000
    with SimulatedTransport(NARROW, device=MockDevice(NARROW)) as transport:
        transport.write(HELLO.encode())
        transport.write(Request(
            command=Command.WRITE, sequence=5, space=Space.REGISTERS.value, count=1,
            address=Register.CONTROL.value, payload=busy.to_bytes(4, "little"),
        ).encode())
        transport.read(0)
        before = transport.cycles
        transport.rest(1.0)
        assert busy - 100 < transport.cycles - before < busy
        before = transport.cycles
        transport.rest(1.0)
        assert transport.cycles == before


def test_boards_do_not_share_state_and_stalls_change_no_byte():
    with (
        SimulatedTransport(QUICK, device=MockDevice(QUICK)) as first,
        SimulatedTransport(QUICK, device=MockDevice(QUICK)) as second,
    ):
        second.stall(seed=3, share=0.5)
        for transport in (first, second):
            transport.write(HELLO.encode())
        assert first.read(0) == second.read(0)
        assert second.cycles > 1.5 * first.cycles


def test_a_closed_board_says_so():
    transport = SimulatedTransport(NARROW, device=MockDevice(NARROW))
    transport.close()
    transport.close()
    with pytest.raises(TransportError, match=r"^the simulated board is closed$"):
        transport.read(0)


def test_waves_are_written(tmp_path):
    waves = tmp_path / "waves.vcd"
    with SimulatedTransport(NARROW, device=MockDevice(NARROW), waves=waves) as transport:
        transport.write(HELLO.encode())
        assert FrameReader().feed(transport.read(0)) == [ANSWER]
    text = waves.read_text()
    assert "$enddefinitions" in text
    assert "rx_payload" in text
    assert len(text.splitlines()) > 100


def test_a_library_is_built_once(tmp_path, tmp_path_factory, monkeypatch):
    # The machine's own Python has no part in it: some have none of these names.
    commands = tmp_path_factory.mktemp("commands")
    for name in ("python", "python3"):
        (commands / name).write_text("#!/bin/sh\nexit 1\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(commands), os.environ["PATH"]]))
    path = build_library(MockDevice(NARROW), tmp_path)
    written = path.stat().st_mtime_ns
    assert build_library(MockDevice(NARROW), tmp_path) == path
    assert path.stat().st_mtime_ns == written
    assert {found.name for found in tmp_path.iterdir()} == {path.name, f".{path.stem}.lock"}
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"^g\+\+ was not found; install it with the system package"):
        build_library(MockDevice(NARROW), tmp_path)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(BuildError, match=r"^the Python package verilator was not found: .* as spikeplane\[simulate"):
        build_library(MockDevice(NARROW), tmp_path)


def test_verilog_has_the_pins_and_no_combinational_processes(tmp_path):
    text = generate_verilog(MockDevice(NARROW), tmp_path).read_text()
    assert "module device(" in text
    for pin in ("rx_payload", "rx_valid", "rx_ready", "tx_payload", "tx_valid", "tx_ready"):
        assert f"wire {pin};" in text or f"] {pin};" in text
    assert "always @*" not in text
