"""What people bring as modules: convolutional networks trained in snnTorch and SpikingJelly on MNIST, not retrained.

Each is trained by its own library for a few minutes, imported with 4-bit weights and 4-bit potentials that are fitted
to training images, and compared on all 10,000 test images, which are looked at once, and on a simulated board.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import snntorch
import torch
from figures import Figure, save
from snntorch import surrogate as snntorch_surrogate
from spikeplane.compiler.compile import compile_network
from spikeplane.data.sets.datasets import DataRecipe, Dataset, load_dataset
from spikeplane.device.comparison import compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.importing.build import Settings
from spikeplane.importing.imported import Imported, import_modules
from spikeplane.network.schedule import Schedule
from spikeplane.progress import steps as progress
from spikeplane.training.run.evaluate import predict_integer
from spikeplane_hw.config import SMALL
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn

RECIPE = DataRecipe(name="mnist", steps=5, bits=8, validation=5000)
BITS = 4
LOSS = 0.5
BATCH = 128
CALIBRATION = 256
Run = Callable[[nn.Sequential, Tensor], Tensor]


def snntorch_network() -> nn.Sequential:
    """Return a network of neurons that subtract their threshold."""
    def leaky() -> nn.Module:
        return snntorch.Leaky(beta=0.5, init_hidden=True, spike_grad=snntorch_surrogate.atan())

    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1), leaky(), nn.Conv2d(16, 32, 3, stride=2, padding=1), leaky(),
        nn.Conv2d(32, 20, 3, stride=2, padding=1), leaky(), nn.Flatten(), nn.Linear(20 * 4 * 4, 10), leaky(),
    )


def run_snntorch(network: nn.Sequential, images: Tensor) -> Tensor:
    """Return how often each class fires, as snnTorch computes it."""
    for module in network:
        if isinstance(module, snntorch.Leaky):
            module.reset_mem()
    return torch.stack([network(images) for _ in range(RECIPE.steps)]).sum(0)


def spikingjelly_network() -> nn.Sequential:
    """Return a network of leaky neurons with a hard reset, batch normalization and a maximum pool."""
    def leaky() -> nn.Module:
        return neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan(), detach_reset=True)

    network = nn.Sequential(
        layer.Conv2d(1, 16, 3, stride=2, padding=1, bias=False), layer.BatchNorm2d(16), leaky(),
        layer.MaxPool2d(2, 2), layer.Conv2d(16, 32, 3, stride=2, padding=1, bias=False), layer.BatchNorm2d(32), leaky(),
        layer.Flatten(), layer.Linear(32 * 4 * 4, 10), leaky(),
    )
    functional.set_step_mode(network, "m")
    return network


def run_spikingjelly(network: nn.Sequential, images: Tensor) -> Tensor:
    """Return how often each class fires, as SpikingJelly computes it."""
    functional.reset_net(network)
    return network(images.expand(RECIPE.steps, *images.shape)).sum(0)


NETWORKS: dict[str, tuple[Callable[[], nn.Sequential], Run]] = {
    "snnTorch": (snntorch_network, run_snntorch), "SpikingJelly": (spikingjelly_network, run_spikingjelly),
}


def values(images: np.ndarray) -> Tensor:
    """Return images as these libraries' users give them: 0 to 1."""
    return torch.from_numpy(np.ascontiguousarray(images)).float() / 255


def train(network: nn.Sequential, run: Run, data: Dataset, epochs: int) -> None:
    """Train a network as the libraries' own examples do."""
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    batches = epochs * (len(data.labels) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, batches)
    network.train()
    with progress(batches, unit="batch", title="training") as bar:
        for _ in range(epochs):
            order = torch.randperm(len(data.labels)).numpy()
            for start in range(0, len(order) - BATCH + 1, BATCH):
                chosen = order[start : start + BATCH]
                rate = run(network, values(data.inputs[chosen])) / RECIPE.steps
                loss = nn.functional.cross_entropy(5 * rate, torch.from_numpy(data.labels[chosen]))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()


@torch.no_grad()
def predict(network: nn.Sequential, run: Run, images: np.ndarray) -> np.ndarray:
    """Return the classes that the library itself predicts."""
    network.eval()
    return np.concatenate([run(network, values(images[start : start + 500])).argmax(1).numpy()
                           for start in range(0, len(images), 500)])


def on_a_board(imported: Imported, images: np.ndarray) -> tuple[int, int, float]:
    """Return how many values are compared on a simulated board, how many differ, and cycles an image."""
    image = compile_network(imported.network, SMALL, Schedule.REGISTERS)
    with Driver(SimulatedTransport(SMALL), SMALL) as driver, progress(len(images), unit="image", title="board") as bar:
        driver.load(image)
        driver.self_test()
        found = compare_with_model(
            driver, imported.network, images, progress=lambda done: bar.update(done - bar.n)
        )
    return sum(found.compared.values()), found.total, float(found.cycles.sum(1).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/own_modules.py --epochs 1")
    parser.add_argument("--data", type=Path, default=os.environ.get("SPIKEPLANE_DATA"), help="root of data sets")
    parser.add_argument("--epochs", type=int, default=3, help="of each training")
    parser.add_argument("--samples", type=int, default=100, help="images on the simulated board")
    arguments = parser.parse_args()
    train_part, test = (load_dataset(RECIPE, part, Path(arguments.data)) for part in ("train", "test"))
    figures: list[Figure] = []
    notes: dict[str, dict] = {}
    for name, (make, run) in NETWORKS.items():
        torch.manual_seed(1)
        network = make()
        train(network, run, train_part, arguments.epochs)
        trained = predict(network, run, test.inputs)
        accuracy = 100 * float((trained == test.labels).mean())
        figures.append(Figure(f"{name}, MNIST: test accuracy as trained, by {name} itself", accuracy, "%"))
        imported = import_modules(
            network, Settings(bits=BITS, state_bits=BITS), data=train_part, recipe=RECIPE, calibration=CALIBRATION,
            name=name,
        )
        integer = predict_integer(imported.network, test.inputs, 250)
        reached = 100 * float((integer == test.labels).mean())
        figures += [
            Figure(f"{name}, MNIST: test accuracy with {BITS}-bit weights and potentials, not retrained", reached, "%"),
            Figure.at_most(f"{name}, MNIST: what that loses", accuracy - reached, "points", LOSS),
            Figure(f"{name}, MNIST: same predictions", 100 * float((integer == trained).mean()), "%"),
        ]
        compared, different, cycles = on_a_board(imported, test.inputs[: arguments.samples])
        figures += [
            Figure.at_most(f"{name}, MNIST: {arguments.samples} test images on a simulated board (small): of "
                           f"{compared:,} values different", different, "values", 0),
            Figure(f"{name}, MNIST: cycles an image on that board", cycles, "cycles"),
        ]
        notes[name] = {each.name: vars(each) for each in imported.layers}
        save("own_modules", figures, {"layers": notes, "note": __doc__})  # The next one takes minutes.


if __name__ == "__main__":
    main()
