"""A board from outside the package, in one file."""

import pytest
from spikeplane import cli
from spikeplane.boards import BOARDS
from spikeplane_boards import build
from typer.testing import CliRunner

own_board = pytest.importorskip("own_board", reason="the boards' pins come from amaranth-boards")


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    own_board.register()
    yield
    BOARDS.unregister("icesugar")


def test_commands_know_the_board(registered, tmp_path, monkeypatch):
    shown = CliRunner().invoke(cli.app, ["info", "boards"]).output
    assert "tiny core at 18 MHz" in next(line for line in shown.splitlines() if "icesugar" in line)
    plans = []
    # The tools take minutes; what they would be given is made all the same.
    monkeypatch.setattr(build, "run", lambda plan, directory, echo: plans.append(plan))
    CliRunner().invoke(cli.app, ["bitstream", "icesugar", "--directory", str(tmp_path)])
    (plan,) = plans
    constraints = plan.files["top.pcf"]
    assert "set_frequency clock 18.0" in constraints and "set_io uart_0__rx__io 4" in constraints


def test_without_it_the_board_is_unknown():
    result = CliRunner().invoke(cli.app, ["bitstream", "icesugar"])
    assert result.exit_code == 2 and "icesugar" in result.output
