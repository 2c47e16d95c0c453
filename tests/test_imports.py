"""Folders of the design import each other in one direction only."""

import ast
import gc
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SW = "sw/spikeplane"
PARTS = {
    "hw": "hw/spikeplane_hw", "boards": "boards/spikeplane_boards",
    **{name: f"{SW}/{name}" for name in (
        "network", "compiler", "device", "training/net", "training/recipe", "training/run", "reports", "pruning",
        "data/formats", "data/sets",
    )},
}
"""Folders by what they are called here."""
ROOTS = {"spikeplane_hw": "hw/spikeplane_hw", "spikeplane_boards": "boards/spikeplane_boards", "spikeplane": SW}
"""Folders of the packages that are imported by these names."""


@pytest.fixture(autouse=True, scope="module")
def no_simulations_left():
    """CPython 3.11 cannot build a syntax tree while it collects the coroutines of simulations that are over."""
    gc.collect()


def imported_paths(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the path, below ``root``, of every module of ours that a file imports.

    An imported name may be a module or a member of one: both are yielded as paths.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            names = [f"{prefix}{'' if prefix.endswith('.') else '.'}{alias.name}" for alias in node.names]
        elif is_import_call(node):
            names = [node.args[0].value]
        else:
            continue
        for name in names:
            level = len(name) - len(name.lstrip("."))
            first, *rest = name.lstrip(".").split(".")
            if level:
                yield node.lineno, "/".join([path.parents[level - 1].relative_to(root).as_posix(), first, *rest])
            elif first in ROOTS:
                yield node.lineno, "/".join([ROOTS[first], *rest])


def is_import_call(node: ast.AST) -> bool:
    """Return whether a node is a call of import_module with a name written out."""
    return (
        isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and bool(node.args)
        and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    )


def import_lines(root: Path) -> dict[tuple[str, str], list[str]]:
    """Return, by (importing part, imported part), the lines "file:line imports path"."""
    lines = defaultdict(list)
    for part, folder in PARTS.items():
        for path in sorted((root / folder).rglob("*.py")):
            for line, target in imported_paths(path, root):
                for other, where in PARTS.items():
                    if other != part and f"{target}/".startswith(f"{where}/"):
                        lines[part, other].append(f"{path.relative_to(root).as_posix()}:{line} imports {target}")
    return lines


def mutual_imports(root: Path) -> list[str]:
    """Return the import lines between parts that import each other."""
    lines = import_lines(root)
    return [line for (part, other), found in sorted(lines.items()) if (other, part) in lines for line in found]


def test_no_two_folders_import_each_other():
    found = mutual_imports(ROOT)
    assert not found, "folders that import each other:\n" + "\n".join(found)


def test_the_folders_are_there_and_used():
    lines = import_lines(ROOT)
    for name, folder in PARTS.items():
        assert list((ROOT / folder).glob("*.py")), folder
        assert any(name in pair for pair in lines), name


def test_hardware_imports_no_software():
    found = [
        f"{path.relative_to(ROOT).as_posix()}:{line} imports {target}"
        for part in ("hw", "boards") for path in sorted((ROOT / PARTS[part]).rglob("*.py"))
        for line, target in imported_paths(path, ROOT) if f"{target}/".startswith(f"{SW}/")
    ]
    assert not found, "hw and boards are to know nothing of sw:\n" + "\n".join(found)


@pytest.mark.parametrize("back", [
    "from ..device.driver import Driver", "import spikeplane.device.driver", "from .. import device",
    "def later():\n    from spikeplane.device import driver", "import_module('spikeplane.device.driver')",
])
def test_an_import_in_the_other_direction_is_named(tmp_path, back):
    for folder, text in ((f"{SW}/device", "from ..compiler.image import Image"), (f"{SW}/compiler", back)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "module.py").write_text(text)
    found = "\n".join(mutual_imports(tmp_path))
    assert f"{SW}/device/module.py:1 imports {SW}/compiler/image" in found
    assert f"{SW}/compiler/module.py:{back.count(chr(10)) + 1} imports {SW}/device" in found
