"""The command `spikeplane run`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..output import errors, output

__all__ = ["EXAMPLE", "run"]

EXAMPLE = "Example: spikeplane run gestures.spk recordings/*.raw --json"


def run(
    image: Annotated[Path, typer.Argument(help="What `spikeplane compile` wrote.")],
    files: Annotated[list[str], typer.Argument(help="Recordings in any event format, or - for standard input.")],
    port: Annotated[str | None, typer.Option(help="Serial port of a board; without, the simulated board.")] = None,
    baud: Annotated[int | None, typer.Option(help="Of the bitstream; default: at which it answers.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each recording.")] = False,
    by_step: Annotated[bool, typer.Option(
        "--by-step", help="Run time steps one by one, as from a camera; needs compile --schedule stored."
    )] = False,
    ending: Annotated[str | None, typer.Option("--format", help="Of standard input: raw, aedat4, dat ...")] = None,
    width: Annotated[int | None, typer.Option(help="Of the sensor, where files name none.")] = None,
    height: Annotated[int | None, typer.Option(help="Of the sensor, where files name none.")] = None,
    unit: Annotated[str | None, typer.Option(help="Of times in .npy, .npz and .mat: s, ms, us, ns.")] = None,
    bins: Annotated[str | None, typer.Option("--frames", help="Bins of equal time or count.")] = None,
    duration: Annotated[int | None, typer.Option(help="Microseconds that bins of time cover.")] = None,
    side: Annotated[int | None, typer.Option(help="Pixels of the input along the longer side.")] = None,
    downsample: Annotated[int | None, typer.Option(help="Rows and columns that make a pixel of the input.")] = None,
    threshold: Annotated[int | None, typer.Option(help="Events that make a spike.")] = None,
) -> None:
    """Run recordings on the simulated board or on a port and print what each one is.

    Bins are those of the data that the network was trained on, unless options say others. A recording that cannot be
    used is an error on standard error, the others are run, and the exit status is 1.
    """
    from ..compiler.image import load_image
    from ..device.driver import Driver
    from ..device.port import open_port
    from ..device.simulated import SimulatedTransport
    from ..device.verilate import check_tools
    from ..predictions import Frames, StandardInput, predict_recordings

    loaded = load_image(image)
    if by_step and not loaded.schedule.stores:
        raise ValueError(f"{image}: --by-step needs an image of `spikeplane compile --schedule stored`")
    try:
        frames = Frames.of(
            loaded, width=width, height=height, unit=unit, frames=bins, duration=duration, side=side,
            downsample=downsample, threshold=threshold,
        )
    except ValueError as error:
        raise ValueError(f"{image}: {error}") from error
    if "-" in files and ending is None:
        raise typer.BadParameter("- needs --format, the ending of files of the same format")
    given = [
        StandardInput(content=sys.stdin.buffer.read(), ending=ending or "") if name == "-" else Path(name)
        for name in files
    ]
    if port is None:
        check_tools()
        transport = SimulatedTransport(loaded.config)
    else:
        transport = open_port(port, baud)
    failed = False
    with Driver(transport, loaded.config) as driver:
        driver.load(loaded)
        driver.self_test()
        for found in predict_recordings(driver, given, frames, by_step=by_step):
            failed |= found.error is not None
            if as_json:
                print(json.dumps(found.to_dict()), flush=True)
            elif found.error is not None:
                errors.print(f"spikeplane: {found.error}", style="red")
            else:
                output.show(found.text)
    if failed:
        raise typer.Exit(1)
