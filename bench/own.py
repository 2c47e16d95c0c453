"""What people bring: a network that others trained, imported from NIR, on the integer model and on a simulated board.

It is the N-MNIST network of the NIR paper, trained in Sinabs (nir/cnn_sinabs.nir below the data's root): 300 time
steps of 1 ms. Weights are quantized on training recordings; the 100 test recordings are looked at once for each width.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from figures import Figure, save
from packed import DURATIONS, load_packed
from spikeplane.compiler.compile import compile_network
from spikeplane.data.sets.datasets import DataRecipe, Dataset, from_recordings
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.importing.build import Settings
from spikeplane.importing.imported import float_predictions, import_nir
from spikeplane.network import model
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.schedule import Schedule
from spikeplane.progress import steps
from spikeplane.training.run.evaluate import predict_integer
from spikeplane_hw.config import SMALL

RECIPE = DataRecipe(name="nmnist", steps=300)
BITS = (8, 4, 2)
TARGET_BITS = 8
BOARD = replace(SMALL, name="own", accumulator_width=18, weight_depth=4096, state_depth=6144)
"""`small` with memories for all weights and potentials, and sums of 8-bit weights over 512 inputs."""


def recordings(root: Path, part: str) -> Dataset:
    """Return ``part`` of N-MNIST's packed recordings."""
    return from_recordings(RECIPE, part, load_packed("nmnist", root, part), DURATIONS["nmnist"], classes=10)


def on_a_board(network: IntegerNetwork, samples: np.ndarray) -> tuple[int, int, float]:
    """Return how many values a simulated board and the integer model have, how many differ, and cycles a sample.

    Time steps are streamed one by one, as from a camera. Compared are the spikes of every layer after every step, and
    potentials and sums after the last one.
    """
    streamed = replace(network, input=replace(network.input, steps=1))
    image = compile_network(streamed, BOARD, Schedule.STORED, keep_states=True)
    values = different = cycles = 0

    def count(found: np.ndarray, expected: np.ndarray) -> None:
        nonlocal values, different
        values += found.size
        different += int((found != expected).sum())

    with Driver(SimulatedTransport(BOARD), BOARD, run_timeout=600) as driver, steps(
        len(samples) * network.input.steps, unit="step", title="simulated board"
    ) as bar:
        driver.load(image)
        driver.self_test()
        for sample in samples:
            expected = model.run(network, sample[None], trace=True)
            for step, answer in enumerate(driver.stream(sample)):
                for index, layer in enumerate(image.layers):
                    if layer.spikes is not None:
                        count(driver.read_spikes(index)[0], expected.spikes[layer.name][0, step].numpy())
                if step == network.input.steps - 1:  # Counters go on from step to step.
                    cycles += answer.cycles
                    count(answer.sums, expected.sums[0].numpy())
                    for index, layer in enumerate(image.layers):
                        if layer.state_base is not None:
                            count(driver.read_states(index), expected.states[layer.name][0].numpy())
                bar.update()
    return values, different, cycles / len(samples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/own.py --samples 2")
    parser.add_argument("--data", type=Path, default=os.environ.get("SPIKEPLANE_DATA"), help="root of data sets")
    parser.add_argument("--samples", type=int, default=4, help="recordings on the simulated board")
    arguments = parser.parse_args()
    root = Path(arguments.data)
    train, test = recordings(root, "train"), recordings(root, "test")
    figures: list[Figure] = []
    notes: dict[str, dict] = {}
    trained = None
    for bits in BITS:
        imported = import_nir(root / "nir" / "cnn_sinabs.nir", settings=Settings(bits=bits), data=train, recipe=RECIPE)
        if trained is None:
            trained = float_predictions(imported, test.inputs)
            right = 100 * float((trained == test.labels).mean())
            figures.append(Figure("cnn_sinabs.nir on 100 N-MNIST test recordings, as trained", right, "%"))
        predictions = predict_integer(imported.network, test.inputs, 20)
        accuracy = 100 * float((predictions == test.labels).mean())
        name = f"cnn_sinabs.nir on 100 N-MNIST test recordings, integer model, {bits}-bit weights, not retrained"
        figures.append(Figure.at_least(name, accuracy, "%", 98) if bits == TARGET_BITS else Figure(name, accuracy, "%"))
        figures.append(Figure(
            f"cnn_sinabs.nir, {bits}-bit weights: same predictions as trained",
            100 * float((predictions == trained).mean()), "%",
        ))
        notes[f"{bits} bits"] = {each.name: vars(each) for each in imported.layers}
        if bits == TARGET_BITS:
            values, different, cycles = on_a_board(imported.network, test.inputs[: arguments.samples])
            figures += [
                Figure.at_most(
                    f"cnn_sinabs.nir, {arguments.samples} recordings streamed through a simulated board that holds it: "
                    f"of {values:,} spikes, potentials and sums different", different, "values", 0,
                ),
                Figure("cnn_sinabs.nir on that board: cycles a recording of 300 steps", cycles, "cycles"),
            ]
        save("own", figures, {"layers": notes, "note": __doc__})  # After each width: the next one takes minutes.


if __name__ == "__main__":
    main()
