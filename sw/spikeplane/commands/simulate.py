"""The command `spikeplane simulate`."""

from pathlib import Path
from typing import Annotated

import typer

from ..comparable import Comparable
from ..comparison_report import run_comparison
from ..writing import check_distinct, check_writable
from .options import ChoiceSeed, Confusion, Data, Offset, Predictions, TestRecipe, files_of_recipe

__all__ = ["EXAMPLE", "simulate"]

EXAMPLE = "Example: spikeplane simulate digits.spk --network digits.network.safetensors --samples 20"


def simulate(
    image: Annotated[Path, typer.Argument(help="What `spikeplane compile` wrote.")],
    network: Annotated[Path, typer.Option(help="The integer network it was compiled from.")],
    recipe: TestRecipe = None,
    samples: Annotated[int, typer.Option(min=1, help="How many test samples.")] = 20,
    data: Data = None,
    offset: Offset = 0,
    seed: ChoiceSeed = None,
    confusion: Confusion = False,
    predictions: Predictions = None,
    waves: Annotated[Path | None, typer.Option(help="Write a waveform (VCD) of all signals.")] = None,
) -> None:
    """Run test samples on the simulated board and compare every value with the integer model."""
    from ..device.driver import Driver
    from ..device.simulated import SimulatedTransport
    from ..device.verilate import check_tools

    for path in filter(None, (waves, predictions)):
        check_distinct(path, image, network, *files_of_recipe(recipe))
        check_writable(path)
    check_tools()
    ready = Comparable.load(image, network, recipe, samples, data, offset=offset, seed=seed)
    config = ready.image.config
    run_comparison(
        Driver(SimulatedTransport(config, waves=waves), config), ready, confusion=confusion, predictions=predictions,
    )
