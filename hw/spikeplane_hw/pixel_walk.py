"""Where the results of neighbouring output pixels go, whose segments are walked together."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data
from amaranth.utils import exact_log2

from .config import CoreConfig
from .descriptor import POOL_LIMIT, group_widths, pool_width

__all__ = ["PixelWalk"]


class PixelWalk:
    """Goes from a pixel to its neighbour, once for each term and step; only with several clusters."""

    def __init__(self, config: CoreConfig):
        self.config = config
        self.at = Signal(data.StructLayout({
            "cluster": exact_log2(config.clusters),
            "state": group_widths(config)["state"],
            "stream": config.slot_width,  # where the stored integers of a stream are
            "output": config.slot_width,
            "pool_x": range(POOL_LIMIT),
            "pool": pool_width(config),
        }), name="pixel")

    def begin(self, m: Module, layer, *, state, stream, output, pool):
        """Go to the first pixel, of which these are the places; states that are not stored lie side by side."""
        m.d.sync += [
            self.at.cluster.eq(0),
            self.at.state.eq(Mux(layer.stored, state, layer.state_base)),
            self.at.stream.eq(stream),
            self.at.output.eq(output),
        ]
        if pool:
            m.d.sync += [self.at.pool_x.eq(pool.x), self.at.pool.eq(pool.step_place)]

    def move(self, m: Module, layer, term, *, pieces):
        """Go to the next pixel of the row, behind which are its potentials in ``pieces``."""
        at = self.at
        m.d.sync += [
            at.cluster.eq(at.cluster + 1),
            at.state.eq(at.state + Mux(layer.stored & ~pieces, layer.groups, 1)),
            at.stream.eq(at.stream + term.column_stride),
        ]
        if not self.config.pool_depth:
            m.d.sync += at.output.eq(at.output + layer.output_pixel)
            return
        with m.If(at.pool_x == layer.pool_columns):
            m.d.sync += [
                at.pool_x.eq(0), at.pool.eq(at.pool + layer.steps), at.output.eq(at.output + layer.output_pixel),
            ]
        with m.Else():
            m.d.sync += at.pool_x.eq(at.pool_x + 1)
