"""The command `spikeplane import`."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from ..output import output
from .options import files_of_recipe

__all__ = ["EXAMPLE", "import_network"]

EXAMPLE = "Example: spikeplane import trained.nir trained.network --recipe nmnist --bits 2 --fine-tune tuning"


class Fires(enum.StrEnum):
    """Where a neuron fires."""

    ABOVE = "above"
    AT = "at"


class ResetTo(enum.StrEnum):
    """What a spike does."""

    ZERO = "zero"
    SUBTRACT = "subtract"


class Discretization(enum.StrEnum):
    """How a leak comes of a time constant."""

    EULER = "euler"
    EXPONENTIAL = "exponential"


def import_network(
    file: Annotated[Path, typer.Argument(help="A trained network in NIR.")],
    network: Annotated[Path, typer.Argument(help="Where to write the integer network.")],
    recipe: Annotated[str | None, typer.Option(
        help="Recipe, by its name or a TOML file with [data], whose training samples it is fitted to."
    )] = None,
    data: Annotated[Path | None, typer.Option(
        envvar="SPIKEPLANE_DATA", help="Root folder of data sets that Spikeplane does not ship."
    )] = None,
    bits: Annotated[int, typer.Option(help="Bits of weights: 8, 4, 2 or 1.")] = 8,
    layer_bits: Annotated[list[str] | None, typer.Option(
        help="Bits of the weights of one node, as NODE=8; may be repeated."
    )] = None,
    state_bits: Annotated[int, typer.Option(help="Bits of potentials: 16, or 2 to 8.")] = 16,
    fires: Annotated[Fires, typer.Option(
        help="above: v > threshold, as NIR says and snnTorch does; at: v >= threshold, as Sinabs and SpikingJelly."
    )] = Fires.ABOVE,
    reset: Annotated[ResetTo, typer.Option(
        help="zero, as NIR says; subtract: the threshold, as exporters of snnTorch and Sinabs may mean."
    )] = ResetTo.ZERO,
    time_step: Annotated[float | None, typer.Option(
        "--dt", help="Seconds of a time step, which NIR files do not say; needed for LIF neurons."
    )] = None,
    discretization: Annotated[Discretization, typer.Option(
        help="How much is left after a step: euler 1 - dt / tau, exponential exp(-dt / tau)."
    )] = Discretization.EULER,
    round_leak: Annotated[bool, typer.Option("--round-leak", help="Take the nearest leak that boards have.")] = False,
    samples: Annotated[int, typer.Option(min=1, help="Training samples that it is fitted to.")] = 32,
    steps: Annotated[int | None, typer.Option(min=1, help="Without --recipe: time steps of a sample.")] = None,
    shape: Annotated[str | None, typer.Option("--input", help="Without --recipe: as 2x34x34.")] = None,
    test: Annotated[int | None, typer.Option(min=1, help="Compare predictions on the first test samples.")] = None,
    sweep: Annotated[str | None, typer.Option(
        help="Compare widths of weights, as 8,4,2, on 200 training samples that it was not fitted to."
    )] = None,
    fine_tune: Annotated[Path | None, typer.Option(
        "--fine-tune", help="Folder to write a recipe and a checkpoint to, from which `train` goes on at these bits."
    )] = None,
) -> None:
    """Import a trained network: quantize its weights and say what became of every node.

    What has no exact counterpart is refused by name. The result is what `spikeplane export` writes.
    """
    from spikeplane_hw.neuron import Reset

    from ..data.sets.datasets import load_dataset
    from ..importing.build import Settings
    from ..importing.imported import Imported, float_predictions, import_nir
    from ..importing.nir_file import Meaning
    from ..importing.tables import layer_table, node_table, width_table
    from ..importing.tuning import CHECKPOINT, RECIPE, start_tuning, write_tuning
    from ..importing.widths import Width, compare_widths
    from ..network.file import save_network
    from ..training.recipe.recipes import load_data_recipe
    from ..training.run.evaluate import predict_integer
    from ..writing import check_distinct, check_folder, check_writable

    tuned = [] if fine_tune is None else [fine_tune / CHECKPOINT, fine_tune / RECIPE]
    for written in (network, *tuned):
        check_distinct(written, file, *files_of_recipe(recipe))
    check_writable(network)
    if fine_tune is not None:
        check_folder(fine_tune)
    meaning = Meaning(
        time_step=time_step, discretization=discretization.value, strict=fires is Fires.ABOVE,
        reset=Reset.HARD if reset is ResetTo.ZERO else Reset.SOFT,
    )
    settings = Settings(
        bits=bits, layer_bits=_layer_bits(layer_bits or []), state_bits=state_bits, round_leak=round_leak
    )
    compared: list[Width] = []
    if recipe is None:
        if steps is None or test is not None or sweep is not None or fine_tune is not None:
            raise typer.BadParameter("name --recipe, whose data it is fitted to, or --steps without --test, --sweep "
                                     "and --fine-tune")
        imported = import_nir(file, meaning, settings, form=_form(shape, steps, file, meaning))
        chosen = tuning = None
    else:
        if steps is not None or shape is not None:
            raise typer.BadParameter("--steps and --input are those of the recipe's data")
        widths = [] if sweep is None else _widths(sweep)
        chosen = load_data_recipe(recipe)
        train = load_dataset(chosen, "train", data)

        def make(settings: Settings) -> Imported:
            return import_nir(file, meaning, settings, data=train, recipe=chosen, calibration=samples)

        imported = make(settings)
        tuning = None if fine_tune is None else start_tuning(
            imported, settings, data=train, recipe=chosen, name=file.stem
        )
        if widths:
            compared = compare_widths(make, settings, widths, train, calibration=samples)
    save_network(imported.network, network)
    for table in (node_table(imported), layer_table(imported), *([width_table(compared)] if compared else [])):
        output.show(table)
    output.show(
        nodes=[list(row) for row in imported.rows], layers=[vars(layer) for layer in imported.layers],
        widths=[vars(width) for width in compared],
    )
    if chosen is not None and test is not None:
        part = load_dataset(chosen, "test", data)
        inputs, labels = part.inputs[:test], part.labels[:test]
        trained = float_predictions(imported, inputs)
        integer = predict_integer(imported.network, inputs, 20)
        right, same = (trained == labels).mean(), (trained == integer).mean()
        correct = (integer == labels).mean()
        output.show(
            f"{part.name}, {len(labels)} samples: {right:.2%} as trained, {correct:.2%} in integers, {same:.2%} same "
            f"predictions", samples=len(labels), trained=float(right), integer=float(correct),
            same_predictions=float(same),
        )
    output.show(f"integer network: {network}", network=str(network))
    if fine_tune is not None and tuning is not None:
        beyond = "" if tuning.same == 1 else "; potentials of ours end at 8 thresholds"
        output.show(
            f"before anything is quantized or trained: {tuning.same:.2%} same predictions on {tuning.samples} training "
            f"samples{beyond}", start={"samples": tuning.samples, "same_predictions": tuning.same},
        )
        for what, path in write_tuning(tuning, fine_tune).items():
            output.show(f"{what}: {path}", **{path.stem: str(path)})


def _widths(text: str) -> list[int]:
    widths = text.split(",")
    if not all(width.strip().isdecimal() for width in widths):
        raise typer.BadParameter(f"--sweep {text}: expected widths, as 8,4,2")
    return [int(width) for width in widths]


def _layer_bits(texts: list[str]) -> dict[str, int]:
    found = {}
    for text in texts:
        name, separator, bits = text.rpartition("=")
        if not separator or not bits.isdecimal():
            raise typer.BadParameter(f"--layer-bits {text}: expected NODE=BITS")
        found[name] = int(bits)
    return found


def _form(shape: str | None, steps: int, file: Path, meaning):
    """Return the format of spikes of a shape, or of the one that the file says."""
    from ..importing.nir_file import read_nir
    from ..network.input import InputFormat

    sides = tuple(shape.split("x")) if shape is not None else ()
    if shape is not None and (len(sides) != 3 or not all(side.isdecimal() for side in sides)):
        raise typer.BadParameter(f"--input {shape}: expected channels, height and width, as 2x34x34")
    channels, height, width = map(int, sides) if sides else read_nir(file, meaning).source
    return InputFormat(channels=channels, height=height, width=width, steps=steps)
