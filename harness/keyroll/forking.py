"""A child that goes on in this program's memory: what is imported need not be imported again.

The child gets what a program started anew would get: only the descriptors that are named, signals as by default, its
own output, and its own command line in `ps`. For processes of one thread: another thread may hold a lock at that
moment, which in the child would never be released.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NoReturn

from keyroll import linux

_STANDARD = frozenset({0, 1, 2})


def settle() -> None:
    """Call once after the imports: present objects are never collected from then on, so children share their memory."""
    gc.collect()
    gc.freeze()


def alone() -> bool:
    """Whether this process has only one thread, as is needed to fork."""
    return len(list(Path("/proc/self/task").iterdir())) == 1


def fork(work: Callable[[], int | None], *, title: str, keep: Collection[int], output: int | None = None) -> int:
    """Start a child that does `work`, and return its process id; what `work` returns is its exit code (None is 0).

    `keep` are the descriptors that the child has beside the standard ones, `output` is where it writes (by default
    where this process does), `title` is what `ps` shows. An error that leaves `work` is written there, with code 1.

    Raises:
        OSError: there can be no more processes.
    """
    # No signal may find the child while this process's handlers and its wake-up descriptor are still in force there.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _be_child(work, title, keep, output, blocked)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _be_child(
    work: Callable[[], int | None],
    title: str,
    keep: Collection[int],
    output: int | None,
    unblocked: Collection[int],
) -> NoReturn:
    """Never returns, so that objects of the frames above, whose descriptors are closed here, are never finalised."""
    code = 1
    try:
        gc.freeze()  # the same for those that only the collector would find
        if output is not None:
            os.dup2(output, 1)
            os.dup2(output, 2)
        close_all_but({*_STANDARD, *keep})
        _forget_handlers()
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        linux.rename(title)
        code = work() or 0
    except Exception:  # noqa: BLE001 - the last frame of this process: say what happened
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _forget_handlers() -> None:
    """Do what exec(3) does: signals that were caught have their default again, ignored ones stay ignored."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


def close_all_but(wanted: Collection[int]) -> None:
    """Close all other descriptors, so that nothing outlives its owner in a forked child."""
    for entry in list(Path("/proc/self/fd").iterdir()):
        if int(entry.name) not in wanted:
            with contextlib.suppress(OSError):  # the listing's own
                os.close(int(entry.name))
