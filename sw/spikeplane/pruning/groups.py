"""Groups of channels that can only be removed together, and everything that has an axis of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..training.net.layers import ResidualBlock
from ..training.net.names import inner_name
from ..training.net.networks import LayerRecipe, SpikingNetwork

__all__ = ["ChannelGroup", "find_groups"]


@dataclass(kw_only=True, eq=False)
class ChannelGroup:
    """Channels of one map, or of several that shortcuts add up channel by channel."""

    name: str
    """Of the first map."""
    channels: int
    base: "ChannelGroup | None" = None
    """The group whose channels a shortcut with silent channels puts ahead of these: they are a part of these."""
    maps: list[str] = field(default_factory=list)
    """Names of the spikes."""
    producers: list[str] = field(default_factory=list)
    """Modules that have them as outputs."""
    consumers: list[str] = field(default_factory=list)
    """Modules that have them as inputs."""
    fields: list[tuple[str, str]] = field(default_factory=list)
    """(layer, key) of the recipe that hold how many there are."""

    @property
    def layers(self) -> list[str]:
        """The layers whose channels these are."""
        return list(dict.fromkeys(name for name, _ in self.fields))


def find_groups(network: SpikingNetwork, layers: Sequence[LayerRecipe]) -> list[ChannelGroup]:
    """Return the groups of ``network``, which was made from ``layers``, each behind its base."""
    groups: list[ChannelGroup] = []
    current: ChannelGroup | None = None

    def begin(name: str, producers: list[str], layer: str, key: str, base: ChannelGroup | None = None) -> ChannelGroup:
        group = ChannelGroup(
            name=name, channels=network.neuron_shapes[name][0], base=base, maps=[name], producers=producers,
            fields=[(layer, key)],
        )
        groups.append(group)
        return group

    for layer in layers:
        path = f"layers.{layer.name}"
        if layer.kind == "pool":
            continue
        if layer.kind != "block":
            if current is not None:
                current.consumers.append(path)
            if layer.kind != "classifier":
                current = begin(layer.name, [path], layer.name, "channels")
            continue
        block = network.layers[layer.name]
        assert isinstance(block, ResidualBlock) and current is not None
        current.consumers.append(f"{path}.conv1")
        inner = begin(inner_name(layer.name), [f"{path}.conv1"], layer.name, "inner_channels")
        inner.consumers.append(f"{path}.conv2")
        if hasattr(block.shortcut, "weight"):
            current.consumers.append(f"{path}.shortcut")
            current = begin(layer.name, [f"{path}.conv2", f"{path}.shortcut"], layer.name, "channels")
        elif layer.stride == 1 and layer.channels == current.channels:
            current.maps.append(layer.name)
            current.producers.append(f"{path}.conv2")
            current.fields.append((layer.name, "channels"))
        else:
            current = begin(layer.name, [f"{path}.conv2"], layer.name, "channels", base=current)
    return groups
