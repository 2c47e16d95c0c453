"""The simulated board: the device's own Verilog, compiled to machine code, behind a Transport."""

import ctypes
from pathlib import Path
from typing import Self

from spikeplane_hw.config import CoreConfig
from spikeplane_hw.sdram_model import Violation
from spikeplane_hw.simulated_device import CLOCK

from .build_folder import cache_folder
from .transport import TransportError
from .verilate import build_library

__all__ = ["SimulatedTransport"]

RECEIVE_ROOM = 1 << 16
EXCHANGE_LIMIT = 1 << 20
"""Cycles a device may take for what was sent before control returns to Python."""
REST_LIMIT = 1 << 20
"""Cycles that pass at most in one rest."""


class SimulatedTransport:
    """A Transport to a simulated device that runs only while there is work.

    ``config`` is the core's; ``device`` another component with the members of
    :class:`spikeplane_hw.device.Device`. The compiled device is kept in ``build_directory``, by
    default :func:`.build_folder.cache_folder`; ``library``, one that :func:`.verilate.compile_library` made,
    is taken as it is.
    With ``waves``, a path, every signal is traced to that file (VCD).
    """

    def __init__(
        self,
        config: CoreConfig,
        build_directory: Path | None = None,
        waves: Path | None = None,
        device=None,
        library: Path | None = None,
    ):
        if library is None:
            directory = cache_folder() if build_directory is None else Path(build_directory)
            component = config if device is None else device
            library = build_library(component, directory, waves=waves is not None, label=config.name)
        self._library = _load(library)
        self._board = self._library.board_open(None if waves is None else str(waves).encode())
        self._pending = b""
        self._received = b""  # during pauses
        self._buffer = ctypes.create_string_buffer(RECEIVE_ROOM)
        self._taken = ctypes.c_uint32()

    @property
    def cycles(self) -> int:
        """Clock cycles simulated so far."""
        return self._library.board_cycles(self._handle)

    def stall(self, seed: int, share: float) -> None:
        """Stall both byte streams in ``share`` of the cycles, at random; a ``seed`` of 0 ends it."""
        self._library.board_stall(self._handle, seed, round(share * 256))

    def write(self, content: bytes) -> None:
        self._pending += content

    def read(self, timeout: float) -> bytes:
        """Return all that the device answers to what was written; real time does not matter."""
        received, self._received = self._received, b""
        return received + self._exchange()

    def pause(self, seconds: float) -> None:
        """Run the device until it has taken what was written and its core is done, or for REST_LIMIT cycles."""
        self._received += self._exchange()
        self.rest(seconds)

    def _exchange(self) -> bytes:
        count = self._library.board_exchange(
            self._handle, self._pending, len(self._pending), ctypes.byref(self._taken),
            self._buffer, RECEIVE_ROOM, EXCHANGE_LIMIT,
        )
        self._pending = self._pending[self._taken.value :]
        self._check()
        return ctypes.string_at(self._buffer, count)

    def rest(self, seconds: float) -> None:
        """Run the device until its core is done, or for REST_LIMIT cycles."""
        self.advance(REST_LIMIT)

    def advance(self, cycles: int) -> None:
        """Run the device until its core is done, or for ``cycles`` cycles."""
        self._library.board_rest(self._handle, cycles)
        self._check()

    def close(self) -> None:
        if self._board is not None:
            self._library.board_close(self._board)
            self._board = None

    def _check(self) -> None:
        """Raise a TransportError if the memory outside the chip was not used as its data sheet says."""
        code = self._library.board_violation(self._handle)
        if code:
            raise TransportError(f"the controller broke a rule of its memory chip at {CLOCK / 1e6:g} MHz: "
                                 f"{Violation(code).name}")

    @property
    def _handle(self) -> int:
        if self._board is None:
            raise TransportError("the simulated board is closed")
        return self._board

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path.resolve()))
    pointer, word, count = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32
    signatures = {
        "board_open": (pointer, [ctypes.c_char_p]),
        "board_close": (None, [pointer]),
        "board_cycles": (word, [pointer]),
        "board_stall": (None, [pointer, word, count]),
        "board_exchange": (count, [
            pointer, ctypes.c_char_p, count, ctypes.POINTER(count), ctypes.c_char_p, count, word,
        ]),
        "board_violation": (count, [pointer]),
        "board_rest": (ctypes.c_int, [pointer, word]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
