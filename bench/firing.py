"""Cycles against firing rate, large configuration: three layer shapes, with the ideal beside them."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from figures import Figure, save
from layers import Shape, measure, open_driver
from spikeplane_hw.config import LARGE

RATES = (0.0, 0.01, 0.02, 0.05, 0.10, 0.15, 0.25, 0.50)
SHAPES = (Shape(128, 128, 16), Shape(256, 256, 8), Shape(128, 256, 16, stride=2))
PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "firing.png"


def main() -> None:
    driver = open_driver(LARGE)
    curves = {str(shape): [measure(driver, shape, rate) for rate in RATES] for shape in SHAPES}
    driver.close()
    figures = []
    for name, curve in curves.items():
        by_rate = {point["rate"]: point for point in curve}
        for rate in RATES:
            point = by_rate[rate]
            figures.append(Figure(f"{name}: cycles at {rate:.0%} firing", point["cycles"], "cycles"))
            if rate >= 0.10:
                figures.append(Figure(
                    f"{name}: cycles over the ideal at {rate:.0%}",
                    point["cycles"] / point["ideal_cycles"], "times",
                ))
        silent = by_rate[0.0]["cycles"] / by_rate[0.25]["cycles"]
        figures.append(Figure.at_most(f"{name}: silent input over 25 % firing", 100 * silent, "%", 15))
    figure, axes = plt.subplots(1, len(curves), figsize=(12, 3.6), layout="constrained")
    for axis, (name, curve) in zip(axes, curves.items(), strict=True):
        rates = [100 * point["rate"] for point in curve]
        axis.plot(rates, [point["cycles"] for point in curve], "o-", label="measured")
        axis.plot(rates, [point["ideal_cycles"] for point in curve], "--", label="ideal")
        axis.set_title(name, fontsize=8)
        axis.set_xlabel("firing rate of the input, %")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("cycles, 2 time steps")
    axes[0].legend()
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)
    save("firing", figures, {"curves": curves, "picture": "pictures/firing.png"})


if __name__ == "__main__":
    main()
