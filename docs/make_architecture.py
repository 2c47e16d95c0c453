"""Write docs/architecture.md and its picture from the elaborated core: `python docs/make_architecture.py`."""

import re
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from xml.sax.saxutils import escape

from amaranth.back import rtlil
from spikeplane_hw.config import LARGE
from spikeplane_hw.core import Core

PAGE = Path(__file__).with_name("architecture.md")
PICTURE = PAGE.parent / "pictures" / "architecture.svg"
CONFIG = replace(LARGE, name="pictured", lanes=8, banks=2, updates=1, weight_depth=256, spike_depth=256)
"""All blocks that a core may have; it is narrow only so that it elaborates in a second."""
LEAST_BITS = 4
"""What is narrower is a handshake, which the picture leaves out."""

PLACES = {
    "host": (0.5, 0), "registers": (1.8, 0), "program": (3.1, 0), "statistics": (4.9, 0),
    "planes": (0, 1.1), "places": (1.3, 1.1), "sequencer": (2.6, 1.1), "segments": (4.2, 1.1),
    "walker": (0, 2.2), "fetch": (1.3, 2.2), "passes": (2.25, 1.7), "banks": (3.0, 2.2), "lanes": (4.2, 2.2),
    "update": (5.4, 2.2),
    "row_flags": (0, 3.3), "spikes": (1.6, 3.3), "operand": (3.0, 3.3), "weights": (4.2, 3.3),
    "events": (0.5, 4.4), "mover": (3.0, 4.4), "external": (1.8, 4.4),
}
"""Column and row of every block; who adds a block to the core gives it a place."""
CONTROL = {"host", "registers", "sequencer", "program", "planes", "places", "statistics"}
COLUMN, ROW, WIDTH, HEIGHT, MARGIN = 130, 84, 92, 38, 24


@dataclass(frozen=True)
class Block:
    """A part of the core: its name there, and the module that says what it is."""

    name: str
    module: str

    @property
    def note(self) -> str:
        """What the module says of itself first."""
        return import_module(f"spikeplane_hw.{self.module}").__doc__.splitlines()[0]

    @property
    def middle(self) -> tuple[float, float]:
        """Where it lies in the picture."""
        column, row = PLACES[self.name]
        return MARGIN + WIDTH / 2 + column * COLUMN, MARGIN + HEIGHT / 2 + row * ROW


def design() -> tuple[dict[str, Block], set[tuple[str, str]]]:
    """Return the blocks of the elaborated core by name, and pairs of them of which one gives the other data."""
    found = re.finditer(
        r'(?:attribute \\src "([^"]*)"\n)?(?:attribute \\top 1\n)?module \\(top\S*)\n(.*?)\nend\n',
        rtlil.convert(Core(CONFIG)), re.DOTALL,
    )
    modules = {module[2]: (module[1], module[3]) for module in found}
    blocks, drivers, readers = {}, {}, []
    for cell in re.finditer(r"  cell \\(top\.\S+) \\(\S+)\n(.*?)\n  end", modules["top"][1], re.DOTALL):
        source, text = modules[cell[1]]
        name = cell[2].partition("$")[0]
        blocks[name] = Block(name, Path(source.rpartition(":")[0]).stem)
        ports = {
            port[3]: (port[2], int(port[1]))
            for port in re.finditer(r"  wire width (\d+) (input|output) \d+ +\\(\S+)", text)
        }
        for port, connected in re.findall(r"connect \\(\S+) (.*)", cell[3]):
            direction, width = ports[port]
            for wire in re.findall(r"\\(\S+)", connected):
                if direction == "output":
                    drivers[wire] = name
                elif width >= LEAST_BITS:
                    readers.append((wire, name))
    return blocks, {(drivers[wire], name) for wire, name in readers if drivers.get(wire, name) != name}


def arrow(start: Block, end: Block, control: bool) -> str:
    """Return the line from a block's edge to another's."""
    (x, y), (to_x, to_y) = start.middle, end.middle
    across, down = to_x - x, to_y - y
    # What the middle line passes inside a box, as a share of the line.
    share = min(WIDTH / 2 / abs(across) if across else 1, HEIGHT / 2 / abs(down) if down else 1)
    x, y, to_x, to_y = (round(value, 1) for value in (
        x + share * across, y + share * down, to_x - share * across, to_y - share * down,
    ))
    return f'<line class="{"control" if control else "data"}" x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}"/>'


def box(block: Block) -> str:
    """Return a block's box with its name, and what it is where a pointer rests on it."""
    x, y = block.middle
    kind = "control" if block.name in CONTROL else "data"
    return (
        f'<g class="{kind}"><title>{escape(block.note)}</title>'
        f'<rect x="{x - WIDTH / 2:.1f}" y="{y - HEIGHT / 2:.1f}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{x:.1f}" y="{y + 4:.1f}">{block.name.replace("_", " ")}</text></g>'
    )


STYLE = """
text { font: 13px system-ui, sans-serif; text-anchor: middle; fill: #1c2330 }
rect { fill: #dce8fa; stroke: #3b6fb6 } .control rect { fill: #f1f3f7; stroke: #9aa5b8 }
line { stroke: #1c4f9c; stroke-width: 1.8; marker-end: url(#data) }
line.control { stroke: #c3cad6; stroke-width: 1; marker-end: url(#control) }
"""


def picture() -> str:
    """Return the picture: blocks, and arrows where data goes from one to another; control lies behind it, in grey."""
    blocks, arrows = design()
    width = 2 * MARGIN + WIDTH + COLUMN * max(column for column, _ in PLACES.values())
    height = 2 * MARGIN + HEIGHT + ROW * max(row for _, row in PLACES.values())
    lines = [(start in CONTROL or end in CONTROL, blocks[start], blocks[end]) for start, end in sorted(arrows)]
    heads = (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z" fill="{colour}"/></marker>'
        for name, colour in (("data", "#1c4f9c"), ("control", "#c3cad6"))
    )
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}">',
        f"<style>{STYLE}</style>", "<defs>", *heads, "</defs>",
        f'<rect width="{width:.0f}" height="{height:.0f}" style="fill: #fff; stroke: none"/>',
        *(arrow(start, end, True) for control, start, end in lines if control),
        *(arrow(start, end, False) for control, start, end in lines if not control),
        *(box(block) for block in blocks.values()),
        "</svg>",
    ]) + "\n"


def page() -> str:
    """Return the whole page."""
    blocks, arrows = design()
    lines = [
        "# Architecture of the core",
        "",
        "Made by `python docs/make_architecture.py` from the elaborated core; do not edit. A test fails if stale.",
        "",
        f"![The core's blocks, and what flows between them](pictures/{PICTURE.name})",
        "",
        f"An arrow is {LEAST_BITS} bits or more from one block to another: blue the way of spikes and weights, grey",
        "what steers it, and what the host reads. Left out are handshakes, and what is chosen from what several",
        "blocks give. `mover`, `weights` and `external` are there with memory outside the chip, `operand` where",
        "layers have several terms. [The core](core.md) says in which order they work.",
        "",
        "| block | file in `hw/spikeplane_hw/` | what it is | gives data to |",
        "| --- | --- | --- | --- |",
        *(
            f"| {block.name} | `{block.module}.py` | {block.note} | "
            f"{', '.join(end for start, end in sorted(arrows) if start == block.name)} |"
            for block in blocks.values()
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    PICTURE.write_text(picture())
