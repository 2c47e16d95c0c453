"""Recipes in files."""

import pytest


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a recipe and returns its path."""
    def write(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path
    return write
