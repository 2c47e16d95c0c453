"""What every file of ours shares: safetensors whose metadata is one JSON text, read without trust.

Sizes are checked before anything of that size is read, and nothing is executed. The text is canonical: the same
values always make the same text, and a reader refuses another one.
"""

import json
import math
from pathlib import Path
from typing import Any

__all__ = ["DEPTH_LIMIT", "KEY", "FileError", "header_text", "parse_header", "read_file"]

KEY = "spikeplane"
"""The one entry of the metadata."""
DEPTH_LIMIT = 100
"""Lists and tables within each other in a header; the interpreter's own limit depends on its version."""
LENGTH_BYTES = 8
"""Of the length of a safetensors header, ahead of it."""
HEADER_LIMIT = 100_000_000
"""Bytes of a safetensors header; the format's own limit."""


class FileError(ValueError):
    """A file cannot be used; the message names the reason, not the file."""


def read_file(path: Path) -> tuple[bytes, str]:
    """Return the bytes of a safetensors file and the text that Spikeplane wrote into its metadata.

    Raises a FileError if there is no such file, if it is shorter or longer than its header says, or if its
    metadata is not one text of ours.
    """
    try:
        if not path.exists():
            raise FileError("no such file")
        if path.is_dir():
            raise FileError("is a folder; name a file")
        if not path.is_file():
            raise FileError("is a device or a pipe; name a file")
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(LENGTH_BYTES)
            length = int.from_bytes(start, "little")
            if len(start) < LENGTH_BYTES or length > min(size - LENGTH_BYTES, HEADER_LIMIT):
                raise FileError(
                    f"truncated, or not a safetensors file: its header would take {length} of {size} bytes"
                )
            header = file.read(length)
            text = _check_layout(header, size - LENGTH_BYTES - length)
            return start + header + file.read(), text
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}") from error


def _check_layout(header: bytes, size: int) -> str:
    """Return our text in a safetensors header whose tensors must fill ``size`` bytes."""
    try:
        entries = json.loads(header)
        metadata = entries.pop("__metadata__", None)
        end = 0
        for entry in entries.values():
            first, last = entry["data_offsets"]
            if not all(type(number) is int and number >= 0 for number in (first, last, *entry["shape"])):
                raise FileError("not a safetensors file: a size in its header is no natural number")
            # An empty tensor of a huge shape takes no byte, yet whoever computes with it may take many.
            if math.prod(max(1, side) for side in entry["shape"]) > max(1, size):
                raise FileError(f"not a safetensors file: a tensor of shape {entry['shape']} in {size} bytes")
            end = max(end, last)
    except FileError:
        raise
    except RecursionError:
        raise FileError("not a safetensors file: its header is nested too deep") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"truncated, or not a safetensors file: its header is no table of tensors ({error})"
                        ) from error
    if end != size:
        raise FileError(f"truncated, or not a safetensors file: its tensors take {end} bytes, it has {size}")
    if not isinstance(metadata, dict) or set(metadata) != {KEY} or not isinstance(metadata[KEY], str):
        raise FileError("a safetensors file, but not written by Spikeplane")
    return metadata[KEY]


def header_text(header: dict) -> str:
    """Return the canonical text of ``header``, values of JSON; a FileError says what of it has none."""
    _check_depth(header)
    try:
        return json.dumps(header, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise FileError(f"the header is no JSON: {error}") from error


def parse_header(text: str) -> dict[str, Any]:
    """Return the header in a text of :func:`read_file`.

    A FileError says if it is no table, nested too deep, or not the text that :func:`header_text` makes of it.
    """
    try:
        header = json.loads(text)
    except RecursionError:
        raise FileError(f"the header is nested too deep, limit {DEPTH_LIMIT}") from None
    except ValueError as error:
        raise FileError(f"the header is not readable: {error}") from error
    if not isinstance(header, dict):
        raise FileError(f"the header is not readable: it is no table but {type(header).__name__}")
    _check_depth(header)
    # Files of 2026-11 hold the text that json.dumps makes of the same values in their first order.
    if text not in (header_text(header), json.dumps(header)):
        raise FileError("damaged or altered: the header is not in the form in which Spikeplane writes it")
    return header


def _check_depth(header: dict) -> None:
    level: list[Any] = [header]
    for _ in range(DEPTH_LIMIT):
        level = [
            child for each in level if isinstance(each, dict | list | tuple)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise FileError(f"the header is nested too deep, limit {DEPTH_LIMIT}")
