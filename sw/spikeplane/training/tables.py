"""Tables of a recipe as dataclasses: unknown, missing and mistyped keys are errors."""

import dataclasses
import json
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

__all__ = ["build", "check_keys", "typed"]

Table = TypeVar("Table")


def build(cls: type[Table], values: Any, where: str) -> Table:
    """Return dataclass ``cls`` from a table whose values are plain.

    A ValueError names the key, which begins with ``where``, its value, and what is known or expected.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{where} must be a table, not {values!r}")
    check_keys(cls, values, where)
    kinds = get_type_hints(cls)
    return cls(**{key: typed(value, kinds[key], _key(where, key)) for key, value in values.items()})


def check_keys(cls: type, values: dict[str, Any], where: str) -> None:
    """Raise a ValueError if a key of ``values`` is no field of dataclass ``cls``, or if one is missing."""
    fields = {item.name: item for item in dataclasses.fields(cls)}
    for key in values:
        if key not in fields:
            raise ValueError(f"unknown key {_key(where, key)}; known are {', '.join(fields)}")
    for key, item in fields.items():
        if key not in values and item.default is item.default_factory is dataclasses.MISSING:
            raise ValueError(f"{_key(where, key)} is missing")


def typed(value: Any, kind: Any, what: str) -> Any:
    """Return ``value`` if it is of ``kind``; an integer will do for a float.

    A ValueError begins with ``what``, the key. A kind is int, float, str, bool, a
    dataclass, a list of these, a table of any type, or one of these or None.
    """
    if isinstance(kind, UnionType):
        if value is None:
            return None
        (kind,) = (choice for choice in get_args(kind) if choice is not NoneType)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return build(kind, value, what)
    if get_origin(kind) is list:
        if not isinstance(value, list):
            raise ValueError(f"{what} must be an array, not {json.dumps(value, default=str)}")
        return [typed(each, get_args(kind)[0], f"{what}.{index}") for index, each in enumerate(value)]
    if kind is float and type(value) is int:
        return float(value)
    expected = kind if isinstance(kind, type) and kind in (int, float, str, bool) else dict
    if not (isinstance(value, dict) if expected is dict else type(value) is expected):
        text = json.dumps(value, default=str)
        raise ValueError(f"{what} must be {expected.__name__}, not {text}")
    return value


def _key(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
