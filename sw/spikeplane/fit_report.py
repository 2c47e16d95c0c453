"""Does it fit, in words: what recipes, checkpoints and networks need of every configuration."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from spikeplane_hw.config import CONFIGS, CoreConfig

from .compiler.compile import random_samples
from .compiler.fit import Fit, fit
from .compiler.limits import Limit
from .compiler.remedies import alternatives
from .information import is_recipe, kind_of, read_checkpoint, shape_text
from .network.checks import NetworkError
from .network.file import load_network
from .network.graph import IntegerNetwork
from .network.schedule import Schedule

__all__ = ["Candidate", "candidate", "fit_tables", "fits_of", "opening_lines", "recipe_candidate",
           "short_lines"]

EVENT_RATE = 0.05
"""Active part of the random events whose cycles are predicted."""
IMAGE_RATE = 0.5
"""Part of a random image's pixels that is not 0."""
SHORT_SEGMENTS = 20_000
"""Segments up to which cycles are predicted ahead of a training: half a second on a slow processor."""
LONG_SEGMENTS = 1_000_000
"""The same where one asks for it: half a minute."""
MEMORY_LIMITS = (Limit.WEIGHTS, Limit.PARAMETERS, Limit.STATES, Limit.SPIKES)
"""Limits that are the depth of a memory."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An integer network that may be compiled."""

    name: str
    network: IntegerNetwork
    trained: bool
    """Whether it is more than a recipe's random weights."""

    @property
    def input_rate(self) -> float:
        """Active part of the random sample whose cycles are predicted."""
        return IMAGE_RATE if self.network.input.direct else EVENT_RATE

    @property
    def cycles_text(self) -> str:
        """What the cycles are those of."""
        what = "an image's pixels" if self.network.input.direct else "an input's places"
        text = f"cycles are predicted on one random input, {self.input_rate:.0%} of {what} active"
        if self.trained:
            return f"{text}; real data have other firing rates"
        return f"{text}, and rough: a trained network fires at other rates"


def recipe_candidate(recipe, data_root: Path | None = None) -> Candidate:
    """Return a recipe's network, untrained, with weights drawn from the recipe's seed.

    Data are needed only of files of one's own, below ``data_root``. A ValueError says why there is no integer form
    (float weights), or that the shape of the data is known only from the data.
    """
    from .data.sets.shapes import input_format
    from .training.run.checkpoint import Checkpoint

    network = Checkpoint.start(recipe, *input_format(recipe.data, data_root)).network
    return Candidate(name=recipe.name, network=exported(recipe.name, network), trained=False)


def candidate(file: str, overrides: Iterable[str] = (), data_root: Path | None = None) -> Candidate:
    """Return the network of a recipe, by its name or TOML file, of a checkpoint or of a network's file.

    ``overrides`` replace values of a recipe, as ``data.bits=4``. A ValueError names the file if it is
    none of these, or says why it has no integer form.
    """
    if is_recipe(file):
        from .training.recipe.recipes import load_recipe

        return recipe_candidate(load_recipe(file, overrides), data_root)
    if overrides:
        raise ValueError(f"{file}: only of a recipe can values be replaced")
    path = Path(file)
    kind = kind_of(path)
    if kind == "network":
        return Candidate(name=file, network=load_network(path), trained=True)
    if kind == "image":
        raise ValueError(f"{file}: whether it fits can be told of a recipe, a checkpoint or a network, not of an image")
    checkpoint = read_checkpoint(path)
    trained = checkpoint.epoch > 0 or checkpoint.batch > 0
    return Candidate(name=file, network=exported(file, checkpoint.network), trained=trained)


def exported(name: str, network) -> IntegerNetwork:
    """Return a network of the training library in integers; a ValueError says why there is no such form."""
    from .training.net.export import export_network

    try:
        return export_network(network)
    except NetworkError as error:
        raise ValueError(f"{name} has no integer form, which cores run: {error}") from error


def fits_of(chosen: Candidate, configs: Iterable[CoreConfig], most_segments: int) -> list[Fit]:
    """Return whether a network fits each configuration, with the cycles of one seeded random input."""
    inputs = random_samples(chosen.network.input, 1, chosen.input_rate)
    return [fit(chosen.network, config, inputs=inputs, most_segments=most_segments) for config in configs]


def opening_lines(recipe, data_root: Path | None = None) -> list[str]:
    """Return what to print ahead of a recipe's training: :func:`short_lines`, or why there are none."""
    try:
        return short_lines(recipe_candidate(recipe, data_root))
    except ValueError as error:  # What no core runs may be trained all the same.
        return [f"does it fit? {error}"]


def short_lines(chosen: Candidate) -> list[str]:
    """Return a line for each named configuration, after one that says what its cycles are."""
    lines = [f"does it fit? {chosen.cycles_text}"]
    for found in fits_of(chosen, CONFIGS.values(), SHORT_SEGMENTS):
        if not found.runs:
            lines.append(f"{found.config.name}: does not fit: {found.note}")
            continue
        if not found.fits:
            first, *others = found.exceeded
            more = f", and {len(others)} other limit{'s' * (len(others) > 1)}" if others else ""
            lines.append(f"{found.config.name}: does not fit: {first}{more}")
            continue
        space, share = found.fullest
        cycles = found.note
        if found.cycles:
            cycles = ", ".join([f"{found.total_cycles:,.0f} cycles", *(
                f"{time.seconds * 1e3:.3g} ms a sample on {time.board}" for time in found.board_times
            )])
        lines.append(f"{found.config.name}: fits ({way_text(found)}), {space.name.lower()} "
                     f"{share:.0%} full; {cycles}")
    return lines


def way_text(found: Fit) -> str:
    """Return how the network is placed, or fails by least, as options of `spikeplane compile`."""
    options = [f"--schedule {found.schedule.value}"] if found.schedule is not Schedule.REGISTERS else []
    options += [] if found.keep_maps else ["--reuse-maps"]
    return " ".join(options) or "no options"


def fit_tables(chosen: Candidate, configs: list[CoreConfig]) -> list[Table | str]:
    """Return what to print of a network on some configurations: needs, cycles, what would make it fit."""
    fits = fits_of(chosen, configs, LONG_SEGMENTS)
    title = f"{chosen.name}: {shape_text(chosen.network.input)}"
    table = Table("what", *(found.config.name for found in fits), title=title)
    table.add_row("fits", *("yes" if found.fits else "NO" for found in fits))
    table.add_row("options of compile", *(way_text(found) if found.runs else "" for found in fits), end_section=True)
    for space in dict.fromkeys(space for found in fits for space in found.words):
        table.add_row(f"words of {space.name}", *(
            part_text(found.words[space], found.depths[space]) if space in found.words else "" for found in fits
        ))
    table.add_section()
    for kind in Limit:
        worst = [found.worst.get(kind) for found in fits]
        if kind not in MEMORY_LIMITS and any(worst):
            table.add_row(kind.value, *(part_text(need.need, need.limit) if need else "" for need in worst))
    table.add_section()
    for name in dict.fromkeys(layer for found in fits for layer in found.cycles):
        table.add_row(f"cycles of {name}", *(
            f"{found.cycles[name]:,.0f}" if found.cycles else "" for found in fits
        ))
    table.add_row("cycles of a sample", *map(sample_text, fits))
    times = [{time.board: time for time in found.board_times} for found in fits]
    for board in dict.fromkeys(name for each in times for name in each):
        clock = next(each[board].clock for each in times if board in each)
        table.add_row(f"on {board}, {clock / 1e6:g} MHz", *(
            f"{each[board].seconds * 1e3:.3g} ms, {each[board].samples_a_second:,.0f} a second"
            if board in each else "" for each in times
        ))
    others = [config for config in CONFIGS.values() if config not in configs]
    fitting = [found.config.name for found in [*fits, *fits_of(chosen, others, 0)] if found.fits]
    last = f"it fits {', '.join(fitting)}" if fitting else f"it fits none of {', '.join(CONFIGS)}"
    return [table, chosen.cycles_text, *remedies_of(fits), last]


def sample_text(found: Fit) -> str:
    """Return the cycles of a sample, or in few words why there are none."""
    if found.cycles:
        return f"{found.total_cycles:,.0f}"
    return found.note if found.runs else "does not run"


def part_text(need: int, limit: int) -> str:
    """Return a need and its limit in words, loudly if it is exceeded."""
    share = f" ({need / limit:.0%})" if limit else ""
    return f"{need:,} of {limit:,}{share}{' !' * (need > limit)}"


def remedies_of(fits: list[Fit]) -> list[Table | str]:
    """Return a table for each configuration that is too small, of what would help, or why it does not run at all."""
    shown: list[Table | str] = []
    for found in fits:
        if found.fits:
            continue
        if not found.runs:
            shown.append(f"{found.config.name} does not run it: {found.note}")
            continue
        table = Table("exceeded", "to make it fit", title=f"{found.config.name} is too small")
        for need, changes in zip(found.exceeded, found.changes, strict=True):
            table.add_row(str(need), alternatives(changes))
        shown.append(table)
    return shown
