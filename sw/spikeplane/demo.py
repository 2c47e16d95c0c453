"""The demo: from handwritten digits to a network that runs, bit for bit, on the simulated board."""

import hashlib
import json
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from spikeplane_hw.config import SMALL, CoreConfig

from .beside import beside
from .boards import BOARDS
from .compiler.compile import compile_network
from .compiler.cycles import predict_cycles
from .compiler.image import Image, load_image, save_image
from .compiler.limits import CompileError, Limit, needs
from .compiler.place import place
from .confusion import confusion_matrix
from .data.sets.datasets import load_dataset
from .device.comparison import Comparison, compare_with_model
from .device.driver import Driver
from .device.simulated import SimulatedTransport
from .device.verilate import check_tools
from .fit_report import recipe_candidate
from .image_data import class_names
from .network.file import save_network
from .network.graph import IntegerNetwork
from .progress import steps
from .provenance import provenance
from .quantiles import quantiles
from .reports.demo_page import demo_page, demo_rows
from .reports.energy import Cost, cost, energy_nj
from .reports.run_report import report_names
from .training.net.export import export_network
from .training.recipe.recipes import Recipe, load_recipe
from .training.run.checkpoint import Checkpoint, load_checkpoint
from .training.run.evaluate import predict, predict_integer
from .training.run.options import RunOptions
from .training.run.train import train
from .writing import check_folder, check_writable, write_json

__all__ = ["run_demo"]

OF_WEIGHTS = (Limit.SUM, Limit.REFERENCE, Limit.LOGIT_SUM, Limit.CURRENT)
"""Limits that depend on the values of the weights, which are known after the training."""
PREDICTED_SAMPLES = 20
"""Recordings whose cycles are predicted for the boards' configurations."""
ENERGY_SAMPLES = 50
"""Recordings whose operations are counted."""


def run_demo(
    directory: Path = Path("build/demo"),
    config: CoreConfig = SMALL,
    *,
    overrides: tuple[str, ...] = (),
    samples: int | None = None,
    progress: bool = True,
) -> dict:
    """Train, export, compile and run the digits network; return what ``report.json`` holds.

    Two cores are of use: the float32 twin and the simulated board are made in processes of their own.

    Trained networks and the compiled board are kept in ``directory`` and used again if recipe and
    core are the same. ``overrides`` change the recipe, ``samples`` takes only the first test
    recordings; the files of its report have other names then. Raises an error of the step that fails; what is wrong
    with the arguments, or missing, is told before the training.

    In ``report.json``, ``weight_bits`` and ``state_bits`` list the bits of a weight and of a potential
    in the order of the layers: of all that store weights, and of all that have neurons. Pools have
    neither; ``weight_memory_bits`` and ``state_memory_bits`` are the sums over the whole network.
    """
    if not config.statistics:
        raise ValueError(f"config must have statistics, which the report shows; {config.name!r} has none")
    console = Console(quiet=not progress, emoji=False)
    # Layers this small gain nothing from threads, and lose much where the machine is busy.
    torch.set_num_threads(1)
    recipe = load_recipe("digits", overrides)
    check_folder(directory)
    page_name, json_name = report_names(samples)
    for name in (page_name, json_name, "digits.spk", "digits.network.safetensors"):
        check_writable(directory / name)
    check_tools()
    _check_fit(recipe, config)
    test = load_dataset(recipe.data, "test")
    inputs, labels = test.inputs[:samples], test.labels[:samples]

    console.print(
        "[bold]1/5[/] train the network with 1-bit inner weights; "
        f"beside it train it in float32 and build the simulated board ({config.name})"
    )
    with beside(SimulatedTransport, config), beside(_train_aside, recipe.float32(), directory):
        checkpoint = _train(recipe, directory, progress)
    twin = _train(recipe.float32(), directory, progress).network
    quantized = checkpoint.network
    console.print("[bold]2/5[/] export it to integers and compile it")
    network = export_network(quantized, checkpoint.metadata)
    save_network(network, directory / "digits.network.safetensors")
    image = compile_network(network, config, keep_states=True, samples=test.inputs[:2])
    path = directory / "digits.spk"
    save_image(image, path)
    image = load_image(path)
    console.print(f"[bold]3/5[/] load the image onto the simulated board ({config.name})")
    transport = SimulatedTransport(config)
    with Driver(transport, config) as driver:
        driver.load(image)
        driver.self_test()
        console.print(f"[bold]4/5[/] stream {len(inputs)} recordings through the driver")
        started, first_cycle = time.monotonic(), transport.cycles
        with steps(len(inputs), shown=progress, unit="recording") as bar:
            comparison = compare_with_model(
                driver, network, inputs, progress=lambda done: bar.update(done - bar.n)
            )
        seconds = time.monotonic() - started
        simulated = transport.cycles - first_cycle
    accuracy = {
        "float32": float((predict(twin, inputs) == labels).mean()),
        "quantized": float((predict(quantized, inputs) == labels).mean()),
        "integer": float((predict_integer(network, inputs) == labels).mean()),
        "device": float((np.array(comparison.predictions) == labels).mean()),
    }
    cycles = comparison.cycles.sum(1)
    results = _results(accuracy, comparison, image, network, path)
    results["classes"] = class_names(network.metadata, test.classes)
    results["confusion"] = confusion_matrix(labels, np.array(comparison.predictions), test.classes).tolist()
    results["latency_cycles"] = quantiles(cycles)
    results["recordings_per_second"] = len(inputs) / seconds
    results["simulated_cycles_per_second"] = simulated / seconds
    results["boards"] = _boards(network, inputs[:PREDICTED_SAMPLES], config, cycles)
    results["energy_nj"] = _energy(cost(quantized, inputs[:ENERGY_SAMPLES]))
    results["run"] = provenance() | {"seed": recipe.seed, "recipe": recipe.name} | {
        f"version of {name}": version for name, version in checkpoint.versions.items()
    }
    console.print(f"[bold]5/5[/] write {escape(str(directory))}/{json_name} and {page_name}")
    write_json(directory / json_name, results)
    demo_page(results, test, network, comparison.predictions, cycles).write(directory / page_name)
    _print(console, results)
    return results


def _check_fit(recipe: Recipe, config: CoreConfig) -> None:
    """Raise a CompileError if a core has no room for a recipe's network, whatever its training makes of it."""
    placement = place(recipe_candidate(recipe).network, config, keep_states=True, check=False)
    exceeded = [need for need in needs(placement) if need.exceeded and need.kind not in OF_WEIGHTS]
    if exceeded:
        raise CompileError(f"{exceeded[0]}: the demo needs another --config, or a smaller network by --set")


def _train(recipe: Recipe, directory: Path, progress: bool) -> Checkpoint:
    key = hashlib.sha256(json.dumps(recipe.to_dict(), sort_keys=True).encode()).hexdigest()[:12]
    # For layers this small a GPU's launches take longer than their work.
    options = RunOptions(device="cpu")
    path = train(recipe, directory / f"{recipe.name}-{key}", progress=progress, options=options)
    return load_checkpoint(path)


def _train_aside(recipe: Recipe, directory: Path) -> None:
    torch.set_num_threads(1)
    _train(recipe, directory, progress=False)


def _results(
    accuracy: dict[str, float],
    comparison: Comparison,
    image: Image,
    network: IntegerNetwork,
    path: Path,
) -> dict:
    names = [layer.name for layer in image.layers]
    cycles, operations = comparison.cycles.mean(0), comparison.operations.mean(0)
    peak = image.config.peak_operations
    needs = [node.memory(network.maps()) for node in network.nodes]
    lanes, banks = _reach(image, network)
    return {
        "accuracy": accuracy,
        "mismatches": comparison.total,
        "mismatches_by_kind": comparison.mismatches,
        "compared": comparison.compared,
        "samples": comparison.samples,
        "configuration": image.config.name,
        "cycles_per_sample": float(cycles.sum()),
        "cycles_by_layer": dict(zip(names, cycles.tolist(), strict=True)),
        "synaptic_operations_per_sample": float(operations.sum()),
        "utilization": {
            "overall": float(operations.sum() / (cycles.sum() * peak)),
            "layers": dict(zip(names, (operations / (cycles * peak)).tolist(), strict=True)),
            "lanes": lanes,
            "banks": banks,
        },
        "image_bytes": path.stat().st_size,
        "weight_bits": [bits for need in needs for bits in need.weight_bits],
        "state_bits": [need.potential_bits for need in needs if need.potential_bits],
        "weight_memory_bits": sum(need.weights for need in needs),
        "state_memory_bits": sum(need.potentials for need in needs),
    }


def _boards(network: IntegerNetwork, inputs: np.ndarray, config: CoreConfig, counted: np.ndarray) -> dict:
    """Return times on each board: of the cycles that the device counted, or of predicted ones on ``inputs``."""
    boards = {}
    for name, board in BOARDS.items():
        same = board.config == config
        cycles = counted if same else predict_cycles(network, inputs, board.config).sum(1)
        boards[name] = {
            "configuration": board.config.name,
            "clock_mhz": board.clock / 1e6,
            "counted": same,
            "recordings": len(cycles),
            "milliseconds": quantiles(cycles / board.clock * 1e3),
        }
    return boards


def _energy(spent: Cost) -> dict:
    """Return energies by the papers' formula, of a recording; of layers the spiking and the dense one."""
    return {
        "network": spent.energy_nj,
        "dense": spent.dense_energy_nj,
        "layers": {
            name: [energy_nj(of.accumulates, of.multiply_accumulates), energy_nj(0, of.dense)]
            for name, of in spent.operations.items()
        },
        "recordings": spent.samples,
    }


def _reach(image: Image, network: IntegerNetwork) -> tuple[dict[str, float], dict[str, float]]:
    """Return for each layer which share of the lanes, and of the banks, has a channel at all."""
    maps, config = network.maps(), image.config
    lanes = {info.name: info.channels / (-(-info.channels // config.lanes) * config.lanes) for info in image.layers}
    banks = {
        info.name: min(1.0, max(maps[source].channels for source in info.sources) / config.banks)
        for info in image.layers
    }
    return lanes, banks


def _print(console: Console, results: dict) -> None:
    table = Table(title="Digits on the simulated board")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in demo_rows(results):
        table.add_row(name, str(value))
    console.print(table)

