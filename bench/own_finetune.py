"""An imported network before and after it is trained on: digits in snnTorch, at few bits.

A small convolutional network is trained in snnTorch and imported with 1-bit and 2-bit weights and 4-bit potentials, the
weights of its first layer and of its classifier among them. Epochs and rate of the training that follows are chosen on
held-out samples; test samples are looked at once for each number.
"""

import argparse
import tempfile
from itertools import product
from pathlib import Path
from statistics import fmean

import numpy as np
import snntorch
import torch
from figures import Figure, save
from sklearn.datasets import load_digits
from spikeplane.data.sets.datasets import DataRecipe, Dataset, FilesRecipe, load_dataset
from spikeplane.importing.build import Settings
from spikeplane.importing.imported import float_predictions, import_modules
from spikeplane.importing.tuning import start_tuning, write_tuning
from spikeplane.network.graph import IntegerNetwork
from spikeplane.progress import steps as progress
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.evaluate import predict_integer
from spikeplane.training.run.train import train
from torch import Tensor, nn

BITS = (1, 2)
STATE_BITS = 4
STEPS = 4
INPUT_BITS = 4
VALIDATION = 200
EPOCHS, RATES = (5, 15), (0.002, 0.006)
"""What is chosen between on held-out samples."""
FLOAT_EPOCHS, BATCH = 40, 64


def recipe_of(folder: Path) -> DataRecipe:
    """Return the data: digits that scikit-learn brings, as arrays in ``folder``."""
    digits, levels = load_digits(), (1 << INPUT_BITS) - 1
    images = (digits.images * levels / 16).round().astype(np.uint8)
    np.savez(folder / "digits.npz", images=images[:, None], labels=digits.target)
    return DataRecipe(
        name="arrays", steps=STEPS, bits=INPUT_BITS, validation=VALIDATION,
        files=FilesRecipe(train=str(folder / "digits.npz")),
    )


def trained_network(data: Dataset, seed: int) -> nn.Sequential:
    """Return a network of two layers of neurons with the delayed reset, trained as snnTorch's own examples are."""
    torch.manual_seed(seed)
    leaky = {"beta": 0.5, "init_hidden": True}
    network = nn.Sequential(
        nn.Conv2d(1, 12, 3, stride=2, padding=1), snntorch.Leaky(**leaky), nn.Conv2d(12, 16, 3, stride=2, padding=1),
        snntorch.Leaky(**leaky), nn.Flatten(), nn.Linear(64, 10), snntorch.Leaky(**leaky),
    )

    def counts(images: Tensor) -> Tensor:
        for module in network:
            if isinstance(module, snntorch.Leaky):
                module.reset_mem()
        return torch.stack([network(images) for _ in range(STEPS)]).sum(0)

    inputs = torch.from_numpy(data.inputs[:]).float() / ((1 << INPUT_BITS) - 1)
    labels = torch.from_numpy(data.labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, FLOAT_EPOCHS)
    for _ in range(FLOAT_EPOCHS):
        for chosen in torch.randperm(len(labels)).split(BATCH):
            loss = nn.functional.cross_entropy(counts(inputs[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return network


def accuracy(network: IntegerNetwork, data: Dataset) -> float:
    """Return in percent how many samples the integer model tells."""
    return 100 * float((predict_integer(network, data.inputs[:]) == data.labels).mean())


def tuned(start: Path, out: Path, epochs: int, rate: float) -> IntegerNetwork:
    """Return what a training from a recipe that the import wrote comes to."""
    recipe = load_recipe(start, [f"training.epochs={epochs}", f"training.learning_rate={rate}"])
    trained = load_checkpoint(train(recipe, out, progress=False))
    return export_network(trained.network, trained.metadata)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/own_finetune.py --seeds 1")
    parser.add_argument("--seeds", type=int, default=3, help="networks, of which means are taken")
    arguments = parser.parse_args()
    seeds = range(1, arguments.seeds + 1)
    floats: list[float] = []
    found: dict[int, list[dict]] = {bits: [] for bits in BITS}
    trainings = len(seeds) * len(BITS) * len(EPOCHS) * len(RATES)
    with tempfile.TemporaryDirectory() as name, progress(trainings, unit="training") as bar:
        folder = Path(name)
        recipe = recipe_of(folder)
        training, held, test = (load_dataset(recipe, part) for part in ("train", "validation", "test"))
        for seed in seeds:
            network = trained_network(training, seed)
            for bits in BITS:
                settings = Settings(bits=bits, state_bits=STATE_BITS)
                imported = import_modules(network, settings, data=training, recipe=recipe, name="digits")
                tuning = start_tuning(imported, settings, data=training, recipe=recipe, name="digits_tuned", seed=seed)
                start = folder / f"{seed}_{bits}"
                write_tuning(tuning, start)
                tried = []
                for epochs, rate in product(EPOCHS, RATES):
                    made = tuned(start / "recipe.toml", start / f"{epochs}_{rate}", epochs, rate)
                    tried.append((accuracy(made, held), epochs, rate, made))
                    bar.update()
                best, epochs, rate, made = max(tried, key=lambda each: each[0])
                found[bits].append({
                    "seed": seed, "imported": accuracy(imported.network, test), "tuned": accuracy(made, test),
                    "held-out, imported": accuracy(imported.network, held), "held-out, tuned": best,
                    "epochs": epochs, "learning_rate": rate, "same_predictions_at_the_start": tuning.same,
                })
            floats.append(100 * float((float_predictions(imported, test.inputs[:]) == test.labels).mean()))
    what = f"digits in snnTorch, {len(test.labels)} test samples, mean of {len(seeds)} seeds"
    figures = [Figure(f"{what}: as trained", fmean(floats), "%")]
    rows = [["bits of weights", "as trained, %", "imported, %", "trained on, %"]]
    for bits, runs in found.items():
        before, after = (fmean(run[key] for run in runs) for key in ("imported", "tuned"))
        figures += [
            Figure(f"{what}: imported, {bits}-bit weights", before, "%"),
            Figure(f"{what}: {bits}-bit weights, trained on", after, "%"),
        ]
        rows.append([str(bits), *(f"{value:.1f}" for value in (fmean(floats), before, after))])
    save("own_finetune", figures, {"runs": found, "tables": {"bits": rows}, "note": __doc__})


if __name__ == "__main__":
    main()
