"""The C library's allocator, told to keep what PyTorch frees."""

import ctypes
import platform

__all__ = ["keep_freed_memory"]

# Parameters of mallopt(3).
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4


def keep_freed_memory() -> bool:
    """Have freed memory kept for the process, not given back to the system; return whether it can.

    A training step frees and takes the same large tensors again and again. glibc gives those of
    32 MiB and more back at once, and the system clears every page anew, which takes long with many
    time steps. Only glibc is told; others are left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))
