"""How a training runs: what a recipe leaves open, since it should not matter to the result."""

import math
from dataclasses import dataclass

__all__ = ["AMP", "RunOptions"]

AMP = ("bfloat16", "float16")


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Where a training computes, and what it writes on the way."""

    device: str = "auto"
    """"cpu", "cuda", "cuda:N", or "auto": a GPU if there is one."""
    amp: str | None = None
    """One of AMP: products of activations and weights in this type; None: all in float32."""
    compile: bool = False
    """Whether a compiler fuses what forward and backward passes compute: it takes a minute once."""
    graphs: bool = False
    """Whether a GPU replays all operations of a batch as one graph, recorded once: one process, AdamW."""
    invert: bool = False
    """Whether reversible transformer blocks keep no activations: they are computed back from what comes out."""
    save_every: float = 10.0
    """Minutes after which a checkpoint is written within an epoch; 0: after every batch."""
    validate_every: int = 0
    """Epochs after which the accuracy on the recipe's validation part is taken; 0: only after the last one."""
    tensorboard: bool = False
    """Whether to write curves for TensorBoard, into the folder of the checkpoint."""

    def __post_init__(self):
        if self.amp is not None and self.amp not in AMP:
            raise ValueError(f"amp must be one of {', '.join(AMP)}, not {self.amp!r}")
        if self.graphs and self.amp == "float16":
            raise ValueError("graphs need amp bfloat16 or none: what scales the gradients of float16 asks the CPU")
        if not (math.isfinite(self.save_every) and self.save_every >= 0):
            raise ValueError(f"save_every must be 0 minutes or more, not {self.save_every}")
        if self.validate_every < 0:
            raise ValueError(f"validate_every must be 0 epochs or more, not {self.validate_every}")
