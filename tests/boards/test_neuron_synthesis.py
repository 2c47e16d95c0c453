"""What synthesis makes of the neuron unit of the iCE40: multiplier and sum share a cell, which must lose no bit."""

import json
import subprocess
import sys

import pytest
from amaranth.back import rtlil
from spikeplane.boards import BOARDS
from spikeplane_hw.neuron_unit import NeuronUnit

pytest.importorskip("pyosys", reason="it synthesizes")


def test_no_bit_of_a_sum_is_lost(tmp_path):
    board = BOARDS["icebreaker"]
    (tmp_path / "unit.il").write_text(rtlil.convert(NeuronUnit(board.config), name="unit"))
    script = (f"read_rtlil unit.il; synth_ice40 {board.synthesis} -top unit -run begin:check; blackbox =A:whitebox; "
              "write_json unit.json")
    (tmp_path / "unit.ys").write_text(script.replace("; ", "\n") + "\n")
    run = "from pyosys import libyosys; libyosys.run_pass('script unit.ys', libyosys.Design())"
    subprocess.run([sys.executable, "-c", run], cwd=tmp_path, stdout=subprocess.DEVNULL, check=True)
    module = json.loads((tmp_path / "unit.json").read_text())["modules"]["unit"]
    cells = [cell["connections"]["O"] for cell in module["cells"].values() if cell["type"] == "SB_MAC16"]
    assert len(cells) == 2
    for name in ("exact_4", "sign_5"):
        # Bits that no shift keeps are open.
        assert not {"0", "1"} & set(module["netnames"][name]["bits"]), name
