"""Gateware of the Spikeplane core: parameters, references and Amaranth components."""

import time

__all__ = ["IMPORT_TIME"]

IMPORT_TIME = time.time_ns()
"""Before any module of the package was loaded, ns: of a file changed since then, either text may be in use."""
