"""Which family a board's FPGA is of, and that a board of another one is refused."""

from pathlib import Path

import pytest
from amaranth.vendor import QuicklogicPlatform
from spikeplane.boards import BOARDS
from spikeplane_boards.families import ECP5, GOWIN, ICE40, family_of
from spikeplane_boards.tools import environment, versions

pytest.importorskip("amaranth_boards", reason="the boards' pins come from amaranth-boards")


def test_families_of_boards():
    families = {name: family_of(board.platform()) for name, board in BOARDS.items()}
    assert families.pop("tang-nano-20k") is GOWIN
    assert families.pop("icebreaker") is ICE40
    assert families and all(family is ECP5 for family in families.values())


def test_other_families_are_refused():
    class Other(QuicklogicPlatform):
        """An FPGA whose tools do not come as packages."""

        device, package, resources, connectors = "ql-eos-s3_wlcsp", "PU64", [], []

    with pytest.raises(ValueError, match=r"^the FPGA of Other must be of ECP5, iCE40, Gowin$"):
        family_of(Other())


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_tools(board, tmp_path):
    """Every program that a build script asks for is one that a package brings along."""
    platform = board.platform()
    family, variables = family_of(platform), environment(tmp_path)
    assert set(family.packages) <= set(versions(platform))
    # openFPGALoader comes with the system, and no build needs it.
    asked = {tool.upper().replace("-", "_") for tool in platform.required_tools if tool != "openFPGALoader"}
    assert asked == {"YOSYS", *family.tools}
    assert all(Path(variables[name]).is_file() for name in asked)
