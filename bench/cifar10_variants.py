"""Variants of the CIFAR-10 network made for large, and the one for tiny: their recipes and trainings.

1-2 is the one of the zoo. What is trained on from it needs minutes of a processor core with bfloat16.
"""

import time
from pathlib import Path

import torch
from accuracy import ZOO
from cifar10_wide import widen
from partial_data import CIFAR10_PART
from spikeplane.boards import BOARDS
from spikeplane.pruning.prune import prune, settings_of
from spikeplane.pruning.written import RECIPE as TUNING_RECIPE
from spikeplane.pruning.written import write_pruned
from spikeplane.training.recipe.recipes import Recipe, load_recipe
from spikeplane.training.run.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.train import CHECKPOINT, train
from spikeplane.writing import write_json

__all__ = [
    "BOARD", "FOLDER", "GPUS", "INNER", "PRUNED", "RECIPE", "RESCALED", "RESCALED_NAME", "TINY", "TINY_BOARD",
    "TINY_RECIPE", "TUNING", "VARIANTS", "WIDER", "recipe_of", "spent_on", "start_of", "trained",
    "write_narrowed",
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
    f"data.name={CIFAR10_PART.name}", "data.validation=0", "training.epochs=1", "training.batch_size=100",
    "training.learning_rate=0.001", "training.augmentations.cutmix=false",
)
"""Of what is trained on: once over a part of the images, the teacher as before."""
WHOLE = {
    "1-2": (), "float32": ("training.epochs=74",), "memory-free": (*MEMORY_FREE, "training.epochs=74"),
}
"""Trained from the start: what the recipe's settings become; float32 is the twin without quantization."""
RESCALED_NAME = "2-16"
TUNED = {
    RESCALED_NAME: (*RESCALED, *TUNING), **{f"1-{bits}": (*TUNING, f"neuron.state_bits={bits}") for bits in (4, 8)},
}
"""Trained on from 1-2."""
PRUNED = "2-16 pruned"
RATIO = 0.3
"""Part of the channels of every group that 2-16 loses: about half of the weights and of the operations."""
LAST = "whole"
RECOVERY = {
    "one-step": (
        "data.steps=1", "training.epochs=8", "training.learning_rate=0.003", "training.batch_size=125",
        "training.augmentations.cutmix=false",
    ),
    "tuned": (
        "training.epochs=3", "training.learning_rate=0.001", "training.batch_size=125",
        "training.augmentations.cutmix=false",
    ),
    LAST: (
        "training.epochs=60", "training.learning_rate=0.004", "training.batch_size=250",
        "training.augmentations.cutmix.probability=0.5", "training.augmentations.cutmix.until=0.85",
    ),
}
"""How it is trained on, over all images: each line begins with what the one before it left. The last needs a GPU."""
WIDER = "wider"
WIDER_COPIES = {"conv3": 2, "conv4": 2, "conv5": 2, "conv6": 4}
"""Of each channel of 1-2: nearly five times as many weights, which stream in."""
WIDER_NOISE = 0.5
"""Added to the copies' weights, in standard deviations of a channel: else they would stay copies."""
WIDER_TRAINING = ("training.epochs=347", "training.learning_rate=0.004")
TINY = "tiny"
GPUS = {**dict.fromkeys(WHOLE, "an H100"), PRUNED: "an H200", WIDER: "an H200"}
"""What the weights here were trained on, PRUNED's in the end."""
VARIANTS = (*WHOLE, *TUNED, PRUNED, WIDER, TINY)
IN_ZOO = {"1-2": RECIPE, TINY: TINY_RECIPE}
"""What a clone brings along."""


def recipe_of(name: str) -> Recipe:
    """Return the recipe of a variant that is not pruned."""
    if name == TINY:
        return load_recipe(TINY_RECIPE)
    if name == WIDER:
        widened = load_checkpoint(start_of(WIDER)).recipe.layers
        channels = (f"layers.{each.name}.channels={each.channels}" for each in widened if each.name in WIDER_COPIES)
        return load_recipe(RECIPE, (*WIDER_TRAINING, *channels, f"training.start.checkpoint={start_of(WIDER)}"))
    if name in TUNED:
        return load_recipe(RECIPE, (*TUNED[name], f"training.start.checkpoint={start_of(name)}"))
    recipe = load_recipe(RECIPE, WHOLE[name])
    return recipe.float32() if name == "float32" else recipe


def start_of(name: str) -> Path:
    """Return the checkpoint that a variant begins with: 1-2, changed for some.

    2-16 begins without the means of channels, the wider one with copies that differ a little.

    Signs are those of weights less their channel's mean (:class:`.BinaryWeight`), the levels of ReScaW are not.
    """
    source = folder_of("1-2") / CHECKPOINT
    if name not in (RESCALED_NAME, WIDER):
        return source
    path = FOLDER / name / "start.safetensors"
    if not path.exists():
        checkpoint = load_checkpoint(source)
        if name == WIDER:
            checkpoint = widen(checkpoint, WIDER_COPIES)
            add_noise(checkpoint)
        else:
            remove_means(checkpoint)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(checkpoint, path)
    return path


def remove_means(checkpoint: Checkpoint) -> None:
    """Take from the weights of every inner layer the mean of their channel."""
    with torch.no_grad():
        for layer in INNER:
            weight = checkpoint.network.layers[layer].get_parameter("weight")
            weight -= weight.mean((1, 2, 3), keepdim=True)


def add_noise(checkpoint: Checkpoint) -> None:
    """Add noise to the weights of the layers with copies."""
    generator = torch.Generator().manual_seed(checkpoint.recipe.seed)
    with torch.no_grad():
        for layer in WIDER_COPIES:
            weight = checkpoint.network.layers[layer].get_parameter("weight")
            deviation = weight.std((1, 2, 3), keepdim=True)
            weight += WIDER_NOISE * deviation * torch.randn(weight.shape, generator=generator)


def folder_of(name: str) -> Path:
    """Return the folder of a variant's checkpoint: in the zoo, or in what is built."""
    if name in IN_ZOO:
        return ZOO / IN_ZOO[name]
    folder = FOLDER / name.replace(" ", "-")
    return folder / LAST if name == PRUNED else folder


def spent_on(name: str) -> Path:
    """Return the file that says how many seconds a processor core has trained a variant, if one has."""
    return FOLDER / name.replace(" ", "-") / "cpu_seconds.json"


def trained(name: str, root: Path) -> Path:
    """Return the checkpoint of a variant, trained if it is not there."""
    gpu, folder = name in (*WHOLE, WIDER), folder_of(name)
    # Of one that was interrupted, the time is not known.
    whole = not any((each / CHECKPOINT).exists() for each in (folder, folder.parent / next(iter(RECOVERY))))
    if gpu:
        options = on_gpu()
    else:
        options = RunOptions() if name == TINY else RunOptions(amp="bfloat16", compile=name == PRUNED)
    begun = time.process_time()
    path = recovered(folder.parent, root, options) if name == PRUNED else train(recipe_of(name), folder, root,
                                                                                options=options)
    if whole and not gpu:
        spent_on(name).parent.mkdir(parents=True, exist_ok=True)
        write_json(spent_on(name), time.process_time() - begun)
    return path


def on_gpu() -> RunOptions:
    """Return how to train where a GPU is; without one it takes days."""
    return RunOptions(amp="bfloat16", compile=True, graphs=torch.cuda.is_available())


def write_narrowed(source: Path, criterion: str, folder: Path, root: Path) -> None:
    """Write into ``folder``, unless it is there, a checkpoint without RATIO of all channels, and its recipe."""
    if (folder / TUNING_RECIPE).exists():
        return
    ratios: dict[str, float] = dict.fromkeys(("conv1", *INNER), RATIO)
    settings = settings_of(source, criterion)
    write_pruned(
        prune(source, ratios=ratios, settings=settings, config=BOARD.config, data_root=root, shown=False), folder
    )


def recovered(folder: Path, root: Path, options: RunOptions) -> Path:
    """Return the checkpoint of 2-16 without a part of its channels, trained on over all images."""
    write_narrowed(trained(RESCALED_NAME, root), "svs", folder, root)
    path = folder / CHECKPOINT
    for part in RECOVERY:
        recipe = recovery_recipe(part, folder / TUNING_RECIPE, path)
        path = train(recipe, folder / part, root, options=on_gpu() if part == LAST else options)
    return path


def recovery_recipe(part: str, tuning: Path, start: Path) -> Recipe:
    """Return the recipe of a line of RECOVERY, which ``tuning`` is the base of and ``start`` the beginning."""
    return load_recipe(tuning, (
        "data.name=cifar10", "data.validation=5000", f"training.start.checkpoint={start}", *RECOVERY[part],
    ))
