"""Parts by name: Spikeplane's own, registered ones, and those of installed packages."""

import sys

import pytest
from spikeplane.boards import BOARDS
from spikeplane.data.sets.datasets import DATASETS
from spikeplane.registry import PluginError, Registry

KIND = "test part"
GROUP = "spikeplane.test_parts"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a distribution of one module in a folder of its own on the path."""
    def install(name: str, points: dict[str, str], text: str = "", group: str = GROUP) -> None:
        folder = tmp_path / name
        information = folder / f"{name}-1.0.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{point} = {value}" for point, value in points.items()]
        (information / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
        (folder / f"{name}_module.py").write_text(text)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, f"{name}_module", raising=False)
    return install


@pytest.fixture
def registry():
    return Registry(KIND, {"own": 1, "another": 2})


def test_a_registry_is_a_mapping_in_order_of_names(registry):
    assert list(registry) == ["another", "own"] and len(registry) == 2
    assert dict(registry) == {"another": 2, "own": 1}
    assert "own" in registry and "absent" not in registry and 3 not in registry
    with pytest.raises(KeyError):
        registry["absent"]


def test_parts_are_registered_once(registry):
    assert registry.register("mine", 3) == 3 == registry["mine"]
    assert list(registry) == ["another", "mine", "own"]
    for name in ("mine", "own"):
        with pytest.raises(ValueError, match=f"^test part '{name}': there is one of this name already$"):
            registry.register(name, 4)
    registry.unregister("mine")
    assert "mine" not in registry
    with pytest.raises(KeyError):
        registry.unregister("mine")


def test_an_unknown_name_is_refused_with_the_known_ones(registry, install):
    assert registry.find("own", "layers.kind") == 1
    install("fine", {"fine_part": "fine_module:PART"}, "PART = 5")
    with pytest.raises(ValueError, match=r"^layers\.kind must be one of another, fine_part, own, not 'absent'$"):
        registry.find("absent", "layers.kind")


def test_a_part_of_an_installed_package_is_imported_when_it_is_asked_for(registry, install):
    install("fine", {"fine_part": "fine_module:PART.inner"}, "class PART:\n    inner = 7")
    assert list(registry) == ["another", "fine_part", "own"] and "fine_part" in registry
    assert "fine_module" not in sys.modules
    assert registry["fine_part"] == 7
    assert "fine_module" in sys.modules
    with pytest.raises(ValueError, match="there is one of this name already"):
        registry.register("fine_part", 3)


def test_spikeplanes_own_part_goes_before_a_package(registry, install):
    install("fine", {"own": "fine_module:PART"}, "PART = 5")
    assert registry["own"] == 1 and list(registry) == ["another", "own"]


@pytest.mark.parametrize(("value", "text", "reason"), [
    ("broken_module:PART", "import no_such_module", r"No module named 'no_such_module'"),
    ("broken_module:PART", "PART = 1 / 0", r"ZeroDivisionError\('division by zero'\)"),
    ("broken_module:PART", "", r"has no attribute 'PART'"),
    ("no_such_module:PART", "", r"No module named 'no_such_module'"),
])
def test_a_plugin_that_cannot_be_imported_is_named_with_its_package(registry, install, value, text, reason):
    install("broken", {"part": value}, text)
    with pytest.raises(PluginError, match=rf"^test part 'part' of broken \({value}\) cannot be imported: .*{reason}"):
        registry["part"]
    assert registry["own"] == 1 and "part" in registry


def test_a_name_of_two_packages_is_refused(registry, install):
    install("first", {"part": "first_module:PART"}, "PART = 1")
    install("second", {"part": "second_module:PART"}, "PART = 2")
    with pytest.raises(PluginError, match=r"^test part 'part' of (first and second|second and first): several pack"):
        registry["part"]


@pytest.mark.parametrize(("registry", "group"), [(DATASETS, "spikeplane.datasets"), (BOARDS, "spikeplane.boards")])
def test_groups_of_entry_points(registry, group, install, monkeypatch):
    monkeypatch.setattr(registry, "_parts", dict(registry._parts))
    install("fine", {"fine_part": "fine_module:PART"}, "PART = 5", group)
    assert registry.group == group and registry["fine_part"] == 5


def test_groups_are_named_by_plurals():
    assert Registry("loss", {}).group == "spikeplane.losses"
    assert Registry("test part", {}).group == "spikeplane.test_parts"
