"""Settings of the whole test suite."""

import os

# Small networks gain nothing from threads, and lose much where the machine is busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")
