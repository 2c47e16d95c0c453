"""The command `spikeplane live`."""

import json
import re
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..output import errors, output

__all__ = ["EXAMPLE", "live"]

EXAMPLE = "Example: spikeplane live gestures.spk --source udp://127.0.0.1:3333 --every 10ms --page --port /dev/ttyUSB0"
PAGE = 8000
"""The port of the page, unless another one is asked for."""
SECONDS = {"us": Fraction(1, 1_000_000), "ms": Fraction(1, 1000), "s": Fraction(1)}


def live(
    image: Annotated[Path, typer.Argument(help="What `spikeplane compile --schedule stored` wrote.")],
    source: Annotated[str, typer.Option(help="A recording, udp://HOST:PORT, tcp://HOST:PORT or stdin.")],
    every: Annotated[str | None, typer.Option(
        help="Time of a step, as 10ms or 500us; default: that of the training."
    )] = None,
    port: Annotated[str | None, typer.Option(help="Serial port of a board; without, the simulated board.")] = None,
    baud: Annotated[int | None, typer.Option(help="Of the bitstream; default: at which it answers.")] = None,
    packets: Annotated[str, typer.Option(
        help="What comes over sockets and pipes: spif, as AEStream sends it, or faery's t64_x16_y16_on8, "
             "t32_x16_y15_on1."
    )] = "spif",
    fast: Annotated[bool, typer.Option(
        "--fast", help="Replay a file as fast as the board goes; nothing is lost."
    )] = False,
    queue: Annotated[int | None, typer.Option(
        min=1, help="Steps that wait for the board; beyond, the oldest is lost. Default: a few."
    )] = None,
    window: Annotated[int | None, typer.Option(
        min=1, help="Steps that a prediction is of; default: as many as in the training."
    )] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="End after so many; default: Ctrl-C ends it.")] = None,
    as_json: Annotated[bool, typer.Option(
        "--json", help="Print a line of JSON for each step, and one at the end."
    )] = False,
    page: Annotated[bool, typer.Option(
        "--page", help="Serve a page that shows it, to browsers on this machine only."
    )] = False,
    page_port: Annotated[int, typer.Option(
        min=0, max=65535, help="Of the page; 0: one that is free."
    )] = PAGE,
    width: Annotated[int | None, typer.Option(help="Of the sensor; default: of the input, or of the file.")] = None,
    height: Annotated[int | None, typer.Option(help="Of the sensor; default: of the input, or of the file.")] = None,
    unit: Annotated[str | None, typer.Option(help="Of times in .npy, .npz and .mat: s, ms, us, ns.")] = None,
    side: Annotated[int | None, typer.Option(help="Pixels of the input along the longer side.")] = None,
    downsample: Annotated[int | None, typer.Option(help="Rows and columns that make a pixel of the input.")] = None,
    threshold: Annotated[int | None, typer.Option(help="Events that make a spike.")] = None,
) -> None:
    """Run events as they come, a time step at once, and print what they are.

    Where the board is slower than the events, the oldest step that waits is dropped and counted. A line is printed
    where the prediction changes; at the end, how much came, what was lost, and how late the answers were.
    """
    from ..compiler.image import load_image
    from ..data.sets.bins import TimeBins
    from ..device.driver import Driver
    from ..device.port import open_port
    from ..device.simulated import SimulatedTransport
    from ..device.verilate import check_tools
    from ..live.live import QUEUE, LiveStatistics, run_live
    from ..live.page import LivePage
    from ..live.sources import FileSource, open_source
    from ..predictions import Frames

    loaded = load_image(image)
    if not loaded.schedule.stores:
        raise ValueError(f"{image}: live input needs an image of `spikeplane compile --schedule stored`")
    try:
        frames = Frames.of(
            loaded, width=width, height=height, unit=unit, side=side, downsample=downsample, threshold=threshold
        )
    except ValueError as error:
        raise ValueError(f"{image}: {error}") from error
    bins = frames.bins
    if every is not None:
        step = _seconds(every)
    elif isinstance(bins, TimeBins) and bins.duration is not None:
        step = Fraction(bins.duration, bins.steps) * SECONDS["us"]
    else:
        raise typer.BadParameter(f"{image} does not say how long a time step is: name it, as --every 10ms")
    if port is None:
        check_tools()
    opened = open_source(source, packets, fast=fast, read=frames.read)
    if isinstance(opened, FileSource):
        size = opened.recording.height, opened.recording.width
    else:
        size = frames.height or loaded.input.height, frames.width or loaded.input.width
    transport = SimulatedTransport(loaded.config) if port is None else open_port(port, baud)
    statistics = LiveStatistics()
    shown = None
    shower = LivePage(loaded, statistics, float(step), page_port) if page else None
    with shower or nullcontext(), Driver(transport, loaded.config) as driver:
        driver.load(loaded)
        driver.self_test()
        if shower is not None and not output.quiet:
            errors.print(f"page: {shower.address}")
        steps = run_live(
            driver, opened, step, bins, size, queue=queue or QUEUE, window=window, statistics=statistics,
            show=None if shower is None else shower.show,
        )
        try:
            for found in steps:
                if as_json:
                    print(json.dumps(found.to_dict()), flush=True)
                elif found.label != shown:
                    output.show(f"{float(found.index * step):9.3f} s: {found.name} (logit {max(found.logits):.4g}; "
                                f"{found.events:,} events)")
                    shown = found.label
                if seconds is not None and statistics.seconds >= seconds:
                    break
        except KeyboardInterrupt:
            pass  # How it ends where nothing else says so.
        finally:
            steps.close()
            _show_statistics(statistics, as_json)


def _show_statistics(statistics, as_json: bool) -> None:
    if as_json:
        values = {name: value for name, value in vars(statistics).items() if name != "latencies"}
        print(json.dumps(values | {"latency": statistics.quantiles}), flush=True)
        return
    table = Table("figure", "value")
    for row in statistics.rows:
        table.add_row(*row)
    output.show(table)


def _seconds(text: str) -> Fraction:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(us|ms|s)", text.strip())
    if found is None or not float(found[1]):
        raise typer.BadParameter(f"--every {text}: expected a time above 0, as 10ms, 500us or 0.1s")
    return Fraction(found[1]) * SECONDS[found[2]]
