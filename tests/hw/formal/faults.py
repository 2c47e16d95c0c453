"""Faults on purpose: what no proof may accept."""

import inspect
import sys
import textwrap

__all__ = ["break_method"]


def break_method(monkeypatch, owner: type, name: str, old: str, new: str) -> None:
    """Replace ``old``, which is there once, by ``new`` in the source of a method of ``owner``."""
    method = getattr(owner, name)
    text = textwrap.dedent(inspect.getsource(method))
    assert text.count(old) == 1, (name, old)
    scope: dict = {}
    exec(text.replace(old, new), vars(sys.modules[owner.__module__]), scope)
    monkeypatch.setattr(owner, name, scope[name])
