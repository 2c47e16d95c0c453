"""Registries: parts by their names, from Spikeplane itself, from Python, or from installed packages.

A package of one's own offers a part by an entry point, whose group is ``spikeplane.`` and the kind in
the plural, in its pyproject.toml::

    [project.entry-points."spikeplane.neurons"]
    my_neuron = "my_package.neurons:MyNeuron"

Only what is installed is ever imported: names in recipes and files are looked up here.
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Generic, TypeVar

__all__ = ["PluginError", "Registry"]

Part = TypeVar("Part")


class PluginError(ValueError):
    """An installed plugin cannot be used; the message names it, its package and the reason."""


class Registry(Mapping[str, Part], Generic[Part]):
    """Parts of one kind by name; a mapping whose plugins are imported when they are asked for.

    ``kind`` is what errors call a part, as "neuron"; ``parts`` are Spikeplane's own.
    """

    def __init__(self, kind: str, parts: Mapping[str, Part]):
        self.kind = kind
        self._parts = dict(parts)

    @property
    def group(self) -> str:
        """The group of entry points that offer such parts."""
        plural = "es" if self.kind.endswith("s") else "s"
        return f"spikeplane.{self.kind.replace(' ', '_')}{plural}"

    def register(self, name: str, part: Part) -> Part:
        """Add a part; a ValueError says if there is one of this name."""
        if name in self:
            raise ValueError(f"{self.kind} {name!r}: there is one of this name already")
        self._parts[name] = part
        return part

    def unregister(self, name: str) -> None:
        """Remove a part that was registered; a KeyError says if there is none."""
        del self._parts[name]

    def __getitem__(self, name: str) -> Part:
        if name not in self._parts:
            found = [point for point in entry_points(group=self.group) if point.name == name]
            if not found:
                raise KeyError(name)
            self._parts[name] = self._load(found)
        return self._parts[name]

    def find(self, name: str, where: str) -> Part:
        """Return a part; a ValueError that begins with ``where``, a recipe's key, lists the names."""
        if name not in self:
            raise ValueError(f"{where} must be one of {', '.join(self)}, not {name!r}")
        return self[name]

    def __contains__(self, name: object) -> bool:
        return name in self._parts or any(point.name == name for point in entry_points(group=self.group))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._parts, *(point.name for point in entry_points(group=self.group))}))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _load(self, points: list) -> Part:
        packages = [point.dist.name if point.dist else "an unknown package" for point in points]
        what = f"{self.kind} {points[0].name!r} of {' and '.join(packages)}"
        if len(points) > 1:
            raise PluginError(f"{what}: several packages offer this name; uninstall all but one")
        try:
            return points[0].load()
        except Exception as error:  # Whatever a foreign module raises while it is imported.
            raise PluginError(f"{what} ({points[0].value}) cannot be imported: {error!r}") from error
