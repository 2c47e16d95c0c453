"""Variants of the CIFAR-10 network made for large, and the one for tiny: their recipes and trainings."""

import time
from pathlib import Path

import torch
from cifar10_part import DATA as PART
from spikeplane.boards import BOARDS
from spikeplane.pruning.prune import prune, settings_of
from spikeplane.pruning.written import RECIPE as TUNING_RECIPE
from spikeplane.pruning.written import write_pruned
from spikeplane.training.recipe.recipes import Recipe, load_recipe
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.train import CHECKPOINT, train
from spikeplane.writing import write_json

__all__ = [
    "BOARD", "PRUNED", "RECIPE", "SPENT", "TINY", "TINY_BOARD", "TINY_RECIPE", "TUNED", "VARIANTS", "WHOLE",
    "recipe_of", "trained",
]

RECIPE, TINY_RECIPE = "cifar10_core", "cifar10_tiny"
FOLDER = Path("build") / "bench" / "cifar10"
BOARD, TINY_BOARD = BOARDS["ulx3s-85f"], BOARDS["icebreaker"]
MEMORY_FREE = (
    "neuron.dynamics=memory_free", "neuron.taps=2", "layers.conv1.neuron.dynamics=leaky",
    "layers.conv1.neuron.state_bits=16", "layers.conv1.neuron.reset=none",
)
INNER = ("conv2", "conv3", "conv4", "conv5", "conv6")
RESCALED = (
    "neuron.state_bits=16",
    *(f"layers.{name}.{setting}" for name in INNER for setting in ("weights=rescaled", "weight_bits=2")),
)
TUNING = (
    f"data.name={PART}", "data.validation=0", "training.epochs=1", "training.batch_size=100",
    "training.learning_rate=0.001", "training.augmentations.cutmix=false",
)
"""Of what is trained on: once over a part of the images, the teacher as before."""
WHOLE = {
    "1-2": (), "float32": ("training.epochs=74",), "memory-free": (*MEMORY_FREE, "training.epochs=74"),
    "2-16": (*RESCALED, "training.epochs=36"),
}
"""Trained from the start: what the recipe's settings become; float32 is the twin without quantization."""
TUNED = {f"1-{bits}": (*TUNING, f"neuron.state_bits={bits}") for bits in (4, 8)}
"""Trained on from 1-2."""
PRUNED = "2-16 pruned"
RATIO = 0.3
"""Part of the channels of every group that 2-16 loses: about half of the weights and of the operations."""
TINY = "tiny"
VARIANTS = (*WHOLE, *TUNED, PRUNED, TINY)
SPENT = "cpu_seconds.json"
"""Beside a checkpoint that a processor core has trained: how long it took."""


def recipe_of(name: str) -> Recipe:
    """Return the recipe of a variant that is not pruned."""
    if name == TINY:
        return load_recipe(TINY_RECIPE)
    if name in TUNED:
        start = f"training.start.checkpoint={FOLDER / '1-2' / CHECKPOINT}"
        return load_recipe(RECIPE, (*TUNED[name], start))
    recipe = load_recipe(RECIPE, WHOLE[name])
    return recipe.float32() if name == "float32" else recipe


def trained(name: str, root: Path) -> Path:
    """Return the checkpoint of a variant, trained if it is not there."""
    gpu, folder = name in WHOLE, FOLDER / name.replace(" ", "-")
    options = RunOptions(amp="bfloat16", compile=True, graphs=torch.cuda.is_available()) if gpu else RunOptions()
    begun = time.process_time()
    if name == PRUNED:
        recipe, folder = pruned(folder, root), folder / "tuned"
    else:
        recipe = recipe_of(name)
    whole = not (folder / CHECKPOINT).exists()  # Of one that was interrupted, the time is not known.
    path = train(recipe, folder, root, options=options)
    if whole and not gpu:
        write_json(folder / SPENT, time.process_time() - begun)
    return path


def pruned(folder: Path, root: Path) -> Recipe:
    """Return the recipe that trains 2-16 on without a part of its channels; it begins with what is in ``folder``."""
    if not (folder / TUNING_RECIPE).exists():
        source = trained("2-16", root)
        ratios: dict[str, float] = dict.fromkeys(("conv1", *INNER), RATIO)
        settings = settings_of(source, "svs")
        write_pruned(
            prune(source, ratios=ratios, settings=settings, config=BOARD.config, data_root=root, shown=False), folder
        )
    return load_recipe(folder / TUNING_RECIPE, TUNING)
