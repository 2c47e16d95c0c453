"""The command `spikeplane memory`."""

from typing import Annotated

import typer
from spikeplane_hw.config import CONFIGS

from ..output import output
from .options import config_named

__all__ = ["EXAMPLE", "memory"]

EXAMPLE = "Example: spikeplane memory --port /dev/ttyUSB0"


def memory(
    port: Annotated[str | None, typer.Option(help="Serial port of the board.")] = None,
    config: Annotated[str | None, typer.Option(help="Without a port: the simulated board's configuration.")] = None,
    bursts: Annotated[int | None, typer.Option(min=1, help="Test the first so many of 16 bytes; default: all.")] = None,
    baud: Annotated[int | None, typer.Option(help="Of the bitstream; default: at which it answers.")] = None,
) -> None:
    """Test the memory outside the chip: every burst is written and read twice. What it holds is lost."""
    from ..device.driver import Driver
    from ..device.external_memory import check_memory
    from ..device.port import open_port
    from ..device.simulated import SimulatedTransport

    if (port is None) == (config is None):
        raise typer.BadParameter("name one of --port, a board, and --config, the simulated one's")
    if port is not None:
        driver = Driver(open_port(port, baud))
    else:
        chosen = config_named(config or "")
        if not chosen.external_depth:
            raise ValueError(f"{chosen.name} has no memory outside the chip; these have: "
                             + ", ".join(each.name for each in CONFIGS.values() if each.external_depth))
        driver = Driver(SimulatedTransport(chosen), chosen)
    with driver:
        tested = check_memory(driver, bursts)
    output.show(f"{tested:,} bursts of 16 bytes hold what is written", bursts=tested)
