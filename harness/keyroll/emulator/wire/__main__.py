"""`python -m keyroll.emulator.wire --control-fd N --pair h0:eth1 [--pair h1:eth2]`; see the package's docstring."""

from __future__ import annotations

import argparse
import sys

from keyroll.emulator.wire.run.program import carry


def main(arguments: list[str] | None = None) -> int:
    """Carry frames until the control socket ends; 0, or 2 with one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m keyroll.emulator.wire", description="TCP-AO as a bump in the wire")
    parser.add_argument("--control-fd", type=int, required=True, help="an inherited stream socket")
    parser.add_argument(
        "--pair", action="append", type=_pair, required=True, metavar="HOST:WIRE", help="a port's two sides"
    )
    parsed = parser.parse_args(arguments)
    return carry(parsed.control_fd, parsed.pair)


def _pair(text: str) -> tuple[str, str]:
    host, colon, wire = text.partition(":")
    if not (host and colon and wire):
        raise argparse.ArgumentTypeError(f"'{text}' is not HOST:WIRE, as in h0:eth1")
    return host, wire


if __name__ == "__main__":
    sys.exit(main())
