"""The networks of qp_snn.py: how each is trained, pruned and measured.

Finished trainings and measurements in FOLDER are used again; an interrupted one goes on.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from accuracy import run_on_board
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

__all__ = [
    "BASELINE", "CONFIG", "DISTILLED", "FOLDER", "HALF", "LEVELS", "PRUNED", "TASKS", "WHOLE", "Measured", "Task",
    "Variant", "channels_left", "measure", "on_board",
]

FOLDER = Path("build/bench/qp_snn")
TUNED = "tuned"
CONFIG = SMALL
HALF = 0.5
LEVELS = (0.75, HALF, 0.25)
"""Operations left of the first seed's rescaled network, where a search by spike rank chose the channel counts."""
OPERATION_SAMPLES, CYCLE_SAMPLES = 50, 5
"""Test samples on which operations are counted and cycles predicted."""
MEMORY_FREE = (
    "neuron.dynamics=memory_free", "neuron.taps=2", "layers.conv1.neuron.dynamics=leaky",
    "layers.conv1.neuron.reset=none", "layers.conv1.neuron.state_bits=16",
)
"""Neurons that replay an image leak."""


@dataclass(frozen=True)
class Variant:
    """Weights, the criterion by which the network is pruned, and to how many operations."""

    weights: str
    criterion: str | None = None
    left: float = HALF


WHOLE, PRUNED = Variant("rescaled"), Variant("rescaled", "svs")
BASELINE = Variant("vanilla", "l1")
"""What both parts of the method together are compared with."""
ABLATION = (
    Variant("float32"), Variant("vanilla"), WHOLE, BASELINE, Variant("vanilla", "svs"), Variant("rescaled", "l1"),
    PRUNED,
)
CHOICES = (Variant("rescaled", "rate"), Variant("rescaled", "random"))
CURVES = tuple(
    Variant(weights, criterion, left) for weights in ("rescaled", "rescaled-4", "rescaled-8")
    for criterion, left in ((None, HALF), *(("svs", level) for level in LEVELS))
)
"""Accuracy against bytes and cycles."""
OTHERS = (Variant("q-snn"), Variant("memory-free"))
"""The project's other methods on the same axes."""
DISTILLED = Variant("distilled")
"""With MD-SNN's loss."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A data set, and how briefly its network is trained."""

    title: str
    inner: tuple[str, ...]
    epochs: int
    """Of the training, and of the fine-tuning of a pruned network."""
    board_samples: int
    overrides: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ABLATION
    curves: tuple[Variant, ...] = ()
    """Trained from fewer seeds than ``variants``."""


TASKS = {
    "mnist": Task(
        title="MNIST", inner=("conv2", "conv3", "dense"), epochs=5, board_samples=200,
        overrides=("data.validation=40000",), variants=(*ABLATION, *CHOICES, *OTHERS), curves=CURVES,
    ),
    "ncars": Task(
        title="N-CARS part", inner=("conv2", "conv3", "conv4"), epochs=10, board_samples=200,
    ),
}
TUNING_RATE = 0.003
"""Of fine-tuning; of 0.001, 0.003 and 0.01 the best on held-out images of MNIST's first seed."""
POTENTIAL_WEIGHT = 0.1
"""Of the loss of potentials that follow those of the float32 twin, beside that of the labels; no other was tried."""


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


def base_recipe(data: str, weights: str, seed: int, root: Path) -> Recipe:
    """Return the recipe of an unpruned network."""
    task = TASKS[data]
    overrides = [*task.overrides, f"training.epochs={task.epochs}", f"seed={seed}"]
    overrides += [f"layers.{name}.{setting}" for name in task.inner for setting in settings_of_weights(weights)]
    if weights == "q-snn":
        overrides.append("neuron.state_bits=2")
    if weights == "memory-free":
        overrides += MEMORY_FREE
    if weights == "distilled":
        teacher = base(data, "float32", seed, root)
        overrides += [
            f"training.teacher.checkpoint={json.dumps(str(teacher))}",
            f"training.losses.potential_distillation.weight={POTENTIAL_WEIGHT}",
        ]
    recipe = load_recipe(f"{data}_2w16u", overrides)
    return recipe.float32() if weights == "float32" else recipe


def base_folder(data: str, weights: str, seed: int) -> Path:
    """Return the folder of an unpruned network."""
    return FOLDER / f"{data}-{weights}-{seed}"


def base(data: str, weights: str, seed: int, root: Path) -> Path:
    """Return the checkpoint of an unpruned network."""
    return train(base_recipe(data, weights, seed, root), base_folder(data, weights, seed), root)


def channels_left(data: str, left: float, root: Path) -> dict[str, float]:
    """Return the part of each group that a search leaves, so that ``left`` of the operations are."""
    path = FOLDER / f"{data}-left-{left:.0%}.json"
    if not path.exists():
        budget = Budget("operations", left, relative=True)
        pruned = prune(base(data, WHOLE.weights, 1, root), budget=budget, config=CONFIG, data_root=root)
        write_pruned(pruned, path.with_suffix(""))
        write_json(path, {group.name: group.after / group.before for group in pruned.groups})
    return json.loads(path.read_text())


def pruned_folder(data: str, variant: Variant, seed: int) -> Path:
    """Return the folder of a pruned network; the one that is trained on is in TUNED in it."""
    return FOLDER / f"{data}-{variant.weights}-{variant.criterion}-{variant.left:.0%}-{seed}"


def network_file(data: str, variant: Variant, seed: int, root: Path) -> Path:
    """Return the checkpoint of a network, trained on if it is pruned."""
    source = base(data, variant.weights, seed, root)
    if variant.criterion is None:
        return source
    folder = pruned_folder(data, variant, seed)
    if not (folder / RECIPE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        ratios = {name: 1 - part for name, part in channels_left(data, variant.left, root).items()}
        settings = settings_of(source, variant.criterion)
        write_pruned(prune(source, ratios=ratios, settings=settings, config=CONFIG, data_root=root), folder)
    recipe = load_recipe(folder / RECIPE, [
        f"training.epochs={TASKS[data].epochs}", f"training.learning_rate={TUNING_RATE}",
    ])
    return train(recipe, folder / TUNED, root)


def measure(data: str, variant: Variant, seed: int, root: Path) -> Measured:
    """Return the figures of a network."""
    whole = variant.criterion is None
    folder = base_folder(data, variant.weights, seed) if whole else pruned_folder(data, variant, seed) / TUNED
    file = folder / "measured.json"
    if not file.exists():
        loaded = load_checkpoint(network_file(data, variant, seed, root))
        test = load_dataset(loaded.recipe.data, "test", root)
        network, cycles = loaded.network, 0.0
        if variant.weights == "float32":
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
        loaded = load_checkpoint(network_file(data, PRUNED, 1, root))
        test = load_dataset(loaded.recipe.data, "test", root)
        inputs = test.inputs[: TASKS[data].board_samples]
        network = export_network(loaded.network)
        result = run_on_board(network, CONFIG, inputs, data)
        predicted = sum(core_cycles(network, CONFIG, inputs).values())
        write_json(file, {
            "mismatches": result.total, "cycles": float(result.cycles.sum(1).mean()), "predicted": predicted,
        })
    return json.loads(file.read_text())
