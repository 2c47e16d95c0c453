"""The command `spikeplane compile`."""

from pathlib import Path
from typing import Annotated

import typer

from ..network.schedule import Schedule
from ..output import output
from ..writing import check_distinct, check_writable
from ..zoo import find_network
from .options import Config, config_named

__all__ = ["EXAMPLE", "compile_image"]

EXAMPLE = "Example: spikeplane compile digits.network.safetensors digits.spk --config tiny"


def compile_image(
    network: Annotated[Path, typer.Argument(
        callback=find_network, help="What `spikeplane export` wrote, or a network of the zoo, as cifar10_wider.",
    )],
    image: Annotated[Path, typer.Argument(help="Where to write the image (.spk).")],
    config: Config = "small",
    schedule: Annotated[Schedule, typer.Option(
        help="registers: all steps of a pixel at once; stored: step by step, potentials stored."
    )] = Schedule.REGISTERS,
    reuse_maps: Annotated[bool, typer.Option(help="Let later layers overwrite spike maps.")] = False,
    keep_states: Annotated[bool, typer.Option(help="Keep final potentials readable.")] = False,
    batch: Annotated[int, typer.Option(
        min=1, help="Samples that share one pass of weights that stream in: fewer cycles for each."
    )] = 1,
) -> None:
    """Compile an integer network to a device image."""
    from ..compiler.compile import compile_network
    from ..compiler.image import save_image
    from ..information import placed_rows
    from ..network.file import load_network

    core = config_named(config)
    check_distinct(image, network)
    check_writable(image)
    compiled = compile_network(
        load_network(network), core, schedule,
        keep_maps=not reuse_maps, keep_states=keep_states, batch=batch,
    )
    save_image(compiled, image)
    output.show(f"image: {image}", image=str(image))
    for what, text in placed_rows(compiled):
        output.show(f"{what}: {text}", **{what: text})
