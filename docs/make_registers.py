"""Write docs/registers.md from the tables in spikeplane_hw: `python docs/make_registers.py`."""

import ast
import inspect
from pathlib import Path

from spikeplane_hw import descriptor, frame, memory_map
from spikeplane_hw.config import CONFIGS
from spikeplane_hw.frame import Command, Status
from spikeplane_hw.memory_map import Control, Counter, Register, Space

PAGE = Path(__file__).with_name("registers.md")


def member_notes(enumeration) -> dict[str, str]:
    """Return the docstring under each member of an enumeration."""
    (definition,) = ast.parse(inspect.getsource(enumeration)).body
    notes, name = {}, None
    for statement in definition.body:
        if isinstance(statement, ast.Assign):
            name = statement.targets[0].id
        elif name and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            notes[name] = " ".join(statement.value.value.split())
    return notes


def table(enumeration, columns=()) -> list[str]:
    """Return a Markdown table of an enumeration: value, name, further columns, note."""
    notes = member_notes(enumeration)
    heads = [head for head, _ in columns]
    lines = [
        "| " + " | ".join(["value", "name", *heads, "meaning"]) + " |",
        "| " + " | ".join(["---:", "---", *("---:" for _ in heads), "---"]) + " |",
    ]
    for member in enumeration:
        cells = [str(member.value), member.name, *(get(member) for _, get in columns)]
        lines.append("| " + " | ".join([*cells, notes.get(member.name, "")]) + " |")
    return lines


def fields(layout) -> list[str]:
    """Return a Markdown table of a struct layout."""
    lines = ["| field | first bit | bits |", "| --- | ---: | ---: |"]
    return lines + [f"| {name} | {field.offset} | {field.width} |" for name, field in layout]


def page() -> str:
    """Return the whole page."""
    def size(config):
        spaces = memory_map.memory_map(config)
        return lambda space: f"{spaces[space].depth} x {spaces[space].width}" if space in spaces else "-"

    columns = [(f"{name} (words x bits)", size(config)) for name, config in CONFIGS.items()]
    small = CONFIGS["small"]
    lines = [
        "# Registers, memories and the host link",
        "",
        "Made by `python docs/make_registers.py`; do not edit. A test fails if this page is stale.",
        "",
        "## Spaces", "", *table(Space, columns),
        "", "## Registers", "", *table(Register),
        "", "## Control", "", *table(Control),
        "", "## Counters of a layer", "", *table(Counter),
        "", "## Layer descriptor", "",
        f"Widths are those of the configuration `{small.name}`; descriptor.py says what each field means.",
        "", *fields(descriptor.layer_layout(small)),
        "", "## Term descriptor", "", "Those of a layer's terms follow its own.",
        "", *fields(descriptor.term_layout(small)),
        "", "## Plane pass", "", *fields(descriptor.pass_layout(small)),
        "", "## Event", "", *fields(descriptor.event_layout()),
        "", "## Host link", "",
        f"A frame is a header, a payload of whole words (at most {frame.PAYLOAD_LIMIT} bytes in a request), and the "
        f"CRC-32 of both ({frame.CRC_BYTES} bytes), little-endian, between SLIP delimiters (RFC 1055). The host "
        "repeats a request until its reply comes; the device executes a sequence number once.",
        "", "Commands:", "", *table(Command),
        "", "Statuses of a reply:", "", *table(Status),
        "", "Header of a request:", "", *fields(frame.request_layout()),
        "", "Header of a reply:", "", *fields(frame.reply_layout()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
