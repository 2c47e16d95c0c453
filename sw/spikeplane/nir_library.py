"""The library that reads and writes NIR files, which comes with an extra."""

from importlib import import_module
from types import ModuleType

from .network.checks import NetworkError

__all__ = ["nir_library"]


def nir_library() -> ModuleType:
    """Return the module ``nir``; a NetworkError names the extra that it is missing with."""
    try:
        return import_module("nir")
    except ImportError as error:
        raise NetworkError(
            f"nir is needed: install Spikeplane with its extra, as spikeplane[import] ({error})"
        ) from error
