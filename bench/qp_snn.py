"""QP-SNN: rescaled 2-bit weights and pruning by spike rank, what each gives, on MNIST and N-CARS.

Networks are small and trained briefly, so that one processor core is enough. Needs the data sets under
SPIKEPLANE_DATA. Finished trainings and measurements in build/bench/qp_snn are used again; an interrupted one goes on.
"""

import argparse
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from accuracy import data_root, run_on_board
from figures import Figure, save
from spikeplane.data.sets.datasets import load_dataset
from spikeplane.pruning.costs import Budget, core_cycles, weight_bytes
from spikeplane.pruning.prune import prune, settings_of
from spikeplane.pruning.written import RECIPE, write_pruned
from spikeplane.reports.energy import cost
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import Recipe, load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.evaluate import predict, predict_integer
from spikeplane.training.run.train import train
from spikeplane.writing import write_json
from spikeplane_hw.config import SMALL

FOLDER = Path("build/bench/qp_snn")
PICTURE = Path("docs/pictures/qp_snn.png")
CONFIG = SMALL
BUDGET = Budget("operations", 0.5, relative=True)
"""Of the search, on the first seed's rescaled network by spike rank; all others are pruned to the same counts."""
OPERATION_SAMPLES, CYCLE_SAMPLES = 50, 5
"""Test samples on which operations are counted and cycles predicted."""
VARIANTS = (
    ("float32", None), ("vanilla", None), ("rescaled", None), ("vanilla", "l1"), ("vanilla", "svs"),
    ("rescaled", "l1"), ("rescaled", "svs"), ("rescaled", "rate"), ("rescaled", "random"),
)
"""Weights, and the criterion by which they are pruned."""
OTHER_BITS = (("rescaled-4", None), ("rescaled-8", None), ("q-snn", None), ("memory-free", None))
"""What stands beside 2 bits in the pictures: more bits, and the project's other methods."""
BASELINE = ("vanilla", "l1")
"""What both parts of the method together are compared with."""
NAMES = {
    "float32": "float32", "vanilla": "vanilla 2 bits", "rescaled": "ReScaW 2 bits", "rescaled-4": "ReScaW 4 bits",
    "rescaled-8": "ReScaW 8 bits", "q-snn": "Q-SNN 1-2", "memory-free": "1 bit, memory-free",
}
MEMORY_FREE = (
    "neuron.dynamics=memory_free", "neuron.taps=2", "layers.conv1.neuron.dynamics=leaky",
    "layers.conv1.neuron.reset=none", "layers.conv1.neuron.state_bits=16",
)
"""Neurons that replay an image leak."""
CRITERIA = {"l1": "L1", "svs": "SVS", "rate": "firing rate", "random": "chance"}


@dataclass(frozen=True, kw_only=True)
class Task:
    """A data set, and how briefly its network is trained."""

    title: str
    inner: tuple[str, ...]
    epochs: int
    tuning_epochs: int
    board_samples: int
    overrides: tuple[str, ...] = ()
    variants: tuple[tuple[str, str | None], ...] = VARIANTS


TASKS = {
    "mnist": Task(
        title="MNIST", inner=("conv2", "conv3", "dense"), epochs=5, tuning_epochs=2, board_samples=200,
        overrides=("data.validation=40000",), variants=(*VARIANTS, *OTHER_BITS),
    ),
    "ncars": Task(
        title="N-CARS part", inner=("conv2", "conv3", "conv4"), epochs=10, tuning_epochs=2, board_samples=20,
        variants=(*VARIANTS[:3], ("rescaled", "l1"), ("rescaled", "svs")),
    ),
}
NOTE = """\
Small networks, trained briefly on a processor core, after the paper's method and not at its scale: MNIST on 20,000
images, 5 epochs and 2 of fine-tuning; N-CARS on 2,700 recordings, 10 epochs and 2. AdamW, 0.01, then 0.001; one seed
unless said. Nothing was chosen by test accuracies. A standard error is 0.15 points on MNIST (10,000 images), 1.1 on
N-CARS (1,000 recordings). Pruned networks have the channels that a search by spike rank leaves of the first seed's
ReScaW network at half of the operations; the criterion decides which. Operations and cycles are those of the first test
samples; cycles are predicted for `small` unless measured."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A network's figures."""

    accuracy: float
    """On the test part in percent, of the integer model; of the float32 twin as trained."""
    bytes: float
    operations: float
    cycles: float
    """0 where there is no integer model."""


def settings_of_weights(weights: str) -> tuple[str, ...]:
    """Return what inner layers have in place of rescaled weights of 2 bits."""
    if weights == "vanilla":
        return ('options={rescaling="none"}',)
    if weights in ("q-snn", "memory-free"):
        return ("weights=binary", "weight_bits=1")
    _, _, bits = weights.partition("-")
    return (f"weight_bits={bits}",) if bits else ()


def base_recipe(data: str, weights: str, seed: int) -> Recipe:
    """Return the recipe of an unpruned network."""
    task = TASKS[data]
    overrides = [*task.overrides, f"training.epochs={task.epochs}", f"seed={seed}"]
    overrides += [f"layers.{name}.{setting}" for name in task.inner for setting in settings_of_weights(weights)]
    if weights == "q-snn":
        overrides.append("neuron.state_bits=2")
    if weights == "memory-free":
        overrides += MEMORY_FREE
    recipe = load_recipe(f"{data}_2w16u", overrides)
    return recipe.float32() if weights == "float32" else recipe


def base(data: str, weights: str, seed: int, root: Path) -> Path:
    """Return the checkpoint of an unpruned network."""
    return train(base_recipe(data, weights, seed), FOLDER / f"{data}-{weights}-{seed}", root)


def ratios(data: str, root: Path) -> dict[str, float]:
    """Return the part of each group that the search removes."""
    path = FOLDER / f"{data}-ratios.json"
    if not path.exists():
        folder = FOLDER / f"{data}-search"
        pruned = prune(base(data, "rescaled", 1, root), budget=BUDGET, config=CONFIG, data_root=root)
        write_pruned(pruned, folder)
        write_json(path, {group.name: 1 - group.after / group.before for group in pruned.groups})
    return json.loads(path.read_text())


def network_file(data: str, weights: str, criterion: str | None, seed: int, root: Path) -> Path:
    """Return the checkpoint of a network, trained on if it is pruned."""
    source = base(data, weights, seed, root)
    if criterion is None:
        return source
    folder = FOLDER / f"{data}-{weights}-{criterion}-{seed}"
    if not (folder / RECIPE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        settings = settings_of(source, criterion)
        write_pruned(
            prune(source, ratios=ratios(data, root), settings=settings, config=CONFIG, data_root=root), folder
        )
    recipe = load_recipe(folder / RECIPE, [f"training.epochs={TASKS[data].tuning_epochs}"])
    return train(recipe, folder / "tuned", root)


def measure(data: str, weights: str, criterion: str | None, seed: int, root: Path) -> Measured:
    """Return the figures of a network."""
    path = network_file(data, weights, criterion, seed, root)
    file = path.with_name("measured.json")
    if not file.exists():
        loaded = load_checkpoint(path)
        test = load_dataset(loaded.recipe.data, "test", root)
        network, cycles = loaded.network, 0.0
        if weights == "float32":
            right = predict(network, test.inputs) == test.labels
        else:
            integers = export_network(network)
            right = predict_integer(integers, test.inputs) == test.labels
            cycles = sum(core_cycles(integers, CONFIG, test.inputs[:CYCLE_SAMPLES]).values())
        found = cost(network, test.inputs[:OPERATION_SAMPLES])
        write_json(file, asdict(Measured(
            accuracy=100 * float(right.mean()), bytes=sum(weight_bytes(network).values()), cycles=cycles,
            operations=found.accumulates + found.multiply_accumulates,
        )))
    return Measured(**json.loads(file.read_text()))


def on_board(data: str, root: Path) -> dict[str, float]:
    """Return what the pruned network of the first seed takes and says on the simulated board."""
    file = FOLDER / f"{data}-board.json"
    if not file.exists():
        loaded = load_checkpoint(network_file(data, "rescaled", "svs", 1, root))
        test = load_dataset(loaded.recipe.data, "test", root)
        inputs = test.inputs[: TASKS[data].board_samples]
        network = export_network(loaded.network)
        result = run_on_board(network, CONFIG, inputs, data)
        predicted = sum(core_cycles(network, CONFIG, inputs).values())
        write_json(file, {
            "mismatches": result.total, "cycles": float(result.cycles.sum(1).mean()), "predicted": predicted,
        })
    return json.loads(file.read_text())


def called(weights: str, criterion: str | None) -> str:
    """Return a variant in words."""
    return NAMES[weights] + (f", pruned by {CRITERIA[criterion]}" if criterion else "")


def figures(data: str, found: dict[int, dict], board: dict[str, float], left: dict[str, float]) -> list[Figure]:
    """Return the figures of a data set; ``found`` are those of each variant, by seed."""
    title, seeds = TASKS[data].title, list(found)
    whose = f"mean of seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else f"seed {seeds[0]}"

    def mean(key: str, weights: str, criterion: str | None = None) -> float:
        return fmean(getattr(found[seed][weights, criterion], key) for seed in seeds)

    result = [
        Figure(f"{title}, {called(*variant)}: accuracy, {whose}", mean("accuracy", *variant), "%")
        for variant in TASKS[data].variants
    ]
    whole, pruned = ("rescaled", None), ("rescaled", "svs")
    for key, unit in (("bytes", "bytes"), ("operations", "operations a sample"), ("cycles", "cycles a sample")):
        result += [Figure(f"{title}, {called(*each)}: {key}", mean(key, *each), unit) for each in (whole, pruned)]
    result.append(Figure(f"{title}, float32: bytes", mean("bytes", "float32"), "bytes"))
    channels = ", ".join(f"{name} {part:.0%}" for name, part in left.items())
    if BASELINE in TASKS[data].variants:
        result.append(Figure.at_least(
            f"{title}, both less the pruned vanilla baseline (L1)",
            mean("accuracy", *pruned) - mean("accuracy", *BASELINE), "points", 0,
        ))
    return [
        *result,
        Figure(f"{title}: channels removed", channels, ""),
        Figure.at_least(f"{title}, ReScaW 2 bits less float32", mean("accuracy", *whole) - mean("accuracy", "float32"),
                        "points", -0.2),
        Figure.at_least(f"{title}, ReScaW 2 bits, pruned by SVS less unpruned",
                        mean("accuracy", *pruned) - mean("accuracy", *whole), "points", -0.3),
        Figure.at_most(f"{title}, pruned by SVS: operations left", 100 * mean("operations", *pruned)
                       / mean("operations", *whole), "%", 50),
        Figure.at_least(f"{title}, pruned by SVS less by L1",
                        mean("accuracy", *pruned) - mean("accuracy", "rescaled", "l1"), "points", 0),
        Figure.at_most(f"{title}, pruned by SVS, {TASKS[data].board_samples} samples on the simulated board: "
                       f"mismatches", board["mismatches"], "values", 0),
        Figure(f"{title}, pruned by SVS, on the simulated board: cycles measured", board["cycles"], "cycles a sample"),
        Figure(f"{title}, pruned by SVS, the same samples: cycles predicted", board["predicted"], "cycles a sample"),
    ]


def table(data: str, found: dict[int, dict]) -> list[list[str]]:
    """Return the rows of the table of a data set, the first of them its head; means of the seeds."""
    rows = [["network", "accuracy, %", "kB", "operations", f"cycles on `{CONFIG.name}`"]]
    for variant in TASKS[data].variants:
        accuracy, size, operations, cycles = (
            fmean(getattr(each[variant], key) for each in found.values())
            for key in ("accuracy", "bytes", "operations", "cycles")
        )
        rows.append([
            called(*variant), f"{accuracy:.2f}", f"{size / 1e3:.1f}", f"{operations:,.0f}",
            f"{cycles:,.0f}" if cycles else "",
        ])
    return rows


def draw(found: dict[str, dict[int, dict]]) -> None:
    """Draw accuracy over bytes and over cycles, a row for each data set, means of its seeds."""
    figure, axes = plt.subplots(
        len(found), 2, figsize=(8.8, 3.4 * len(found)), squeeze=False, layout="constrained", sharey="row",
    )
    order = (*VARIANTS, *OTHER_BITS)
    for row, (data, seeds) in zip(axes, found.items(), strict=True):
        for axis, key, title in zip(row, ("bytes", "cycles"), ("bytes of weights", "cycles a sample"), strict=True):
            for variant in TASKS[data].variants:
                accuracy, cost_of = (
                    fmean(getattr(each[variant], name) for each in seeds.values()) for name in ("accuracy", key)
                )
                if cost_of:
                    axis.plot(cost_of, accuracy, marker="s" if variant[1] is None else "o", linestyle="",
                              color=plt.get_cmap("tab20")(order.index(variant)), label=called(*variant))
            axis.set_xlabel(title)
            axis.set_title(TASKS[data].title, fontsize=9)
            axis.grid(color="#dde3ec", linewidth=0.6)
        row[0].set_xscale("log")
        row[1].locator_params(axis="x", nbins=5)
        row[0].set_ylabel("test accuracy, %")
    axes[0][0].legend(fontsize=6)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for data in TASKS:
        parser.add_argument(f"--{data}-seeds", type=int, nargs="+", default=[1], help="seeds; default: 1")
    parser.add_argument("--data", nargs="+", choices=TASKS, default=list(TASKS), help="data sets; default: all")
    arguments, root = parser.parse_args(), data_root()
    found: dict[str, dict[int, dict]] = {}
    result, tables = [], {}
    for data in arguments.data:
        found[data] = {
            seed: {variant: measure(data, *variant, seed, root) for variant in TASKS[data].variants}
            for seed in getattr(arguments, f"{data}_seeds")
        }
        result += figures(data, found[data], on_board(data, root), ratios(data, root))
        draw(found)
        tables[data] = table(data, found[data])
        save("qp_snn", result, {"note": NOTE, "picture": "pictures/qp_snn.png", "tables": tables})


if __name__ == "__main__":
    main()
