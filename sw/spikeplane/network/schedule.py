"""Schedules: which loop of a network's run is outside."""

import enum

__all__ = ["Schedule"]


class Schedule(enum.Enum):
    """Which loop is outside: both give the same spikes, states, streams and logits."""

    REGISTERS = "registers"
    """All time steps of a pixel run while its potential is at hand; nothing is stored after."""
    STORED = "stored"
    """All nodes run one time step at a time; quantized potentials are stored in between."""

    @property
    def stores(self) -> bool:
        """Whether potentials outlive a step in memory, and steps may come live."""
        return self is Schedule.STORED

    def inner_steps(self, steps: int) -> int:
        """Return how many of ``steps`` time steps a node runs before the next node's turn."""
        return 1 if self.stores else steps

    def outer_steps(self, steps: int) -> int:
        """Return how often all nodes take turns."""
        return steps if self.stores else 1

    def accumulations(self, steps: int) -> int:
        """Return how often the sum of a layer is accumulated that reads nothing but an image."""
        return self.outer_steps(steps)

    def kept_steps(self, steps: int) -> range:
        """Return the time steps whose spikes are still there after a run."""
        return range(steps - self.inner_steps(steps), steps)
