"""Damaged files and frames, programs without end, a netlist beside the model: nothing may hang, crash or be wrong."""

import argparse

import damaged_files
import damaged_frames
import netlist
import stopping
from figures import save

PARTS = (damaged_files, damaged_frames, stopping, netlist)


def main() -> None:
    epilog = "example: python bench/robustness.py (half an hour)"
    argparse.ArgumentParser(description=__doc__, epilog=epilog).parse_args()
    save("robustness", [figure for part in PARTS for figure in part.measure()])


if __name__ == "__main__":
    main()
