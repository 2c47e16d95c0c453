"""Variants of one recipe side by side: bits of potentials, regulation, memory-free, float32.

Trains what is missing (a finished training is used again, an interrupted one goes on), then
measures all. Needs the data sets under SPIKEPLANE_DATA.
"""

import argparse
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import matplotlib
import numpy as np
from accuracy import data_root, run_on_board
from figures import RESULTS, Figure, save
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.footprint import footprint
from spikeplane.compiler.limits import CompileError
from spikeplane.data.sets.datasets import Dataset, load_dataset
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.schedule import Schedule
from spikeplane.reports.energy import cost
from spikeplane.training.net.export import export_network
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.evaluate import evaluate
from spikeplane.training.run.train import train
from spikeplane_hw.config import LARGE, SMALL, CoreConfig
from tqdm import tqdm
from variants import SEEDS, VARIANTS, WITHOUT, checkpoint_folder, variant

SAMPLES = 200
"""Run on the simulated board; those of the first seed's network tell rates and operations too."""
CONFIGS = (SMALL, LARGE)
"""Cores that networks run on, the smaller one first."""
PICTURES = Path("docs") / "pictures"


@dataclass(frozen=True, kw_only=True)
class Study:
    """Trainings of one recipe that are compared."""

    title: str
    epochs: int
    """Of each training; those of the recipe itself may be more."""
    variants: tuple[str, ...] = VARIANTS
    seeds: tuple[int, ...] = SEEDS
    choices: str
    """On which data what the recipe leaves open was chosen."""
    note: str = ""


STUDIES = {
    "mnist": Study(
        title="MNIST", epochs=6,
        choices="Layers and learning rate were chosen on 5,000 training images held out by hand.",
    ),
    "ncars": Study(
        title="N-CARS part", epochs=20,
        choices="The recipe was chosen with test accuracies of a few variants in sight.",
    ),
    "cifar10_compact": Study(
        title="CIFAR-10, compact VGG", epochs=15, seeds=SEEDS[:1], variants=("float32", "1-8", "1-2", "memory-free"),
        choices="The recipe was written before it had a validation part.",
        note="No GPU was to be had: this is not the ResNet-19 of the papers but our own compact VGG, trained on a "
        "CPU for few epochs. It shows what the bits cost there, not what the method reaches.",
    ),
}
"""By recipe."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one variant reaches, over its seeds."""

    name: str
    seeds: int
    trained: list[float]
    """Accuracies in percent of the networks as trained, by seed."""
    integer: list[float]
    """Those of the integer models; empty in float32."""
    rate: float
    """Mean firing rate of inner layers, in percent."""
    operations: float
    """Accumulates a sample."""
    energy: float
    """nJ a sample, the papers' estimate for 45 nm."""
    size: int
    """Bits of weights, parameters and potentials."""
    float32_size: int
    core: int | None
    """Bits that all takes of the memories of the small core, or the large one."""
    mismatches: int
    unfit: int
    """Networks that no core has room for."""

    @property
    def accuracies(self) -> list[float]:
        """Of the integer model where there is one."""
        return self.integer or self.trained

    @property
    def spread(self) -> float:
        """Best seed less worst."""
        return max(self.accuracies) - min(self.accuracies)

    @property
    def difference(self) -> float:
        """Greatest difference of trained and integer accuracies, in points."""
        return max((round(abs(a - b), 6) for a, b in zip(self.trained, self.integer, strict=False)), default=0.0)

    def row(self) -> str:
        """Return a row of the table."""
        cells = [
            self.name, f"{fmean(self.accuracies):.2f}", f"{self.spread:.2f}", str(self.seeds),
            f"{self.difference:.2f}" if self.integer else "", f"{self.rate:.1f}",
            f"{self.operations / 1e6:.2f}", f"{self.energy / 1e3:.2f}", f"{self.size / 8e3:.1f}",
            f"{self.float32_size / self.size:.1f}",
        ]
        return f"| {' | '.join(cells)} |"


TABLE = (
    "| weights-potentials | accuracy % | best less worst | seeds | trained less integer | firing rate % | "
    "M operations | energy µJ | size kB | float32 over it |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def trained(data: str, root: Path, seeds: int) -> Iterator[tuple[str, list[Path]]]:
    """Train all variants, the first seed of all ones first; yield the checkpoints of each."""
    study = STUDIES[data]
    paths: dict[str, list[Path]] = {name: [] for name in study.variants}
    for seed in study.seeds[:seeds]:
        for name in study.variants:
            recipe = variant(data, name, seed, (f"training.epochs={study.epochs}",))
            paths[name].append(train(recipe, checkpoint_folder(data, name, seed), root))
    yield from paths.items()


def fitting(network: IntegerNetwork, samples: np.ndarray) -> CoreConfig | None:
    """Return the smallest core that the network fits, or None."""
    for config in CONFIGS:
        with suppress(CompileError):
            compile_network(network, config, samples=samples)
            return config
    return None


def stored_bits(network: IntegerNetwork) -> int | None:
    """Return the bits of a core's memories in the schedule that stores potentials, None if none fits."""
    for config in CONFIGS:
        try:
            return footprint(network, config, Schedule.STORED).total_bits
        except CompileError:
            continue
    return None


def measure(name: str, paths: list[Path], test: Dataset) -> Result:
    """Return what the checkpoints of a variant, one for each seed, reach."""
    checkpoints = [load_checkpoint(path) for path in paths]
    evaluations = [evaluate(checkpoint, test) for checkpoint in checkpoints]
    network = checkpoints[0].network
    found = cost(network, test.inputs[:SAMPLES])
    inner = [rate for layer, rate in found.rates.items() if layer in list(network.neuron_shapes)[1:]]
    core, mismatches, unfit = None, 0, 0
    if found.core_operations is not None:
        samples = test.inputs[:SAMPLES]
        for checkpoint in checkpoints:
            integers = export_network(checkpoint.network)
            config = fitting(integers, samples[:1])
            if config is None:
                unfit += 1
                continue
            mismatches += run_on_board(integers, config, samples, name).total
        core = stored_bits(export_network(network))
    return Result(
        name=name, seeds=len(paths),
        trained=[100 * e.trained for e in evaluations],
        integer=[100 * e.integer for e in evaluations if e.integer is not None],
        rate=100 * fmean(inner), operations=found.accumulates, energy=found.energy_nj,
        size=found.size_bits.total, float32_size=found.float32_bits.total,
        core=core, mismatches=mismatches, unfit=unfit,
    )


def figures(title: str, results: dict[str, Result]) -> Iterator[Figure]:
    """Yield the figures of a study."""
    for name, result in results.items():
        seeds = f"mean of {result.seeds} seeds" if result.seeds > 1 else "one seed"
        yield Figure(f"{title}, {name}: accuracy, {seeds}", fmean(result.accuracies), "%")
    for name, result in results.items():
        other = results.get(name + WITHOUT)
        if other is not None:
            gain = fmean(result.accuracies) - fmean(other.accuracies)
            yield Figure(f"{title}, {name}: gain of regulation", gain, "points")
            yield Figure(f"{title}, {name}: operations with regulation over those without",
                         result.operations / other.operations, "times")
    exported = [result for result in results.values() if result.integer]
    yield Figure.at_most(f"{title}: trained less integer accuracy, greatest of all networks",
                         max(result.difference for result in exported), "points", 0.2)
    yield Figure.at_most(f"{title}: mismatches on the simulated board, {SAMPLES} samples of every network",
                         sum(result.mismatches for result in exported), "values", 0)
    unfit = sum(result.unfit for result in results.values())
    if unfit:
        yield Figure(f"{title}: networks that fit no core and ran on none", unfit, "networks")
    least = results["1-2"]
    yield Figure.at_least(f"{title}, 1-2: float32 over quantized size, weights, parameters and potentials",
                          least.float32_size / least.size, "times", 5.3)
    name = f"{title}, 1-2: float32 size over all that the core's memories hold, potentials stored"
    if least.core is None:
        yield Figure(name, "fits no core", "", ">= 5.3", False)
    else:
        yield Figure.at_least(name, least.float32_size / least.core, "times", 5.3)


def draw(title: str, results: dict[str, Result], picture: Path) -> None:
    """Draw accuracies, each seed a dot."""
    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(6.5, 1 + 0.33 * len(results)))
    for index, result in enumerate(results.values()):
        axis.plot(result.accuracies, [index] * result.seeds, "o", alpha=0.6, color="tab:blue")
        axis.plot([fmean(result.accuracies)], [index], "|", markersize=14, color="black")
    axis.set_yticks(range(len(results)), list(results))
    axis.invert_yaxis()
    axis.set_xlabel("accuracy, %")
    axis.set_title(title)
    axis.grid(axis="x", alpha=0.3)
    figure.tight_layout()
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)


def report(data: str, root: Path, seeds: int) -> None:
    """Train what is missing of a study, and save its figures."""
    study = STUDIES[data]
    checkpoints = list(trained(data, root, seeds))
    source = variant(data, study.variants[0], study.seeds[0]).data
    test = load_dataset(source, "test", root)
    part = (
        f"{source.validation:,} training samples are held out for choices (the validation part) and not trained on"
        if source.validation else "no validation part is held out"
    )
    results = {name: measure(name, paths, test) for name, paths in tqdm(checkpoints, desc=f"measure {data}")}
    picture = PICTURES / f"evidence_{data}.png"
    draw(study.title, results, picture)
    rows = "\n".join([TABLE, *(result.row() for result in results.values())])
    note = (
        f"{study.title}, {study.epochs} epochs. 1-bit inner and 8-bit edge weights, potentials of 8, 4 or 2 bits; with "
        "the two parts of weight-spike dual regulation or without both; memory-free neurons (MFP-style, our "
        "reconstruction); the same network in float32. Accuracies are the integer model's, in float32 the network's; "
        "operations are accumulates a sample, energy the estimate of [reports](reports.md), size that of weights, "
        f"parameters and potentials. Which part was used for choices: {study.choices} Here {part}; the test data "
        f"choose no epoch. {study.note}\n\n{rows}"
    )
    save(f"evidence_{data}", list(figures(study.title, results)), {
        "note": note, "picture": os.path.relpath(picture, RESULTS.parent.parent / "docs"),
    })


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/evidence.py --data ncars")
    parser.add_argument("--data", nargs="+", choices=list(STUDIES), default=list(STUDIES))
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many seeds at most")
    arguments = parser.parse_args()
    root = data_root()
    for data in arguments.data:
        report(data, root, arguments.seeds)


if __name__ == "__main__":
    main()
