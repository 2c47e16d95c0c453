from dataclasses import replace

import pytest
from amaranth.lib import data, enum
from configs import NARROW
from spikeplane_hw import frame, identity, memory_map, neuron
from spikeplane_hw.config import LARGE, SMALL
from spikeplane_hw.identity import interface_hash, shared

LAYOUTS = {
    "layer_layout": identity, "term_layout": identity, "load_layout": identity, "pass_layout": identity,
    "collect_layout": identity, "move_layout": identity, "event_layout": identity,
    "parameter_layout": identity, "request_layout": frame, "reply_layout": frame,
}


def swaps(layout):
    """Yield names of neighbours, and the layout with the two swapped."""
    fields = list(layout.members.items())
    for index in range(len(fields) - 1):
        swapped = list(fields)
        swapped[index : index + 2] = swapped[index + 1], swapped[index]
        yield (fields[index][0], fields[index + 1][0]), data.StructLayout(dict(swapped))


@pytest.mark.parametrize("name", LAYOUTS)
def test_swapping_two_fields_of_a_layout_changes_the_hash(name, monkeypatch):
    before, layout_of = interface_hash(LARGE), getattr(LAYOUTS[name], name)
    takes_config = LAYOUTS[name] is identity and name not in ("event_layout", "parameter_layout")
    layout = layout_of(LARGE) if takes_config else layout_of()
    hashes = {before}
    for names, swapped in swaps(layout):
        monkeypatch.setattr(LAYOUTS[name], name, lambda *_, swapped=swapped: swapped)
        assert interface_hash(LARGE) not in hashes, names
        hashes.add(interface_hash(LARGE))
    monkeypatch.undo()
    assert interface_hash(LARGE) == before


def test_a_sign_changes_the_hash(monkeypatch):
    before = interface_hash(SMALL)
    layout = data.StructLayout({"multiplier": neuron.MULTIPLIER_WIDTH, "offset": neuron.OFFSET_WIDTH})
    monkeypatch.setattr(identity, "parameter_layout", lambda: layout)
    assert interface_hash(SMALL) != before


@pytest.mark.parametrize("enumeration", identity.ENUMERATIONS, ids=lambda e: e.__name__)
def test_swapping_two_members_of_an_enumeration_changes_the_hash(enumeration, monkeypatch):
    before = interface_hash(SMALL)
    names, values = zip(*((name, member.value) for name, member in enumeration.__members__.items()), strict=True)
    swapped = enum.Enum(enumeration.__name__, dict(zip(names, (values[1], values[0], *values[2:]), strict=True)))
    others = tuple(swapped if e is enumeration else e for e in identity.ENUMERATIONS)
    monkeypatch.setattr(identity, "ENUMERATIONS", others)
    assert interface_hash(SMALL) != before


@pytest.mark.parametrize("module, name", [(module, name) for module, names in identity.NUMBERS for name in names],
                         ids=lambda value: value if isinstance(value, str) else "")
def test_another_number_changes_the_hash(module, name, monkeypatch):
    before, value = interface_hash(SMALL), getattr(module, name)
    monkeypatch.setattr(module, name, value[::-1] if isinstance(value, tuple) else value + 1)
    assert interface_hash(SMALL) != before


def test_the_hash_follows_the_memories():
    other = replace(SMALL, spike_depth=SMALL.spike_depth * 2)
    assert interface_hash(other) != interface_hash(SMALL) != interface_hash(NARROW)


def test_all_that_is_shared_is_named():
    assert set(shared(SMALL)) == {
        "layer", "term", "load", "pass", "event", "parameter", "request", "reply", "Command", "Status", "Space",
        "Register", "Control", "Counter", "Reset", "Job", "memories", "numbers",
    }
    assert memory_map.Control.STOP in memory_map.Control
