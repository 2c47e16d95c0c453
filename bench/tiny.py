"""MNIST on the smallest core: accuracy, mismatches and time of an image.

Needs the data sets under SPIKEPLANE_DATA. A finished training is used again.
"""

from accuracy import data_root, measure
from figures import Figure, save
from spikeplane_hw.config import TINY

CLOCK_MHZ = 18.0
"""What the tiny configuration is to reach; the board's own figures are in `boards`."""


def main() -> None:
    tiny = measure("mnist_tiny", TINY, 100, data_root())
    save("tiny", [
        Figure.at_least("MNIST for tiny, integer model", tiny["accuracy"], "%", 97.5),
        Figure.at_most("MNIST for tiny, mismatches of 100 images", tiny["mismatches"], "values", 0),
        Figure("MNIST for tiny, cycles an image", tiny["cycles"], "cycles"),
        Figure.at_most(f"MNIST for tiny, an image at {CLOCK_MHZ:g} MHz", tiny["cycles"] / CLOCK_MHZ / 1e3, "ms", 1),
    ])


if __name__ == "__main__":
    main()
