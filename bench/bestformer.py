"""BESTformer: what its parts give on small networks, and how these and 4-384 run on the simulated board.

Small networks are trained briefly, so that one processor core is enough. All but the digits need the data sets under
SPIKEPLANE_DATA. Finished trainings and measurements in build/bench/bestformer are used again; an interrupted one goes
on.
"""

import argparse
import json
from functools import partial
from pathlib import Path

from accuracy import data_root
from attention import attention_figures
from bestformer_ablation import HEADER, PICTURE, ablation, draw, rows
from bestformer_methods import comparison
from bestformer_networks import (
    NARROW,
    NARROW_KEY,
    PARTS,
    TASKS,
    VARIANTS,
    kept,
    measured,
    narrow_streams,
    on_board,
    spent_on,
)
from bestformer_published import board_figures, published_figures, training_figures
from figures import RESULTS, Figure, save

SEEDS = {"digits": (1, 2, 3), "mnist_part": (1, 2, 3), "ncars": (1, 2, 3), "cifar10_part": (1,)}
"""Of the trainings that compare the parts of the method."""
WHOLE = {"digits": ("both", 96), "mnist": ("reversible", 98.8), "ncars": ("reversible", None),
         "cifar10": ("reversible", None)}
"""The network of each data set that runs on the simulated board, and the accuracy that is aimed at, in percent."""
NOTE = """\
Small networks, trained briefly on a processor core, after the paper's method and not at its scale: 1 block, 64
channels, 4 heads, 16 tokens; for CIFAR-10 2 blocks, 128 channels, 4 heads, 64 tokens. Digits 25 epochs of 1,437
samples, N-CARS 6 of 3,000; MNIST 10 of 60,000, its part 8; CIFAR-10 8 of 50,000, its part 5. Learning rate, loss and
tokenizer were chosen by the accuracy on 300 held-out training digits, of 8 and 20 epochs. For the others nothing was
tried, but MNIST's tokenizer is wider than a first one, of which one epoch was measured on the test images: 95.46 %. A
standard error is 1.0 points on the 360 test digits, 0.1 on MNIST, 1.3 on 1,000 recordings of N-CARS, 1.0 on the 2,500
images of CIFAR-10 that the part is tested with. Distilled networks learn from the float32 network of the same seed.
Operations of float32 leave out the products of attention. Cycles are those of the network alone."""


def streams(root: Path) -> list[Figure]:
    """Return what streams of fewer bits cost on digits."""
    narrow = kept("digits-narrow-streams", partial(narrow_streams, root))
    wide, trained = measured("digits", "reversible", 1, root), measured("digits", NARROW_KEY, 1, root)
    first, beyond = "digits, binary, reversible, seed 1", "numbers of streams that 8 bits do not hold"
    assert narrow[f"{NARROW_KEY} accuracy"] == trained["accuracy"]
    return [
        Figure(f"{first}, streams of 10 fraction bits: accuracy", wide["accuracy"], "%"),
        Figure(f"{first}, the same with {NARROW}, not trained so: accuracy", narrow["reversible accuracy"], "%"),
        Figure(f"{first}, not trained so: {beyond}", narrow["reversible beyond"], "%"),
        Figure(f"{first}, trained so: accuracy", narrow[f"{NARROW_KEY} accuracy"], "%"),
        Figure(f"{first}, trained so: {beyond}", narrow[f"{NARROW_KEY} beyond"], "%"),
    ]


def whole(task: str, root: Path) -> list[Figure]:
    """Return the figures of the network of a data set that runs on the simulated board."""
    key, target = WHOLE[task]
    title = f"{TASKS[task].title}, {VARIANTS[key].title}"
    found = measured(task, key, 1, root)
    name = f"{title}, seed 1, integer model"
    return [
        Figure(name, found["accuracy"], "%") if target is None else
        Figure.at_least(name, found["accuracy"], "%", target),
        *spent(task, key, title),
        Figure(f"{title}, seed 1: bytes", found["bytes"], "bytes"),
        Figure(f"{title}, seed 1: operations", found["operations"], "operations a sample"),
        *board_figures(f"{title}, seed 1", kept(f"{task}-board", partial(on_board, task, key, root))),
    ]


def spent(task: str, key: str, title: str) -> list[Figure]:
    """Return what the training took, where that is known."""
    path = spent_on(task, key, 1)
    if not path.exists():
        return []
    return [Figure(f"{title}, seed 1: training", json.loads(path.read_text()) / 3600, "CPU hours")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--published", action="store_true", help="only 4-384 on the board, all other figures stay")
    arguments, root = parser.parse_args(), data_root()
    if arguments.published:
        before = json.loads((RESULTS / "bestformer.json").read_text())
        save("bestformer", published_figures(), {key: before[key] for key in ("note", "picture", "tables")},
             kept=lambda name: True)
        return
    found = {
        task: {key: [measured(task, key, seed, root) for seed in seeds] for key in PARTS}
        for task, seeds in SEEDS.items()
    }
    draw(found)
    result = [figure for task, each in found.items() for figure in ablation(task, each)]
    result += [*streams(root), *(figure for task in WHOLE for figure in whole(task, root)), *training_figures(root),
               *attention_figures(), *published_figures()]
    narrow = {NARROW_KEY: [measured("digits", NARROW_KEY, 1, root)]}
    table = [HEADER, *rows("digits", found["digits"] | narrow)]
    table += [row for task, each in found.items() if task != "digits" for row in rows(task, each)]
    save("bestformer", result, {
        "note": NOTE, "picture": f"pictures/{PICTURE.name}",
        "tables": {"ablation": table, "methods": comparison(result, root)},
    })


if __name__ == "__main__":
    main()
