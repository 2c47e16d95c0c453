"""The smallest core: MNIST and the demo's network, accuracy, mismatches and time of a sample.

Needs the data sets under SPIKEPLANE_DATA. A finished training is used again.
"""

from accuracy import data_root, measure
from figures import Figure, save
from spikeplane_hw.config import TINY

CLOCK_MHZ = 18.0
"""What the tiny configuration is to reach; the board's own figures are in `boards`."""
SAMPLES = 100
"""Of each data set, on the simulated board."""


def main() -> None:
    root = data_root()
    tiny = measure("mnist_tiny", TINY, SAMPLES, root)
    digits = measure("digits", TINY, SAMPLES, root)
    save("tiny", [
        Figure.at_least("MNIST for tiny, integer model", tiny["accuracy"], "%", 97.5),
        Figure.at_most(f"MNIST for tiny, mismatches of {SAMPLES} images", tiny["mismatches"], "values", 0),
        Figure("MNIST for tiny, cycles an image", tiny["cycles"], "cycles"),
        Figure.at_most(f"MNIST for tiny, an image at {CLOCK_MHZ:g} MHz", tiny["cycles"] / CLOCK_MHZ / 1e3, "ms", 1),
        Figure("digits on tiny, integer model", digits["accuracy"], "%"),
        Figure.at_most(f"digits on tiny, mismatches of {SAMPLES} recordings", digits["mismatches"], "values", 0),
        Figure("digits on tiny, cycles a recording", digits["cycles"], "cycles"),
        Figure(f"digits on tiny, a recording at {CLOCK_MHZ:g} MHz", digits["cycles"] / CLOCK_MHZ / 1e3, "ms"),
    ])


if __name__ == "__main__":
    main()
