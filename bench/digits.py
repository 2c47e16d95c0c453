"""Digits, from events to the simulated board: accuracies, mismatches, and simulation speed."""

import time
from pathlib import Path
from statistics import fmean

import torch
from accuracy import seed_accuracies
from figures import Figure, save
from spikeplane.compiler.compile import compile_network
from spikeplane.data.sets.datasets import load_dataset
from spikeplane.demo import run_demo
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network import model
from spikeplane.network.file import load_network
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane_hw.config import SMALL

DIRECTORY = Path("build") / "demo"
SAMPLES = 60
REPEATS = 5


def rate(function, count: int) -> float:
    """Return samples a second, the best of a few runs: the machine may be busy."""
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return count / best


def main() -> None:
    results = run_demo(DIRECTORY)
    accuracy = results["accuracy"]
    network = load_network(DIRECTORY / "digits.network.safetensors")
    test = load_dataset(load_recipe("digits").data, "test")
    inputs = test.inputs
    seeds = [100 * accuracy["integer"], *seed_accuracies("digits", DIRECTORY, test)]
    # Side by side in one run: the board on one core, the model on as many as it likes.
    with Driver(SimulatedTransport(SMALL), SMALL) as driver:
        driver.load(compile_network(network, SMALL))
        cycles = driver.transport.cycles
        board_rate = rate(lambda: [driver.run(sample) for sample in inputs[:SAMPLES]], SAMPLES)
        cycles_a_sample = (driver.transport.cycles - cycles) / (SAMPLES * REPEATS)
    model_rate = rate(lambda: model.run(network, inputs, counters=False), len(inputs))
    save("digits", [
        Figure.at_least("accuracy on the device, 1-bit inner weights", 100 * accuracy["device"], "%", 97),
        Figure.at_most("float32 accuracy less the device's", 100 * (accuracy["float32"] - accuracy["device"]),
                       "points", 1),
        Figure.at_least(f"accuracy, integer model, mean of {len(seeds)} seeds", fmean(seeds), "%", 97),
        Figure("accuracy, best seed less worst", max(seeds) - min(seeds), "points"),
        Figure("accuracy in float32", 100 * accuracy["float32"], "%"),
        Figure.at_most("mismatches of spikes, states, logits and counters", results["mismatches"], "values", 0),
        Figure("values compared", sum(results["compared"].values()), "values"),
        Figure("cycles a recording, small", results["cycles_per_sample"], "cycles"),
        Figure("synaptic operations a recording", results["synaptic_operations_per_sample"], "operations"),
        Figure("simulated cycles a second, host link included", board_rate * cycles_a_sample, "cycles/s"),
        Figure.at_least("recordings a second, simulated board", board_rate, "1/s", 20),
        Figure("recordings a second, integer model", model_rate, "1/s"),
        Figure.at_least("integer model over simulated board", model_rate / board_rate, "times", 50),
    ], {"note": f"PyTorch used {torch.get_num_threads()} threads."})


if __name__ == "__main__":
    main()
