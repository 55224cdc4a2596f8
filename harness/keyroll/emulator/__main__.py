"""One emulated router as a program: `python -m keyroll.emulator --boot-fd N --listen-fd N --logs-fd N`."""

from __future__ import annotations

import argparse
import sys

from keyroll.emulator.boot import program


def main() -> int:
    """Read the command line and run the router; return its exit code."""
    parser = argparse.ArgumentParser(prog="keyroll-router", description="One emulated router.")
    parser.add_argument("--boot-fd", type=int, required=True, help="descriptor: the boot socket")
    parser.add_argument("--listen-fd", type=int, required=True, help="descriptor: the listening socket for SSH")
    parser.add_argument("--logs-fd", type=int, required=True, help="descriptor: the folder for logs")
    arguments = parser.parse_args()
    return program.run(arguments.boot_fd, arguments.listen_fd, arguments.logs_fd)


if __name__ == "__main__":
    sys.exit(main())
