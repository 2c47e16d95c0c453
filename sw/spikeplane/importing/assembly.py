"""Operators, neurons and pools in the order of a trained network become the stages of a chain."""

import numpy as np

from ..network.checks import NetworkError
from ..network.pool import Pooling
from .chain import Chain, ImportedNeuron, Stage
from .operators import Operator, Shape, dense, scaling

__all__ = ["Assembly"]


class Assembly:
    """A chain that grows. Each method raises a ValueError where what is added has no exact counterpart."""

    def __init__(self, source: Shape):
        self.source = source
        self._stages: list[Stage] = []
        self._operator: Operator | None = None
        """Of what came since the last neurons."""
        self._label = ""
        """What has the operator's weights, else the first one that it was made of."""
        self._flat = False
        """Whether what comes are vectors, of the map's values channels first."""

    @property
    def shape(self) -> Shape:
        """Channels, height, width of the map at hand."""
        if self._operator is not None:
            return self._operator.shape
        return self._stages[-1].shape if self._stages else self.source

    @property
    def spikes(self) -> bool:
        """Whether the map at hand is of neurons' spikes."""
        return self._operator is None and bool(self._stages)

    def flatten(self) -> str:
        """Take what comes as vectors, channels first; return what that becomes."""
        self._flat = True
        return "the order of the next weights"

    def dense(self, label: str, weight: np.ndarray, bias: np.ndarray) -> str:
        """Add a fully connected layer, weights (outputs, inputs); return what it becomes."""
        if not self._flat and self.shape[1:] != (1, 1):
            raise ValueError(f"it takes a vector, the map before it is {self.shape}: a Flatten is missing")
        return self.weights(label, dense(weight, bias, self.shape))

    def weights(self, label: str, operator: Operator) -> str:
        """Add a layer with weights of its own; return what it becomes."""
        self._label, self._flat = self._label or label, False
        return ("weights, one convolution with the nodes before" if self._add(operator) else "weights")

    def fold(self, operator: Operator) -> str:
        """Add an operator without weights of its own; return what it becomes."""
        self._flat = self._flat and operator.shape == operator.source  # A pool is one of a map.
        return "folded into the weights" if self._add(operator) else "folded into the next weights"

    def _add(self, operator: Operator) -> bool:
        """Fold an operator into those since the last neurons; return whether there were any."""
        for key, values in (("weight", operator.weight), ("bias", operator.bias)):
            if not np.isfinite(values).all():
                raise ValueError(f"{key} has a value that is not finite")
        before = self._operator
        self._operator = operator if before is None else before.then(operator)
        return before is not None

    def pool(self, pooling: Pooling) -> str:
        """Add a maximum of spikes over windows; return what it becomes."""
        if not self.spikes:
            raise ValueError("a maximum of currents has no exact counterpart, only one of spikes: have it behind the "
                             "neurons, or average, and train again")
        try:
            pooling.verify("it", self.shape)
        except NetworkError as error:
            raise ValueError(str(error)) from error
        self._stages[-1], self._flat = self._stages[-1].pooled(pooling), False
        return "a spike wherever the window has one"

    def neurons(
        self, label: str, neuron: ImportedNeuron, gain: np.ndarray | float = 1.0, added: np.ndarray | float = 0.0
    ) -> None:
        """Add neurons whose current is ``gain`` times their input and ``added``, of each channel or of all."""
        operator = self._operator
        if operator is None:  # Neurons that read spikes as they are.
            operator = scaling(np.ones(self.shape[0]), np.zeros(self.shape[0]), self.shape)
        operator = operator.scaled(gain, added)
        self._stages.append(Stage(name=self._label or label, operator=operator, neuron=neuron))
        self._operator, self._label = None, ""

    def chain(self, rows: list[tuple[str, str, str]]) -> Chain:
        """Return the chain; ``rows`` are what was read, (node, what it is, what it becomes)."""
        stages = list(self._stages)
        if self._operator is not None:
            stages.append(Stage(name=self._label, operator=self._operator, neuron=None))
            answer = ("(output)", "sums of the last weights", "added up over all steps")
        else:
            answer = ("(output)", "spikes of the last neurons", "counted over all steps")
        if not stages:
            raise NetworkError("the network has no weights")
        return Chain(source=self.source, stages=stages, rows=[*rows, answer])
