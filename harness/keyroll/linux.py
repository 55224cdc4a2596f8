"""The few Linux calls that Python 3.11 does not have: namespaces, mounts, the parent-death signal.

Thin wrappers of libc, used by the embedded lab and by the emulated router. Each call raises `OSError` with the call's
name and what it was asked for.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Flags of unshare(2) and setns(2) (linux/sched.h).
CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# Flags of mount(2) (linux/mount.h).
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

# Socket options that Python does not name.
SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_AUXDATA = 8
PACKET_QDISC_BYPASS = 20
PACKET_IGNORE_OUTGOING = 23
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
ETH_P_ALL = 0x0003
"""Of packet sockets and their like (linux/if_packet.h, asm-generic/socket.h); `socket` does not name them."""

# linux/prctl.h, linux/nsfs.h.
_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_NS_GET_USERNS = 0xB701
_STAT_ARG_START, _STAT_ENV_START = 45, 47
"""Places of arg_start and env_start in /proc/PID/stat, counted from behind the name in brackets; each one's end follows
(proc(5))."""
# linux/seccomp.h.
_SECCOMP_MODE_FILTER = 2
_SECCOMP_NUMBER, _SECCOMP_ARCHITECTURE = 0, 4
"""Offsets in struct seccomp_data."""
_SECCOMP_RETURN_ALLOW = 0x7FFF0000
_SECCOMP_RETURN_ZERO = 0x00050000
"""SECCOMP_RET_ERRNO with error 0: the call is not made, and succeeds."""
_BPF_LOAD = 0x20
BPF_JUMP_EQUAL, BPF_RETURN = 0x15, 0x06
"""Instructions of classic BPF that every filter needs (linux/bpf_common.h)."""
_SETGROUPS = {"x86_64": (0xC000003E, 116), "aarch64": (0xC00000B7, 159)}
"""Machine to (AUDIT_ARCH_…, number of setgroups)."""

_libc = ctypes.CDLL(None, use_errno=True)


def close_all(descriptors: list[int]) -> None:
    """Close the descriptors, and empty the list.

    Each is removed from the list before it is closed: Ctrl-C may interrupt this, and it is then called again, when the
    number may already belong to another file.
    """
    while descriptors:
        os.close(descriptors.pop())


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move the calling thread into new namespaces (unshare(2))."""
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


def new_user_namespace() -> None:
    """Move the calling process (of one thread) into a new user namespace, where it is root. Raises OSError."""
    user, group = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        Path(f"/proc/self/{name}").write_text(text, encoding="ascii")


def enter_owner(namespace: int) -> None:
    """Move the calling process (of one thread) into the user namespace that owns `namespace`. Raises OSError."""
    owner = fcntl.ioctl(namespace, _NS_GET_USERNS)
    try:
        setns(owner, CLONE_NEWUSER)
    finally:
        os.close(owner)


def pretend_setgroups() -> None:
    """Make setgroups(2) do nothing and succeed, in this process and all that it starts (seccomp(2)).

    A user namespace made without privilege denies setgroups, and some daemons end when they are denied it. On machines
    other than x86-64 and aarch64 nothing is changed. Raises OSError.
    """
    number = _SETGROUPS.get(os.uname().machine)
    if number is None:
        return
    architecture, call = number
    program = (
        (_BPF_LOAD, 0, 0, _SECCOMP_ARCHITECTURE),
        (BPF_JUMP_EQUAL, 0, 3, architecture),
        (_BPF_LOAD, 0, 0, _SECCOMP_NUMBER),
        (BPF_JUMP_EQUAL, 0, 1, call),
        (BPF_RETURN, 0, 0, _SECCOMP_RETURN_ZERO),
        (BPF_RETURN, 0, 0, _SECCOMP_RETURN_ALLOW),
    )
    _checked(_libc.prctl(ctypes.c_int(_PR_SET_NO_NEW_PRIVS), ctypes.c_ulong(1), 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")
    with bpf_program(program) as handle:
        _checked(
            _libc.prctl(ctypes.c_int(_PR_SET_SECCOMP), ctypes.c_ulong(_SECCOMP_MODE_FILTER), handle, 0, 0),
            "prctl(PR_SET_SECCOMP)",
        )


@contextmanager
def bpf_program(instructions: Sequence[tuple[int, int, int, int]]) -> Iterator[bytes]:
    """Yield a struct sock_fprog of classic BPF (linux/filter.h), which the kernel copies meanwhile.

    An instruction is (code, jump if true, jump if false, operand).
    """
    program = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    octets = ctypes.create_string_buffer(program, len(program))
    # The number of instructions, padding, their address: it is valid only as long as `octets` is there.
    yield struct.pack("@HP", len(instructions), ctypes.addressof(octets))


def no_core_dumps() -> None:
    """Prevent core files of this process and all that it starts: keys and passwords are in their memory.

    The handlers that a kernel may pipe a core to (systemd-coredump, apport) obey the limit as well.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def die_with_parent() -> None:
    """Ask the kernel to SIGKILL this process when its parent (the thread that forked it) ends (prctl(2))."""
    _checked(
        _libc.prctl(ctypes.c_int(_PR_SET_PDEATHSIG), ctypes.c_ulong(signal.SIGKILL), 0, 0, 0),
        "prctl(PR_SET_PDEATHSIG)",
    )


def rename(title: str) -> None:
    """Make `ps` show `title` for this process: it takes the place of the command line, as far as that is long.

    For processes that were forked and go on in another role. Where the kernel does not say where its command line lies
    (proc(5), arg_start), nothing is changed.
    """
    start, end = _area(_STAT_ARG_START)
    room = end - start
    if start and room > 0:
        ctypes.memmove(start, os.fsencode(title)[: room - 1].ljust(room, b"\0"), room)


def _area(place: int) -> tuple[int, int]:
    """Return where an area of this process's memory begins and ends, by its place in /proc/PID/stat."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return int(fields[place]), int(fields[place + 1])


def retag(name: str, value: str) -> None:
    """Make /proc/PID/environ show `value` for a variable that this program was started with.

    The value takes the place of the former one, as far as that is long. For processes that were forked; what they start
    in turn has what `os.environ` holds.
    """
    start, end = _area(_STAT_ENV_START)
    if not start or end <= start:
        return
    place, room = start, 0
    for entry in ctypes.string_at(start, end - start).split(b"\0"):
        if entry.startswith(os.fsencode(name) + b"="):
            room = len(entry) - len(name) - 1
            break
        place += len(entry) + 1
    if room:
        ctypes.memmove(place + len(name) + 1, os.fsencode(value)[:room].ljust(room, b"\0"), room)


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
    """Enter that network namespace for the block: sockets opened in it belong to it. For one thread only."""
    home = network_namespace()
    try:
        setns(namespace)
        try:
            yield
        finally:
            setns(home)
    finally:
        os.close(home)
