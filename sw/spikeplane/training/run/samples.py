"""Training samples where they are computed on."""

import numpy as np
import torch
from torch import Tensor

from ...data.sets.samples import SampleArray

__all__ = ["Samples"]

SHARE = 4
"""One part in so many of a GPU's free memory may be taken by samples."""


class Samples:
    """The inputs of a data set, of which batches are taken: on a GPU if there is room, else on the CPU, or in files."""

    def __init__(self, inputs: SampleArray, device: torch.device):
        self.inputs = inputs
        self.device = device
        """Where batches are put."""
        self._held = torch.from_numpy(inputs) if isinstance(inputs, np.ndarray) else None
        if self._held is not None and device.type == "cuda" and (
            SHARE * inputs.nbytes <= torch.cuda.mem_get_info(device)[0]
        ):
            self._held = self._held.to(device)

    def take(self, part: np.ndarray) -> Tensor:
        """Return the samples with these indices, on the device."""
        if self._held is None:
            return torch.from_numpy(self.inputs[part]).to(self.device)
        return self._held[torch.from_numpy(part).to(self._held.device, non_blocking=True)].to(self.device)
