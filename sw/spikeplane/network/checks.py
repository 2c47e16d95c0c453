"""Checks that every part of a network shares: types of fields, integer arrays, sizes."""

import enum
import math
from dataclasses import fields, is_dataclass
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

__all__ = ["NetworkError", "verify_fields", "verify_integers"]

NAMES = {int: "an integer", float: "a number", str: "a text", bool: "true or false", dict: "a table"}


class NetworkError(ValueError):
    """A network breaks a rule; the message names the node, the value and the limit."""


def verify_fields(where: str, item: Any) -> None:
    """Raise a NetworkError naming the first field of a dataclass whose value is not of its type.

    Arrays are left to :func:`verify_integers`, which knows their shapes.
    """
    for name, kind in _hints(type(item)).items():
        _verify_type(f"{where}: {name}", getattr(item, name), kind)


@cache
def _hints(cls: type) -> dict[str, Any]:
    known = get_type_hints(cls)
    return {item.name: known[item.name] for item in fields(cls)}


def _verify_type(what: str, value: Any, kind: Any) -> None:
    if isinstance(kind, UnionType):
        if value is None and NoneType in get_args(kind):
            return
        (kind,) = (choice for choice in get_args(kind) if choice is not NoneType)
    if kind is Any or kind is np.ndarray:
        return
    if get_origin(kind) is tuple:
        if not isinstance(value, tuple):
            raise NetworkError(f"{what} must be a tuple, not {value!r}")
        choices = get_args(kind)
        if choices[-1] is not Ellipsis and len(value) != len(choices):
            raise NetworkError(f"{what} must have {len(choices)} values, not {value!r}")
        for index, each in enumerate(value):
            _verify_type(f"{what}[{index}]", each, choices[0 if choices[-1] is Ellipsis else index])
        return
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(value, kind):
        verify_fields(what, value)
        return
    if kind is int:
        sound = isinstance(value, Integral) and not isinstance(value, bool)
    elif kind is float:
        sound = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    else:
        sound = isinstance(value, kind)
    if not sound:
        expected = NAMES.get(kind)
        if expected is None and issubclass(kind, enum.Enum):
            expected = f"one of {', '.join(each.name for each in kind)}"
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise NetworkError(f"{what} must be {expected or f'{article} {kind.__name__}'}, not {value!r}")


def verify_integers(what: str, values: np.ndarray | None, shape: tuple, bits: int) -> None:
    """Raise a NetworkError unless ``values`` are integers of ``shape`` that fit signed ``bits``."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iu":
        raise NetworkError(f"{what} must be an integer array, not "
                           f"{getattr(values, 'dtype', type(values).__name__)}")
    if values.shape != tuple(shape):
        raise NetworkError(f"{what} has shape {values.shape}, must be {tuple(shape)}")
    wrong = (values < -(1 << (bits - 1))) | (values >= 1 << (bits - 1))
    if wrong.any():
        index = int(np.argmax(wrong))
        raise NetworkError(
            f"{what} of channel {index} is {values[index]}, limit {bits} signed bits"
        )
