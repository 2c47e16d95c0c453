"""The API reference shows roles such as ``:func:`name``` as code: docstrings are Markdown to it."""

import re

import griffe

ROLE = re.compile(r":\w+:`~?\.*([^`]+)`")


class PlainRoles(griffe.Extension):
    """Takes the roles out of every docstring and keeps their names."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Change the docstring of an object that was read."""
        if obj.docstring:
            obj.docstring.value = ROLE.sub(r"`\1`", obj.docstring.value)
