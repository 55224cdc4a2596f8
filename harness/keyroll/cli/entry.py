"""The entry point of the command `keyroll`. It imports the rest itself, so that Ctrl-C never shows a traceback."""

from __future__ import annotations

import gc
import sys

INTERRUPTED = 130
"""The exit code of Ctrl-C, as `keyroll.errors.ExitCode` has it; importing that here would come too early."""


_GC_THRESHOLD = 50_000
"""New objects after which the garbage collector runs: more than the imports of a command make. Python's own number is
700, which takes a tenth of the time of imports, and they leave hardly any garbage."""


def main() -> None:
    """Run the command, which ends the process with its own exit code."""
    gc.set_threshold(_GC_THRESHOLD)
    try:
        from keyroll.cli.main import main as command  # noqa: PLC0415 - a third of a second, in which Ctrl-C may come

        command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        # The end of the process frees everything: the collector need not look for cycles among all modules before.
        # Not in `command`, which also runs inside of other programs, such as the tests.
        gc.freeze()
