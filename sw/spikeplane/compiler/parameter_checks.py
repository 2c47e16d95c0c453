"""What an image says of parameters that are loaded layer by layer, held against the moves that do."""

from spikeplane_hw.memory_map import Register
from spikeplane_hw.weight_stream import slot_bursts

from .held import Held, ImageError
from .move_checks import verify_moves
from .moves import parameter_loads
from .part_checks import Part

__all__ = ["begin_parameters", "verify_parameters"]


def begin_parameters(
    where: str, held: Held, part: Part, d: dict[str, int], moves: list[dict[str, int]]
) -> list[dict[str, int]]:
    """Note whether a layer's part loads its parameters; return the moves ahead of its terms that do something else."""
    loads = [each for each in moves if each["parameters"]]
    if part.shares or d["logits"]:
        if loads:
            raise ImageError(f"{where}: it loads parameters, of which it has none of its own")
        held.next_parameter = 0 if held.loads_parameters else held.next_parameter
        return moves
    if loads and not held.streaming:
        raise ImageError(f"{where}: it loads parameters, while all weights are on the chip")
    first = held.next_parameter == 0 and not held.loads_parameters
    if bool(loads) != held.loads_parameters and not (loads and first):
        raise ImageError(f"{where}: it loads {len(loads)} times parameters, and layers before it do otherwise")
    held.loads_parameters = bool(loads)
    if not loads:
        return moves
    held.next_parameter = 0
    if moves[0] is not loads[0] or len(loads) > 1:
        raise ImageError(f"{where}: it must load its parameters once, ahead of all else")
    return moves[1:]


def verify_parameters(where: str, held: Held, part: Part, d: dict[str, int], moves: list[dict[str, int]]) -> None:
    """Check where the parameters of a layer come from: they lie behind all weights, layer after layer."""
    if not held.loads_parameters or part.shares or d["logits"]:
        return
    config = held.image.config
    # The layers take as many slots as the register says, which is checked as well.
    first = held.image.registers[Register.STREAM_SLOTS] * slot_bursts(config) + held.parameter_bursts
    expected = parameter_loads(held.next_parameter * config.chunks, first, config)
    verify_moves(f"{where}, parameters", moves[:1], [expected], last=False)
    held.parameter_bursts += expected.words
