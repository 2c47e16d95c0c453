"""Parts of a design that do anything: what is proved with them holds whatever they really do."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from amaranth import Module, Signal, Value
from amaranth.lib.wiring import Out

__all__ = ["doing_anything"]


@contextmanager
def doing_anything(*parts: type) -> Iterator[list]:
    """Elaborate components of the classes ``parts`` without drivers of their outputs; yield these, to be ports."""
    outputs: list = []

    def elaborate(component, platform):
        members = component.signature.flatten(component)
        values = [Value.cast(value) for _, member, value in members if member.flow is Out]
        outputs.extend(value for value in values if isinstance(value, Signal))
        return Module()

    with pytest.MonkeyPatch.context() as patch:
        for part in parts:
            patch.setattr(part, "elaborate", elaborate)
        yield outputs
