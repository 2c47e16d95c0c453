"""The integer network: a graph of nodes, what a trained network is exported to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .checks import NetworkError, verify_integers
from .input import INPUT, InputFormat
from .maps import MapFormat, Maps
from .node import Node

__all__ = ["IntegerNetwork"]

LOGIT_OFFSET_BITS = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerNetwork:
    """A whole network in integers. ``verify()`` names the first thing that is wrong."""

    input: InputFormat
    nodes: Sequence[Node]
    """Each after the nodes that it reads."""
    logit_offset: np.ndarray
    """int64 (classes,), added to the summed logits once a recording (the classifier's bias)."""
    logit_scale: float = 1.0
    """Logits in the units of the trained network: ``logit_scale * (sums + logit_offset)``."""
    metadata: dict = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of the nodes, in their order."""
        return [node.name for node in self.nodes]

    @property
    def clipped(self) -> dict[str, tuple[int, int]]:
        """How many multipliers of each node are at their limit, and of how many."""
        return {node.name: node.clipped for node in self.nodes}

    def maps(self) -> Maps:
        """Return all maps by name: the input and the output of every node that makes one."""
        maps = self._input_map()
        for node in self.nodes:
            made = node.output(maps)
            if made is not None:
                maps[node.name] = made
        return maps

    def _input_map(self) -> Maps:
        form = self.input
        return {INPUT: MapFormat(
            channels=form.channels, height=form.height, width=form.width, bits=form.bits,
            replayed=form.direct,
        )}

    def readers(self) -> dict[str, list[Node]]:
        """Return who reads each map, by its name."""
        readers: dict[str, list[Node]] = {name: [] for name in self.maps()}
        for node in self.nodes:
            for source in node.sources:
                readers[source].append(node)
        return readers

    @property
    def heads(self) -> list[Node]:
        """The nodes that add to the logits."""
        maps = self.maps()
        return [node for node in self.nodes if node.name not in maps]

    def verify(self) -> None:
        """Raise a NetworkError naming the node, the value and the limit if a rule is broken."""
        self.input.verify()
        if not self.nodes:
            raise NetworkError("the network has no layers")
        for node in self.nodes:
            if not isinstance(node, Node):
                raise NetworkError(f"a node of the network is {node!r}")
            if not isinstance(node.name, str) or not node.name:
                raise NetworkError(f"layer {node.name!r}: a name must be a text that is not empty")
            node.verify_types()
        self._verify_order()
        maps = self._input_map()
        classes: dict[str, int] = {}
        for node in self.nodes:
            node.verify(maps)
            made = node.output(maps)
            if made is None:
                classes[node.name] = node.logit_count(maps)
            else:
                maps[node.name] = made
        self._verify_logits(classes)

    def _verify_order(self) -> None:
        """Raise a NetworkError where names or sources make no graph, in the order of the nodes."""
        names, known = self.names, {INPUT}
        for node in self.nodes:
            if names.count(node.name) > 1:
                raise NetworkError(f"layer {node.name!r}: {names.count(node.name)} layers have this name")
            if node.name == INPUT:
                raise NetworkError(f"layer {INPUT!r}: the input of the network has this name")
        for node in self.nodes:
            for source in node.sources:
                if source in known:
                    continue
                if source not in names:
                    raise NetworkError(f"{node.where}: source {source!r} is no map; there are {INPUT}, "
                                       f"{', '.join(names)}")
                if self._reaches(source, node.name):
                    raise NetworkError(f"{node.where}: it reads {source!r}, which reads it again: the network "
                                       f"has a cycle")
                raise NetworkError(f"{node.where}: it reads {source!r}, which comes after it; put a node behind "
                                   f"all that it reads")
            known.add(node.name)

    def _reaches(self, name: str, target: str) -> bool:
        """Return whether node ``name`` depends on node ``target``."""
        sources = {node.name: node.sources for node in self.nodes}
        seen, left = set(), [name]
        while left:
            each = left.pop()
            if each == target:
                return True
            if each not in seen:
                seen.add(each)
                left += sources.get(each, ())
        return False

    def _verify_logits(self, classes: dict[str, int]) -> None:
        if not classes:
            raise NetworkError(f"layer {self.names[-1]!r}: no layer adds to the logits; the last one must be a "
                               f"classifier")
        first, count = next(iter(classes.items()))
        for name, found in classes.items():
            if found != count:
                raise NetworkError(f"layer {name!r}: it adds to {found} logits, {first!r} to {count}")
        used = {source for node in self.nodes for source in node.sources} | set(classes)
        for name in self.names:
            if name not in used:
                raise NetworkError(f"layer {name!r}: nothing reads it")
        verify_integers("logit_offset", self.logit_offset, (count,), LOGIT_OFFSET_BITS)
        scale = self.logit_scale
        if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale < float("inf"):
            raise NetworkError(f"logit_scale must be finite and positive, not {scale!r}")
        if not isinstance(self.metadata, dict):
            raise NetworkError(f"metadata must be a table, not {self.metadata!r}")

