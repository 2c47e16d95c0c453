import importlib.util
from dataclasses import replace
from pathlib import Path

from spikeplane_hw.config import SMALL
from spikeplane_hw.memory_map import Space, memory_map, register_map_hash

DOCS = Path(__file__).parents[2] / "docs"


def test_page_is_up_to_date():
    spec = importlib.util.spec_from_file_location("make_registers", DOCS / "make_registers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "registers.md").read_text() == module.page(), "run python docs/make_registers.py"


def test_hash_follows_the_map():
    other = replace(SMALL, spike_depth=SMALL.spike_depth * 2)
    assert memory_map(other)[Space.SPIKES].depth == SMALL.spike_depth * 2
    assert register_map_hash(other) != register_map_hash(SMALL)
