"""Where spikes of pools go that are OR-ed on the way out of a layer."""

from amaranth import Module, Mux, Signal
from amaranth.utils import ceil_log2

from .config import CoreConfig
from .descriptor import POOL_LIMIT, pool_width

__all__ = ["PoolWalk"]


class PoolWalk:
    """Where a pixel is in its pool's window, and where spikes of that window wait for the rest of it.

    Windows lie side by side. Beyond the last whole one no pixel is the last of its window, so nothing is written.
    """

    def __init__(self, config: CoreConfig):
        self.x = Signal(range(POOL_LIMIT), name="pool_x")
        self.y = Signal(range(POOL_LIMIT), name="pool_y")
        self.map_row = Signal(ceil_log2(config.row_flag_count))
        self.row_output = Signal(config.slot_width)  # first slot of the map's row at hand
        self.place = Signal(pool_width(config), name="pool_place")  # of the window, in its first step
        self.step_place = Signal.like(self.place)

    def move(self, m: Module, layer, pixel_output, row_ends, map_ends):
        """Move on by a pixel: ``pixel_output``, where the map's pixel is, moves with whole windows only."""
        column_ends = self.x == layer.pool_columns
        window_ends = row_ends & (self.y == layer.pool_rows)
        following = Signal.like(pixel_output)
        m.d.comb += following.eq(pixel_output + Mux(column_ends, layer.output_pixel, 0))
        m.d.sync += [
            pixel_output.eq(Mux(row_ends & ~window_ends, self.row_output, following)),
            self.x.eq(Mux(column_ends | row_ends, 0, self.x + 1)),
        ]
        with m.If(row_ends):
            m.d.sync += [self.place.eq(0), self.y.eq(Mux(window_ends, 0, self.y + 1))]
        with m.Elif(column_ends):
            m.d.sync += self.place.eq(self.place + layer.steps)
        with m.If(window_ends):
            m.d.sync += [self.map_row.eq(self.map_row + 1), self.row_output.eq(following)]
        with m.If(map_ends):
            m.d.sync += [self.y.eq(0), self.map_row.eq(0)]
