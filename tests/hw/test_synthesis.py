import json

from amaranth import Module, Signal
from amaranth.back import rtlil
from spikeplane.device.verilate import run_yosys
from spikeplane_hw.synthesis import END_CARRIES

SCRIPT = """
read_rtlil design.il
synth_ecp5 -abc9 -nowidelut -top top -run begin:check
{after}
blackbox =A:whitebox
write_json netlist.json
"""


def carries(directory, after: str) -> list:
    """Return what hangs on the carries out of three adders: bits, or "x" for nothing."""
    m = Module()
    a, b, c = (Signal(8, name=name) for name in "abc")
    long, short, wide = Signal(8, name="long"), Signal(8, name="short"), Signal(9, name="wide")
    m.d.comb += [long.eq(a + b), short.eq(b - c), wide.eq(a + c)]
    (directory / "design.il").write_text(rtlil.convert(m, name="top", ports=[a, b, c, long, short, wide]))
    (directory / "script.ys").write_text(SCRIPT.format(after=after))
    run_yosys("script script.ys", directory)
    cells = json.loads((directory / "netlist.json").read_text())["modules"]["top"]["cells"].values()
    return [cell["connections"]["COUT"][0] for cell in cells if cell["type"] == "CCU2C"]


def test_carries_that_nothing_reads_are_left_open(tmp_path):
    before, after = carries(tmp_path, ""), carries(tmp_path, END_CARRIES)
    assert len(before) == len(after)
    # One a sum: what a ninth bit is made of belongs to the chain.
    assert before.count("x") == 0
    assert after.count("x") == 3
    read = [bit for bit in after if bit != "x"]
    assert len(set(read)) == len(read)
