import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.usefixtures("syntax_trees")
def test_page_is_up_to_date():
    spec = importlib.util.spec_from_file_location("make_registers", DOCS / "make_registers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "registers.md").read_text() == module.page(), "run python docs/make_registers.py"
