"""Settings of the whole test suite."""

import gc
import os
from contextlib import contextmanager

import pytest

# Small networks gain nothing from threads, and lose much where the machine is busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@contextmanager
def uncollected():
    """Collect no garbage meanwhile.

    CPython 3.11 stops at a SystemError if a simulation is collected while a syntax tree is built.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Describe a failure, for which pytest builds a syntax tree."""
    with uncollected():
        return (yield)


@pytest.fixture
def syntax_trees():
    """Let a test build syntax trees."""
    with uncollected():
        yield
