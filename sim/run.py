"""Run the cocotb testbenches on the Verilog of a device: generate, build, simulate."""

import argparse
import os
import shutil
import sys
from importlib.metadata import distribution
from pathlib import Path

from configurations import SIMULATED
from spikeplane.device.verilate import PACKAGE_VARIABLES, BuildError, generate_verilog
from spikeplane_hw.collisions import collide
from spikeplane_hw.device import Device
from spikeplane_hw.simulated_device import ARRAY, SimulatedDevice

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = ROOT / "tests" / "sw"
"""Where the testbench finds its random networks."""
FLAGS = [
    "-O3", "--no-timing", "-Wno-fatal", "-Wno-lint", "-Wno-style", "-Wno-DEPRECATED",
    # Only the pins are driven and read; public inner signals would take minutes to compile.
    "--no-public-flat-rw",
]
PINS = """`verilator_config
public_flat_rw -module "device" -var "*"
"""


class CollidingDevice(Device):
    """A device in which what block RAM leaves undefined is garbage."""

    def elaborate(self, platform):
        return collide(super().elaborate(platform))


class CollidingSimulatedDevice(SimulatedDevice):
    """The same with memory outside the chip, which stalls now and then."""

    def elaborate(self, platform):
        return collide(super().elaborate(platform))


def simulate(config_name: str, *, seed: int, waves: bool) -> int:
    """Return how many testbenches failed."""
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import get_runner

    directory = ROOT / "build" / "sim" / (config_name + ("-waves" if waves else ""))
    config = SIMULATED[config_name]
    outside = config.external_depth > 0
    device = CollidingSimulatedDevice(config, noise=True) if outside else CollidingDevice(config)
    sources = [generate_verilog(device, directory), *([ARRAY] if outside else [])]
    package = Path(str(distribution("verilator").locate_file("verilator")))
    os.environ["VERILATOR_ROOT"] = str(package)
    os.environ["PATH"] = os.pathsep.join([str(package / "bin"), os.environ["PATH"]])
    os.environ["MAKEFLAGS"] = " ".join(
        variable.replace(" ", "\\ ") for variable in ("OPT_FAST=-O2", *PACKAGE_VARIABLES)
    )
    sys.path[:0] = [str(Path(__file__).parent), str(NETWORKS)]
    pins = directory / "pins.vlt"
    pins.write_text(PINS)
    runner = get_runner("verilator")
    runner.build(
        sources=[pins, *sources], hdl_toplevel="device", build_dir=directory / "model", waves=waves,
        build_args=FLAGS, timescale=("1ns", "1ps"), log_file=directory / "build.log",
    )
    results = runner.test(
        test_module="tb_device", hdl_toplevel="device", build_dir=directory / "model",
        test_dir=directory, seed=seed, waves=waves,
        extra_env={"SPIKEPLANE_SIMULATED": config_name},
    )
    count, failed = get_results(results)
    if waves:
        print(f"waveforms: {directory / 'dump.vcd'}")
    print(f"{config_name}: {count - failed} of {count} testbenches passed, seed {seed}")
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python sim/run.py --config narrow --seed 7 --waves"
    )
    parser.add_argument("--config", nargs="*", choices=SIMULATED, default=["narrow", "chunky", "outside", "clustered"],
                        help="cores to simulate (default: narrow chunky outside clustered)")
    parser.add_argument("--seed", type=int, default=1, help="repeats a run (default: 1)")
    parser.add_argument("--waves", action="store_true", default=bool(os.environ.get("WAVES")),
                        help="write every signal to build/sim/CONFIG-waves/dump.vcd")
    arguments = parser.parse_args()
    for tool in ("g++", "make", "perl"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} was not found; install it with the system package manager")
    try:
        failed = sum(
            simulate(name, seed=arguments.seed, waves=arguments.waves)
            for name in arguments.config
        )
    except BuildError as error:
        sys.exit(str(error))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
