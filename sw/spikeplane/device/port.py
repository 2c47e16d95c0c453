"""Finds at which baud rate a board on a serial port answers."""

from .session import NoAnswerError, Session
from .transport import SerialTransport

__all__ = ["BAUDS", "open_port"]

BAUDS = (3_000_000, 1_000_000)
"""Rates of the bitstreams that boards have."""
ANSWER, ATTEMPTS = 0.1, 2
"""Seconds for an answer to be there, and how often it is asked for."""


def open_port(port: str, baud: int | None = None) -> SerialTransport:
    """Return a transport to the board on ``port``, at ``baud`` or at the first of BAUDS at which it answers.

    A NoAnswerError says that it answers at none, a TransportError that the port cannot be opened.
    """
    if baud is not None:
        return SerialTransport(port, baud)
    for rate in BAUDS:
        transport = SerialTransport(port, rate)
        try:
            Session(transport, timeout=ANSWER, attempts=ATTEMPTS).open()
        except NoAnswerError:
            transport.close()
        except BaseException:
            transport.close()
            raise
        else:
            return transport
    rates = " and ".join(f"{rate:,}" for rate in BAUDS)
    raise NoAnswerError(f"serial port {port}: no board answers at {rates} baud (is it powered, programmed and not in "
                        f"use? --baud names another rate)")
