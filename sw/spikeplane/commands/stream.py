"""The command `spikeplane stream`."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from ..comparable import Comparable
from ..comparison_report import run_comparison
from ..writing import check_distinct
from .options import ChoiceSeed, Confusion, Data, Offset, Predictions, TestRecipe, files_of_recipe

__all__ = ["EXAMPLE", "stream"]

EXAMPLE = "Example: spikeplane stream digits.spk --port /dev/ttyUSB0 --network digits.network.safetensors"


def stream(
    image: Annotated[Path, typer.Argument(help="What `spikeplane compile` wrote.")],
    port: Annotated[str, typer.Option(help="Serial port of the board.")],
    network: Annotated[Path | None, typer.Option(
        help="The integer network it was compiled from; without, nothing is compared, and no extra is needed."
    )] = None,
    recipe: TestRecipe = None,
    samples: Annotated[int, typer.Option(min=1, help="How many test samples.")] = 360,
    baud: Annotated[int | None, typer.Option(help="Of the bitstream; default: at which it answers.")] = None,
    data: Data = None,
    offset: Offset = 0,
    seed: ChoiceSeed = None,
    confusion: Confusion = False,
    predictions: Predictions = None,
) -> None:
    """Stream test samples to a board and compare what it answers with the integer model, if a network is named."""
    from ..device.driver import Driver
    from ..device.port import open_port

    if network is not None and find_spec("torch") is None:
        raise ValueError("torch is needed to compare with the integer model: install Spikeplane with its extra, as "
                         "spikeplane[train], or leave out --network")
    if predictions is not None:
        check_distinct(predictions, image, network, *files_of_recipe(recipe))
    ready = Comparable.load(image, network, recipe, samples, data, offset=offset, seed=seed)
    run_comparison(
        Driver(open_port(port, baud), ready.image.config), ready, confusion=confusion, predictions=predictions,
    )
