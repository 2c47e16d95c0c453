"""Networks as graphs: exactness, speed of the integer model, residual networks, what an addition touches.

Residual networks train on MNIST under SPIKEPLANE_DATA; a finished training is used again. The version
before graphs is taken out of this repository's history.
"""

import argparse
import io
import json
import math
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from statistics import median

import numpy as np
import torch
from accuracy import data_root
from figures import Figure, save
from spikeplane.data.sets.datasets import load_dataset
from spikeplane.network import model
from spikeplane.network.schedule import Schedule
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import Checkpoint, load_checkpoint
from spikeplane.training.run.evaluate import evaluate
from spikeplane.training.run.train import train
from tqdm import tqdm

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests" / "sw"
FOLDER = Path("build") / "bench" / "graph"
"""Of the trainings."""
BEFORE = "94f7756"
"""The last version whose networks were chains of layers."""
GRAPHS = 600
ROUNDS = 5
RESIDUAL = {"resnet19": "1x1 convolutions", "resnet20": "silent channels"}
"""Families, and their shortcuts where the shape changes."""
WIDTH, EPOCHS = 4, 2
RESNET19_IMAGES = 4
PLUGINS = {
    "neuron": ("integrator", "spikeplane.training.net.neurons", "NEURONS"),
    "quantizer": ("ternary", "spikeplane.training.net.quantizers", "WEIGHT_QUANTIZERS"),
    "loss": ("quiet", "spikeplane.training.recipe.losses", "LOSSES"),
    "data set": ("own_recordings", "spikeplane.data.sets.datasets", "DATASETS"),
    "board": ("own_board", "spikeplane.boards", "BOARDS"),
}
"""Of each seam a module in tests/plugins/, and the registry that knows its part afterwards."""
BOARD_OPENS = 3
OPEN = """
import time
from spikeplane_hw.config import SMALL
from spikeplane.device.simulated import SimulatedTransport
started = time.process_time()
SimulatedTransport(SMALL).close()
print(time.process_time() - started)
"""


def zoo_digests() -> Figure:
    """Return how many digests of the zoo's networks differ from those of the version before."""
    from zoo_digests import CORES, digests

    expected = json.loads((TESTS / "zoo_digests.json").read_text())
    wrong = compared = 0
    for name in CORES:
        for schedule in Schedule:
            before, now = expected[name][schedule.value], digests(name, schedule)
            for path, value in _leaves(now):
                compared += 1
                wrong += value != _at(before, path)
    return Figure.at_most(f"zoo networks, {compared} digests of images, spikes, states, logits, counters: different",
                          wrong, "digests", 0)


def _leaves(tree: dict, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _at(tree: dict, path: tuple[str, ...]):
    for key in path:
        tree = tree[key]
    return tree


def random_graphs() -> list[Figure]:
    """Return how many values of random graphs differ from plain loops."""
    from graph_checks import differences
    from ragged_networks import CORES
    from random_graphs import graph

    wrong, schedules = 0, list(Schedule)
    for seed in tqdm(range(GRAPHS), desc="random graphs"):
        found = differences(graph(seed), CORES[seed % len(CORES)], schedules[seed // len(CORES) % 2], seed, 1)
        wrong += len(found)
        for what in found:
            print(f"graph {seed}: {what}", file=sys.stderr)
    return [
        Figure.at_least("random graphs against plain loops", GRAPHS, "graphs", 500),
        Figure.at_most("random graphs: maps, states, sums, counters that differ", wrong, "arrays", 0),
    ]


def model_speed() -> list[Figure]:
    """Return how fast the integer model is beside the version before, by turns in this run."""
    found: dict[str, list[dict[str, float]]] = {"now": [], "before": []}
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", BEFORE, "hw", "sw", "boards"], cwd=ROOT, check=True,
                                 capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            members.extractall(folder, filter="data")
        for _ in range(ROUNDS):
            for version, source in (("now", ROOT), ("before", Path(folder))):
                path = os.pathsep.join(str(source / part) for part in ("hw", "sw", "boards"))
                output = subprocess.run(
                    [sys.executable, ROOT / "bench" / "graph_speed.py", version, ROOT / "zoo"], check=True,
                    capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, cwd=folder,
                ).stdout
                found[version].append(json.loads(output))
    figures = []
    for name in found["now"][0]:
        ratios = [before[name] / now[name] for now, before in zip(found["now"], found["before"], strict=True)]
        figures.append(Figure.at_least(
            f"integer model, zoo network {name}: images a second over the version before, median of {ROUNDS} rounds",
            median(ratios), "times", 1.0))
    return figures


def resnet19_speed() -> Figure:
    """Return how many images a second the integer model of the whole ResNet-19 runs on one core."""
    recipe = load_recipe("cifar10_resnet19_1w2u")
    from spikeplane.data.sets.shapes import input_format

    network = export_network(Checkpoint.start(recipe, *input_format(recipe.data)).network)
    inputs = np.random.default_rng(0).integers(0, 1 << network.input.bits, (RESNET19_IMAGES, *network.input.shape))
    torch.set_num_threads(1)
    started = time.process_time()
    model.run(network, inputs.astype(np.uint8), counters=False)
    seconds = time.process_time() - started
    return Figure("integer model, ResNet-19 at full width, T=2, one core", RESNET19_IMAGES / seconds, "images/s")


def residual_networks(root: Path) -> list[Figure]:
    """Return accuracies of narrow residual networks on MNIST as trained and in integers."""
    figures = []
    for family, shortcut in RESIDUAL.items():
        recipe = load_recipe("mnist", [
            f"network.family={family}", f"network.width={WIDTH}", f"training.epochs={EPOCHS}", f"name={family}",
        ])
        path = train(recipe, FOLDER / family, root)
        found = evaluate(load_checkpoint(path), load_dataset(recipe.data, "test", root))
        title = f"{family}, width {WIDTH}, shortcuts by {shortcut}, MNIST"
        assert found.integer is not None and found.agreement is not None
        agree, shapes = found.agreement.spikes, load_checkpoint(path).network.neuron_shapes
        places = {name: math.prod(shapes[name]) for name in agree}
        same = sum(agree[name] * count for name, count in places.items()) / sum(places.values())
        figures += [
            Figure(f"{title}: accuracy, integer model", 100 * found.integer, "%"),
            Figure.at_most(f"{title}: trained less integer accuracy",
                           round(100 * abs(found.trained - found.integer), 6), "points", 0.2),
            Figure.at_least(f"{title}: same spikes, of all places", 100 * same, "%", 99),
            Figure(f"{title}: same spikes, the layer with the fewest", 100 * min(agree.values()), "%"),
        ]
    return figures


def plugins() -> list[Figure]:
    """Return how many files each example of an addition takes: its own, and those of the package that name it."""
    sys.path.append(str(ROOT / "tests" / "plugins"))
    package = [path for part in ("hw", "sw", "boards") for path in (ROOT / part).rglob("*.py")]
    figures = []
    for kind, (module, home, registry) in PLUGINS.items():
        known = getattr(import_module(home), registry)
        before = set(known)
        import_module(module).register()
        (name,) = set(known) - before
        named = [path for path in package if f'"{name}"' in path.read_text(encoding="utf-8")]
        figures.append(Figure.at_most(f"files to touch for a new {kind} (tests/plugins/{module}.py)", 1 + len(named),
                                      "files", 1))
    return figures


def board_opening() -> Figure:
    """Return the CPU seconds of opening a simulated board that is already built."""
    seconds = []
    for _ in range(BOARD_OPENS + 1):
        output = subprocess.run([sys.executable, "-c", OPEN], check=True, capture_output=True, text=True).stdout
        seconds.append(float(output))
    return Figure.at_most("opening a simulated board (small) that is already built, CPU seconds", median(seconds[1:]),
                          "s", 0.5)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    sys.path.append(str(TESTS))
    root = data_root()
    save("graph", [
        zoo_digests(), *random_graphs(), *model_speed(), resnet19_speed(), *residual_networks(root), *plugins(),
        board_opening(),
    ])


if __name__ == "__main__":
    main()
