"""The main function of a wire process, used by the command line and by forks of the supervisor."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Sequence

from keyroll.emulator.wire.run.process import WireProcess
from keyroll.errors import RunError

UNFIT = 2
"""Exit code if the environment does not allow the process to run, as `keyroll.errors.ExitCode.UNFIT`."""


def carry(control: int, pairs: Sequence[tuple[str, str]]) -> int:
    """Carry frames until the control socket (its descriptor) ends; 0, or 2 with one sentence on standard error.

    `pairs` are the two sides of each port: (host, wire).
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="wire: %(message)s", force=True)
    # Ctrl-C signals the whole foreground process group, but only the control socket ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with socket.socket(fileno=control) as sock:
            WireProcess(sock, pairs).run()
    except RunError as error:
        logging.getLogger(__name__).error("%s", error)  # noqa: TRY400 - the sentence is what helps, not the traceback
        return UNFIT
    except OSError as error:
        logging.getLogger(__name__).error("file descriptor %d is not a socket: %s", control, error.strerror)  # noqa: TRY400
        return UNFIT
    return 0
