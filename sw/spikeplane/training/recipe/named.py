"""Parts of a training that recipes name, each with a table of options."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

__all__ = ["create_named"]

Part = TypeVar("Part")


def create_named(
    what: str, choices: Mapping[str, Callable[..., Part]], recipe: dict[str, dict[str, Any]]
) -> list[Part]:
    """Return the parts that a recipe names, in its order, with their options.

    Raises a ValueError that begins with ``what``, the recipe's key, where a name or an option is wrong.
    """
    parts = []
    for name, options in recipe.items():
        if name not in choices:
            raise ValueError(f"{what} must be of {', '.join(choices)}, not {name!r}")
        if not isinstance(options, dict):
            raise ValueError(f"{what}.{name} must be a table of options, or false, not {options!r}")
        try:
            parts.append(choices[name](**options))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{what}.{name}: {error}") from error
    return parts
