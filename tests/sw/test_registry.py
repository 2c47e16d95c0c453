"""Parts by their names, from Python and from installed packages."""

import sys

import pytest
from spikeplane.registry import PluginError, Registry
from spikeplane.training.net.neurons import NEURONS
from spikeplane.training.recipe.recipes import RecipeError, load_recipe

MODULE = """
from dataclasses import dataclass
from spikeplane.training.net.lif import LIF, LeakyOptions

@dataclass(frozen=True, kw_only=True)
class Options(LeakyOptions):
    leak: float = 0.25

class Forgetful(LIF):
    options = Options
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a package with a module and its entry points."""
    monkeypatch.syspath_prepend(tmp_path)
    modules = set(sys.modules)

    def install(package: str, module: str, text: str, points: str) -> None:
        (tmp_path / f"{module}.py").write_text(text)
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points)

    yield install
    for name in set(sys.modules) - modules:
        if name.startswith("plugin_"):
            del sys.modules[name]


def test_parts_of_ones_own():
    registry = Registry("input format", {"a": 1})
    assert registry.register("b", 2) == 2 and dict(registry) == {"a": 1, "b": 2} and len(registry) == 2
    with pytest.raises(ValueError, match="input format 'a': there is one of this name already"):
        registry.register("a", 3)
    with pytest.raises(ValueError, match=r"training\.x must be one of a, b, not 'c'"):
        registry.find("c", "training.x")
    registry.unregister("b")
    assert "b" not in registry and list(registry) == ["a"]
    with pytest.raises(KeyError):
        registry["b"]
    assert registry.group == "spikeplane.input_formats" and Registry("loss", {}).group == "spikeplane.losses"
    assert NEURONS.group == "spikeplane.neurons"


def test_an_installed_neuron_is_known_to_recipes(install):
    install("spikes-of-mine", "plugin_forgetful", MODULE,
            "[spikeplane.neurons]\nforgetful = plugin_forgetful:Forgetful\n")
    # Names alone import nothing.
    assert "forgetful" in NEURONS and "plugin_forgetful" not in sys.modules
    try:
        found = load_recipe("digits", ["neuron.dynamics=forgetful"])
        assert found.neuron.to_dict() == {
            "dynamics": "forgetful", "state_bits": 4, "levels": "tanh", "leak": 0.25, "reset": "hard",
        }
        assert type(found.layers[0].create_neurons(found.neuron)).__name__ == "Forgetful"
    finally:
        NEURONS.unregister("forgetful")
    with pytest.raises(RecipeError, match="must be one of forgetful, leaky, memory_free, not 'remembering'"):
        load_recipe("digits", ["neuron.dynamics=remembering"])


def test_a_plugin_that_fails_to_import_is_named(install):
    install("spikes-of-mine", "plugin_broken", "import nothing_of_this_name",
            "[spikeplane.neurons]\nbroken = plugin_broken:Neuron\n")
    # Those who do not ask for it do not see it.
    assert load_recipe("digits").neuron.dynamics == "leaky"
    with pytest.raises(RecipeError, match=r"override .*: neuron 'broken' of spikes-of-mine \(plugin_broken:Neuron\) "
                                          r"cannot be imported: ModuleNotFoundError.*nothing_of_this_name"):
        load_recipe("digits", ["neuron.dynamics=broken"])


def test_two_packages_of_one_name_are_refused(install):
    for package in ("one", "two"):
        install(package, f"plugin_{package}", MODULE, f"[spikeplane.neurons]\nsame = plugin_{package}:Forgetful\n")
    with pytest.raises(PluginError, match=r"neuron 'same' of (one and two|two and one): several packages offer"):
        NEURONS["same"]
