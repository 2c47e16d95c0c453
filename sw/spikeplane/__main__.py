"""``python -m spikeplane``: the command, as ``torchrun -m spikeplane`` needs it."""

from .cli import main

main()
