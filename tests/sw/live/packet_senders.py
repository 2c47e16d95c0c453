"""Events as the bytes that other programs send."""

import numpy as np
from spikeplane.live.packets import FAERY_32, FAERY_64

__all__ = ["encode"]


def encode(name: str, sent: np.ndarray, timed: bool = False) -> bytes:
    """Return what the library of this format sends."""
    if name == "spif":
        words = sent["x"].astype("<u4") << 16 | sent["polarity"].astype("<u4") << 15 | sent["y"]
        if not timed:
            return (words | 1 << 31).astype("<u4").tobytes()
        times = np.arange(len(sent), dtype="<u4") * 0x10000001  # Some have bit 31 set.
        return np.stack([words, times], 1).astype("<u4").tobytes()
    made = np.zeros(len(sent), FAERY_64 if name.startswith("t64") else FAERY_32)
    made["x"], made["t"] = sent["x"], np.arange(len(sent))
    if name.startswith("t64"):
        made["y"], made["on"] = sent["y"], sent["polarity"]
    else:
        made["y_on"] = sent["y"] << 1 | sent["polarity"]
    return made.tobytes()
