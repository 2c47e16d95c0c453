"""Recordings packed into npz files that tests share."""

import numpy as np

SAMPLE = [(7, 33, 0, 1), (7, 0, 33, 0), (7000, 5, 6, 1), (30000, 1, 2, 0)]


def pack(*recordings) -> dict[str, np.ndarray]:
    events = [event for recording in recordings for event in recording]
    gaps = np.concatenate([np.diff([0] + [e[0] for e in recording]) for recording in recordings])
    return {
        "offsets": np.cumsum([0] + [len(r) for r in recordings]).astype(np.uint32),
        "dt_lo": (gaps & 255).astype(np.uint8), "dt_hi": (gaps >> 8).astype(np.uint8),
        "x": np.array([e[1] for e in events], np.uint8),
        "y": np.array([e[2] for e in events], np.uint8),
        "p": np.packbits([e[3] for e in events]),
        "label": np.arange(len(recordings), dtype=np.uint8),
    }
