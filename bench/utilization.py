"""Lane utilization of inner 3x3 convolutions, small configuration."""

from figures import Figure, save
from layers import Shape, measure, open_driver
from spikeplane_hw.config import SMALL

RATES = (0.10, 0.15, 0.25)
SHAPES = (Shape(64, 64, 16), Shape(128, 64, 8), Shape(128, 128, 8))


def main() -> None:
    driver = open_driver(SMALL)
    figures = [
        Figure.at_least(
            f"{shape}: utilization at {rate:.0%} firing",
            100 * measure(driver, shape, rate)["utilization"], "%", 60,
        )
        for shape in SHAPES for rate in RATES
    ]
    driver.close()
    save("utilization", figures)


if __name__ == "__main__":
    main()
