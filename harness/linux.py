"""The few Linux calls that Python 3.11 does not have: namespaces, mounts, the parent-death signal.

A thin face of libc, used by the embedded lab and by the emulated router. Each call raises `OSError` with the call's
name and what it was asked for.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Give the calling thread namespaces of its own (unshare(2))."""
    _checked(_libc.unshare(ctypes.c_int(flags)), f"unshare({flags:#x})")


def setns(fd: int, flags: int = CLONE_NEWNET) -> None:
    """Move the calling thread into the namespace that `fd` holds (setns(2))."""
    _checked(_libc.setns(ctypes.c_int(fd), ctypes.c_int(flags)), f"setns({flags:#x})")


def mount(source: str, target: Path | str, kind: str | None, flags: int = 0, data: str | None = None) -> None:
    """Mount, bind or change propagation (mount(2))."""
    _checked(
        _libc.mount(
            source.encode(),
            os.fsencode(target),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            data.encode() if data else None,
        ),
        f"mount({target})",
    )


def die_with_parent() -> None:
    """Ask the kernel to SIGKILL this process when its parent (the thread that forked it) ends (prctl(2))."""
    _checked(
        _libc.prctl(ctypes.c_int(_PR_SET_PDEATHSIG), ctypes.c_ulong(signal.SIGKILL), 0, 0, 0),
        "prctl(PR_SET_PDEATHSIG)",
    )


def network_namespace() -> int:
    """Return a descriptor of the calling thread's network namespace; it keeps the namespace alive."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def new_network_namespace() -> int:
    """Make an anonymous network namespace and return the descriptor that keeps it alive; the caller stays put."""
    home = network_namespace()
    try:
        unshare(CLONE_NEWNET)
        try:
            return network_namespace()
        finally:
            setns(home)
    finally:
        os.close(home)


@contextmanager
def inside(namespace: int) -> Iterator[None]:
    """Be in that network namespace for a while: sockets opened meanwhile belong to it. For one thread only."""
    home = network_namespace()
    try:
        setns(namespace)
        try:
            yield
        finally:
            setns(home)
    finally:
        os.close(home)
