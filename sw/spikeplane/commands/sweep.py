"""The command `spikeplane sweep`."""

from pathlib import Path
from typing import Annotated

import typer

from ..output import output
from .options import Config, Data, Overrides, config_named
from .stoppable import stoppable

__all__ = ["EXAMPLE", "sweep_command"]

EXAMPLE = ("Example: spikeplane sweep digits --budget size=8kB --out build/sweep --bits 1,2,4 --widths 0.5,1 "
           "--set data.validation=300 --set training.epochs=10")
BY_LAYER = "for every layer, or LAYER=CHOICES for one; may be repeated"


@stoppable()
def sweep_command(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a TOML file, with a validation part.")],
    budget: Annotated[str, typer.Option(
        help="The most that a network may cost, and the axis of the plot: size=8kB, size=50% or cycles=20000."
    )],
    out: Annotated[Path, typer.Option(help="Folder of trials, figures and plot; a sweep that is there goes on.")],
    bits: Annotated[list[str] | None, typer.Option(
        help=f"Bits of weights, as 1,2,4, {BY_LAYER}. Without a layer's name the first and the last one stay."
    )] = None,
    state_bits: Annotated[list[str] | None, typer.Option(help=f"Bits of potentials, as 2,4, {BY_LAYER}.")] = None,
    widths: Annotated[list[str] | None, typer.Option(help=f"Factors of channels, as 0.5,1, {BY_LAYER}.")] = None,
    steps: Annotated[str | None, typer.Option(help="Time steps of a sample, as 2,3.")] = None,
    ratios: Annotated[list[str] | None, typer.Option(
        help=f"Parts of channels to prune, as 0,0.5, {BY_LAYER}. What is pruned trains on for half of the epochs."
    )] = None,
    trials: Annotated[int, typer.Option(
        min=1, help="Combinations to try, all processes and former runs together."
    )] = 20,
    config: Config = "small",
    storage: Annotated[str | None, typer.Option(
        help="Optuna's storage, for several machines postgresql://USER@HOST/DATABASE; default: a file of SQLite in OUT."
    )] = None,
    study: Annotated[str | None, typer.Option(help="Name in the storage; default: that of the recipe.")] = None,
    overrides: Overrides = None,
    data: Data = None,
    device: Annotated[str, typer.Option(help="Where networks are trained, as of train.")] = "auto",
) -> None:
    """Search a recipe's bits, widths, steps and pruning for accuracy against bytes or cycles.

    Accuracy is that of the integer model on the recipe's validation part. What does not fit the core or the budget is
    infeasible, before it is trained where that can be told. Start the command again to go on after Ctrl-C, or several
    times at once to share the work.
    """
    from ..pruning.costs import parse_budget
    from ..sweeping.space import Space, parse_choices
    from ..training.recipe.recipes import load_recipe
    from ..training.run.options import RunOptions

    core, limit = config_named(config), parse_budget(budget)
    space = Space(
        bits=parse_choices(bits, int, "--bits"), state_bits=parse_choices(state_bits, int, "--state-bits"),
        widths=parse_choices(widths, float, "--widths"), ratios=parse_choices(ratios, float, "--ratios"),
        steps=() if steps is None else parse_choices([steps], int, "--steps").popitem()[1],
    )
    from ..progress import steps as progress_steps
    from ..sweeping.sweep import Swept, sweep
    from ..sweeping.written import figures, front_lines, front_table, infeasible_lines, result_text, write_sweep

    chosen = load_recipe(recipe, overrides or ())
    with progress_steps(trials, unit="trial", title=chosen.name) as bar:
        def show(swept: Swept, total: int) -> None:
            bar.total = total
            bar.set_postfix_str(result_text(swept), refresh=False)
            bar.update(len(swept.trials) - bar.n)
            if swept.trials:  # What is there outlives an interrupt.
                write_sweep(swept, out)

        swept = sweep(
            chosen, space, limit, out, trials=trials, config=core, storage=storage, study_name=study, data_root=data,
            options=RunOptions(device=device), notify=show,
        )
    output.show(front_table(swept), **figures(swept))
    for line in [*front_lines(swept), *infeasible_lines(swept)]:
        output.show(line)
    if swept.running:
        output.show(f"{swept.running} trials run in other processes; if these are gone, start again in a minute")
    written = write_sweep(swept, out)
    for what, path in written.items():
        output.show(f"{what}: {path}")
    output.show(files={what: str(path) for what, path in written.items()})
