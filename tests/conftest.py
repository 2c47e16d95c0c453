"""Settings of the whole test suite."""

import gc
import os

import pytest

# Small networks gain nothing from threads, and lose much where the machine is busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Collect no garbage while a failure is described.

    CPython 3.11 stops at a SystemError if a simulation is collected while a syntax tree is built, as pytest does.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
