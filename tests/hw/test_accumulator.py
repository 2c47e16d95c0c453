from pathlib import Path
from types import SimpleNamespace

import pytest
from amaranth import Module, Signal
from amaranth.back import rtlil
from spikeplane.device.verilate import BuildError, run_yosys
from spikeplane_hw.accumulator import next_sum
from spikeplane_hw.popcount import Ones

LUTS = """
module LUT2 #(parameter [3:0] INIT = 0) (input A, B, output Z);
assign Z = INIT[{B, A}];
endmodule
module LUT4 #(parameter [15:0] INIT = 0) (input A, B, C, D, output Z);
assign Z = INIT[{D, C, B, A}];
endmodule
module TRELLIS_FF #(
parameter GSR = "", CEMUX = "", CLKMUX = "", LSRMUX = "", REGSET = "", SRMODE = "", LSRMODE = ""
) (input CLK, LSR, CE, DI, M, output reg Q);
always @(posedge CLK) if (LSR && SRMODE == "LSR_OVER_CE") Q <= REGSET == "SET"; else if (CE || CEMUX == "1") Q <= DI;
endmodule
"""
# Of every register the next value is proved, from the same values of all.
NETLIST_PROOF = """
read_rtlil cells.il
synth_ecp5 -abc9 -nowidelut -top cells -run begin:check
delete =A:whitebox =A:blackbox
select -assert-min 8 t:CCU2C
select -assert-none t:$*
read_verilog luts.v
read_verilog +/ecp5/ccu2c_sim.vh
hierarchy -check -top cells
proc
flatten
read_rtlil plain.il
proc
equiv_make plain cells both
hierarchy -top both
opt_clean
equiv_simple
equiv_status -assert
"""
ECP5 = SimpleNamespace(device="LFE5U-85F")
# No carry cell is left when the two are compared: each is made of the gates that the library says it is.
PROOF = """
read_rtlil cells.il
read_verilog luts.v
read_verilog +/ecp5/ccu2c_sim.vh
proc
hierarchy -check -top cells
flatten
select -assert-none t:CCU2C
read_rtlil plain.il
proc
miter -equiv -flatten plain cells miter
hierarchy -top miter
sat -verify -prove trigger 0 miter
"""


def write_sum(path: Path, platform, *, width: int, units: int, pairs: int, singles: int, broken: bool = False) -> None:
    """Write a module, named like the file, whose output is what follows in an accumulator."""
    m = Module()
    accumulator, total = Signal(width, name="accumulator"), Signal(width, name="total")
    parts = [Signal(size, name=name) for name, size in (("units", units), ("pairs", pairs), ("single", singles))]
    double = Signal(name="double")
    following = next_sum(m, platform, accumulator, Ones(*parts), double, exclusive=False)
    m.d.comb += total.eq(following + (double & accumulator.all()) if broken else following)
    ports = [accumulator, *(part for part in parts if len(part)), double, total]
    path.write_text(rtlil.convert(m, name=path.stem, ports=ports, emit_src=False))


def prove(directory: Path, *, broken: bool = False, **sizes) -> None:
    """Prove that an accumulator of carry cells is a plain one; raises BuildError if it is not."""
    write_sum(directory / "cells.il", ECP5, **sizes)
    write_sum(directory / "plain.il", None, **sizes, broken=broken)
    (directory / "luts.v").write_text(LUTS)
    run_yosys(PROOF, directory)


@pytest.mark.parametrize("sizes", [
    {"width": 16, "units": 2, "pairs": 2, "singles": 1},  # eight banks
    {"width": 20, "units": 1, "pairs": 1, "singles": 1},  # four
    {"width": 7, "units": 1, "pairs": 0, "singles": 1},  # two, and an odd width
    {"width": 14, "units": 1, "pairs": 3, "singles": 0},  # added up already
])
def test_carry_cells_add_and_double(sizes, tmp_path):
    prove(tmp_path, **sizes)


def test_a_difference_is_found(tmp_path):
    with pytest.raises(BuildError, match="proof did fail"):
        prove(tmp_path, width=6, units=2, pairs=2, singles=1, broken=True)


def write_lane(path: Path, platform, *, broken: bool = False) -> None:
    """Write a lane's accumulator as a module, named like the file: cleared, doubled, counted on."""
    m = Module()
    accumulator = Signal(16, name="accumulator", reset_less=True)
    parts = [Signal(size, name=name) for name, size in (("units", 2), ("pairs", 2), ("single", 1))]
    double, clear = Signal(name="double"), Signal(name="clear")
    m.d.sync += accumulator.eq(next_sum(m, platform, accumulator, Ones(*parts), double, exclusive=False))
    with m.If(clear & ~double if broken else clear):
        m.d.sync += accumulator.eq(0)
    path.write_text(rtlil.convert(m, name=path.stem, ports=[*parts, double, clear, accumulator], emit_src=False))


def prove_netlist(directory: Path, *, broken: bool = False) -> None:
    """Prove that a lane's netlist for ECP5 does what the lane does; raises BuildError if it does not."""
    write_lane(directory / "cells.il", ECP5)
    write_lane(directory / "plain.il", None, broken=broken)
    (directory / "luts.v").write_text(LUTS)
    run_yosys(NETLIST_PROOF, directory)


def test_a_netlist_clears_doubles_and_adds(tmp_path):
    prove_netlist(tmp_path)


def test_a_difference_in_a_netlist_is_found(tmp_path):
    with pytest.raises(BuildError, match="failed with 1"):
        prove_netlist(tmp_path, broken=True)
