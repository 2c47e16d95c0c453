"""The command `spikeplane export`."""

from pathlib import Path
from typing import Annotated

import typer

from ..findings import clipped_multipliers
from ..notices import note_findings
from ..output import output
from ..writing import check_distinct, check_writable
from .options import Checkpoint

__all__ = ["EXAMPLE", "export"]

EXAMPLE = "Example: spikeplane export build/digits/checkpoint.safetensors digits.network.safetensors"


def export(
    checkpoint: Checkpoint,
    network: Annotated[Path, typer.Argument(help="Where to write the integer network, or NIR.")],
    merge: Annotated[bool, typer.Option(
        "--merge-pools", help="Let layers pool their spikes on the way out: fewer cycles, weights and spike maps."
    )] = False,
    nir: Annotated[bool, typer.Option(
        "--nir", help="Write NIR, which snnTorch, Sinabs, Norse and others read; needs the extra import."
    )] = False,
    quantized: Annotated[bool, typer.Option(
        "--quantized", help="With --nir: write potentials of few bits as if they were exact; predictions change."
    )] = False,
) -> None:
    """Export a checkpoint to an integer network, or to a file of NIR.

    With --nir, an integer network may be given in place of a checkpoint.
    """
    from ..exporting.nir_export import export_nir
    from ..information import kind_of
    from ..network.file import load_network, save_network
    from ..network.merge import merge_pools
    from ..training.net.export import export_network
    from ..training.run.checkpoint import load_checkpoint
    from ..training.run.health import unfinished_findings

    check_distinct(network, checkpoint)
    check_writable(network)
    if quantized and not nir:
        raise typer.BadParameter("--quantized is of --nir: integer networks have potentials of few bits as they are")
    if nir and kind_of(checkpoint) == "network":
        export_nir(load_network(checkpoint), network, quantized=quantized)
        output.show(f"NIR: {network}", nir=str(network))
        return
    loaded = load_checkpoint(checkpoint)
    integers = export_network(loaded.network, loaded.metadata)
    integers = merge_pools(integers) if merge else integers
    if nir:
        export_nir(integers, network, quantized=quantized)
    else:
        save_network(integers, network)
    output.show(f"{'NIR' if nir else 'integer network'}: {network}", **{"nir" if nir else "network": str(network)})
    note_findings([*unfinished_findings(loaded), *clipped_multipliers(integers.clipped)])
