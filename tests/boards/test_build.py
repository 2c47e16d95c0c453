import inspect
import json
import re
from dataclasses import replace

import pytest
from amaranth import Module
from amaranth.build.run import BuildPlan
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from spikeplane.boards import BOARDS
from spikeplane_boards.board import Top
from spikeplane_boards.build import (
    BuildError,
    build,
    cached,
    format_report,
    overfull,
    prepare,
    run,
    summarize,
)
from spikeplane_boards.program import ProgramError, program

pytest.importorskip("amaranth_boards", reason="the boards' pins come from amaranth-boards")


class Echo(wiring.Component):
    """A device that sends back every byte plus one."""

    def __init__(self):
        super().__init__({"rx": In(stream.Signature(8)), "tx": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.tx.payload.eq(self.rx.payload + 1),
            self.tx.valid.eq(self.rx.valid),
            self.rx.ready.eq(self.tx.ready),
        ]
        return m


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_top_elaborates(board):
    """The clock that reaches the tools is the one that the serial port is divided from."""
    plan = board.platform().prepare(Top(board, Echo()), "top")
    if "top.lpf" in plan.files:
        (hertz,) = re.findall(r'FREQUENCY NET "clock" ([\d.]+) HZ;', plan.files["top.lpf"])
    elif "top.sdc" in plan.files:
        (nanoseconds,) = re.findall(r"-period ([\d.]+) \[get_nets clock\]", plan.files["top.sdc"])
        hertz = 1e9 / float(nanoseconds)
    else:
        (megahertz,) = re.findall(r"set_frequency clock ([\d.]+)", plan.files["top.pcf"])
        hertz = float(megahertz) * 1e6
    assert float(hertz) == pytest.approx(board.clock, rel=1e-12)


def block_rams(width: int, depth: int) -> int:
    """Return how many iCE40 block RAMs of 4096 bits, 2 to 16 wide, a memory takes."""
    return min(-(-width // wide) * -(-depth * wide // 4096) for wide in (2, 4, 8, 16))


def memories(board) -> tuple[int, int]:
    """Return the (block RAMs, SPRAMs) of a board's whole design."""
    text = board.platform().prepare(Top(board), "top").files["top.il"]
    sizes = re.findall(r"^\s*memory width (\d+) size (\d+) ", text, re.MULTILINE)
    used = sum(block_rams(int(width), int(depth)) for width, depth in sizes)
    return used, text.count("cell \\SB_SPRAM256KA ")


def test_memories_fit_the_ice40():
    board = BOARDS["icebreaker"]
    used, single_port = memories(board)
    assert 0 < used <= 30
    assert 0 < single_port <= 4
    larger = replace(board, config=replace(board.config, spike_depth=2 * board.config.spike_depth))
    assert memories(larger) == (used + 4, single_port)


@pytest.mark.parametrize("name", ["ulx3s-85f", "tang-nano-20k"])
def test_real_build(name, tmp_path):
    lines = []
    board = BOARDS[name]
    report = build(board, tmp_path, device=Echo(), echo=lines.append)
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert (tmp_path / report["bitstream"]).stat().st_size > 10_000
    assert all(clock["achieved_mhz"] >= clock["required_mhz"] for clock in report["clocks"].values())
    assert max(clock["required_mhz"] for clock in report["clocks"].values()) == board.clock / 1e6
    assert all(0 < report["resources"][name]["used"] < 500 for name in ("lut", "ff"))
    assert any("done after" in line for line in lines)

    # Nothing is built again, unless the bitstream is harmed.
    lines.clear()
    assert build(board, tmp_path, device=Echo(), echo=lines.append) == report
    assert not any("done after" in line for line in lines)
    bitstream = tmp_path / report["bitstream"]
    bitstream.write_bytes(bitstream.read_bytes()[:-1])
    assert cached(tmp_path / "report.json", bitstream, report["build_key"]) is None

    # A missed clock is an error, even from the cache.
    report["clocks"]["clock"] = {"achieved_mhz": 99.5, "required_mhz": 100.0}
    bitstream.write_bytes(b"")
    report["bitstream_sha256"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (tmp_path / "report.json").write_text(json.dumps(report))
    with pytest.raises(BuildError, match=rf"^{name} misses its clock: clock reaches 99\.5 MHz of 100\.0 MHz$"
                       ):
        build(board, tmp_path, device=Echo(), echo=lines.append)


def test_summary():
    report = summarize({
        "utilization": {
            "ICESTORM_LC": {"used": 4000, "available": 5280},
            "ICESTORM_RAM": {"used": 30, "available": 30},
        },
        "fmax": {"clk": {"achieved": 21.456, "constraint": 20.25}},
        "critical_paths": [{
            "from": "posedge clk", "to": "posedge clk",
            "path": [
                {"type": "clk-to-q", "delay": 1.39, "from": {"cell": "a"}, "to": {"cell": "a"}},
                {"type": "routing", "delay": 2.5, "net": "n", "from": {"cell": "a"}, "to": {"cell": "b"}},
            ],
        }],
    })
    assert report["critical_paths"] == {
        "posedge clk to posedge clk": ["1.39 ns clk-to-q a", "2.50 ns routing n"],
    }
    assert report["resources"]["lut"] == {"used": 4000, "available": 5280, "cell": "ICESTORM_LC"}
    assert "dsp" not in report["resources"]
    report |= {"board": "b", "configuration": "tiny", "bitstream": "top.bin", "bitstream_sha256": "00"}
    assert format_report(report) == [
        "b: configuration tiny",
        "  lut          4000 of   5280 ICESTORM_LC (76%)",
        "  block_ram      30 of     30 ICESTORM_RAM (100%)",
        "  clock      21.5 MHz, 20.2 MHz required (clk)",
        "  top.bin sha256 00",
    ]


def test_gowin_luts_are_places():
    """Carry cells and memory made of LUTs take up places of LUTs."""
    used = {"LUT4": 100, "ALU": 20, "RAM16SDP4": 3, "DFF": 70, "BSRAM": 4, "MULT18X18": 1}
    report = summarize({
        "utilization": {name: {"used": count, "available": 1000} for name, count in used.items()},
        "fmax": {}, "critical_paths": [],
    })
    assert {name: found["used"] for name, found in report["resources"].items()} == {
        "lut": 144, "ff": 70, "block_ram": 4, "dsp": 1,
    }


def test_overfull():
    log = """Info: Device utilisation:
Info: \t         ICESTORM_LC:    9465/   5280   179%
Info: \t        ICESTORM_RAM:      30/     30   100%
"""
    assert overfull(log) == ["the design needs 9465 ICESTORM_LC, the part has 5280"]


def test_failing_tool(tmp_path):
    board = replace(BOARDS["icebreaker"], synthesis="-nonsense")
    message = r"^a tool failed with exit code \d+, see .*:\nERROR: Command syntax error: Unknown option"
    with pytest.raises(BuildError, match=message):
        build(board, tmp_path, device=Echo(), echo=lambda line: None)
    assert not (tmp_path / "report.json").exists()


def test_slow_tool_is_stopped(tmp_path):
    plan = BuildPlan(script="build_top")
    plan.add_file("build_top.sh", "sleep 5\ntouch top.json\n")
    with pytest.raises(BuildError, match=r"^the tools were stopped after 0\.5 s, see .* another seed"):
        run(plan, tmp_path, echo=lambda line: None, limit=0.5)
    assert not (tmp_path / "top.json").exists()


def test_lines_do_not_matter():
    """The same device from other lines of a file needs no other build."""
    board = BOARDS["icebreaker"]
    names = dict(globals())
    exec(compile("\n# A comment.\n" + inspect.getsource(Echo), __file__, "exec"), names)
    first, second = (prepare(board, board.platform(), echo()) for echo in (Echo, names["Echo"]))
    assert first.digest() == second.digest()


def test_broken_report_is_not_trusted(tmp_path):
    report = tmp_path / "report.json"
    for text in ("", "[]", "{}", '{"build_key": 1}'):
        report.write_text(text)
        assert cached(report, tmp_path / "top.bit", "key") is None


def test_program_errors(tmp_path, monkeypatch):
    board = next(iter(BOARDS.values()))
    with pytest.raises(ProgramError, match=r"top\.bit does not exist: build it first$"):
        program(board, tmp_path / "top.bit")
    (tmp_path / "top.bit").write_bytes(b"x")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProgramError, match=r"^openFPGALoader is not on the PATH: install"):
        program(board, tmp_path / "top.bit")
    loader = tmp_path / "openFPGALoader"
    loader.write_text("#!/bin/sh\necho no device found >&2\nexit 3\n")
    loader.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match=r"exit code 3 on board .*: no device found$"):
        program(board, tmp_path / "top.bit")


def test_serial_rate_must_fit_the_clock():
    with pytest.raises(ValueError, match=r"^baud must be at most"):
        replace(next(iter(BOARDS.values())), baud=90_000_000)
