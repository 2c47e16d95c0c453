"""What commands print: lines and whole tables, JSON in their place, or nothing."""

import inspect
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer
from rich.console import Console, RenderableType

__all__ = ["App", "Output", "errors", "output"]

PIPE_WIDTH = 10_000
"""Columns where standard output is no terminal: tables are as wide as what they hold."""


class Output:
    """Standard output of the command that runs, as its options say."""

    def __init__(self) -> None:
        self.reset()

    def reset(self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        """Begin a command with these options; those of the one before are forgotten."""
        self.json, self.quiet, self.verbose = as_json, quiet, verbose
        self.values: dict[str, Any] = {}
        """What ``--json`` prints at the end."""

    @property
    def talks(self) -> bool:
        """Whether lines, tables and bars are wanted."""
        return not (self.quiet or self.json)

    def show(self, what: RenderableType | None = None, **values: Any) -> None:
        """Print a table or a line of text as it is, and note ``values``, plain ones, for ``--json``."""
        self.values |= values
        if what is not None and self.talks:
            stdout = Console(width=_width(), highlight=False, markup=False, emoji=False)
            stdout.print(what, soft_wrap=isinstance(what, str))

    @contextmanager
    def command(self) -> Iterator[None]:
        """Print at the end of a command what it noted, if JSON is asked for."""
        began = time.monotonic()
        try:
            yield
        except typer.Exit:  # What it found is bad, and is shown.
            self._end()
            raise
        else:
            self._end()
        finally:
            if self.verbose:
                print(f"spikeplane: {time.monotonic() - began:.2f} s", file=sys.stderr)

    def _end(self) -> None:
        if self.json:
            print(json.dumps(_finite(self.values), indent=2, allow_nan=False), flush=True)


errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
"""Standard error; what it shows may hold names of files and classes, which are no markup."""
output = Output()
"""Of the one command that a process runs."""


def _finite(value: Any) -> Any:
    """Return plain values with None in place of numbers that JSON has not: infinite ones and NaN."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _width() -> int | None:
    """Return the columns of what is no terminal, unless the variable COLUMNS says how many there are."""
    return None if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit() else PIPE_WIDTH


OPTIONS = {
    "as_json": Annotated[bool, typer.Option("--json", help="Print figures and files as JSON, and nothing else.")],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors; no bars.")],
    "verbose": Annotated[bool, typer.Option(
        "--verbose", "-v", help="Show where an error comes from, and how long the command took."
    )],
}
"""What every command has besides its own options, unless it has one of this name."""


def _with_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command's function with the options that all have."""
    own = inspect.signature(function)
    more = {name: kind for name, kind in OPTIONS.items() if name not in own.parameters}

    @wraps(function)
    def command(**arguments: Any) -> Any:
        # Of an option of the command itself, which prints its JSON line by line, nothing is to be printed at the end.
        given = {name: arguments.pop(name) for name in more}
        output.reset(**given)
        with output.command():
            return function(**arguments)

    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in more.items()
    ]
    command.__signature__ = own.replace(parameters=[*own.parameters.values(), *added])  # pyright: ignore
    command.__annotations__ = get_type_hints(function, include_extras=True) | more
    return command


class App(typer.Typer):
    """An application all of whose commands have :data:`OPTIONS`."""

    def command(self, name: str | None = None, **options: Any) -> Callable[..., Any]:
        register = super().command(name, **options)

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            register(_with_options(function))
            return function

        return decorate
