"""`python -m harness.emulator.wire --control-fd N --pair h0:eth1 [--pair h1:eth2]`; see the package's docstring."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys

from harness.emulator.wire.model import WireError
from harness.emulator.wire.process import WireProcess

UNFIT = 2


def main(arguments: list[str] | None = None) -> int:
    """Carry frames until the control socket ends; 0, or 2 with one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m harness.emulator.wire", description="TCP-AO as a bump in the wire")
    parser.add_argument("--control-fd", type=int, required=True, help="an inherited stream socket")
    parser.add_argument(
        "--pair", action="append", type=_pair, required=True, metavar="HOST:WIRE", help="a port's two sides"
    )
    parsed = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="wire: %(message)s")
    # Ctrl-C reaches the whole foreground group; the control socket alone says when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with socket.socket(fileno=parsed.control_fd) as control:
            WireProcess(control, parsed.pair).run()
    except WireError as error:
        logging.getLogger(__name__).error("%s", error)  # noqa: TRY400 - the sentence is what helps, not the traceback
        return UNFIT
    except OSError as error:
        logging.getLogger(__name__).error("file descriptor %d is no socket: %s", parsed.control_fd, error.strerror)  # noqa: TRY400
        return UNFIT
    return 0


def _pair(text: str) -> tuple[str, str]:
    host, colon, wire = text.partition(":")
    if not (host and colon and wire):
        raise argparse.ArgumentTypeError(f"'{text}' is not HOST:WIRE, as in h0:eth1")
    return host, wire


if __name__ == "__main__":
    sys.exit(main())
