"""Run a Yosys script with the native library, given the arguments of Amaranth's build script."""

import os
import sys


def main(arguments: list[str]) -> None:
    """Run the script named last in ``arguments``; the log goes to the file after ``-l``."""
    log = os.open(arguments[arguments.index("-l") + 1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, sys.stdout.fileno())
    from pyosys import libyosys

    libyosys.run_pass(f"script {arguments[-1]}", libyosys.Design())


if __name__ == "__main__":
    main(sys.argv[1:])
