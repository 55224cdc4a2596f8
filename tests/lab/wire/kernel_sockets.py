"""TCP-AO sockets of Linux: keys, requests, counters, ISNs. Numbers and structures: include/uapi/linux/tcp.h."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from tests.lab.wire.namespaces import Namespace
from tests.unit.known import known

from keyroll.keychain.model import Key, Keychain
from keyroll.names import Algorithm

REPAIR, REPAIR_QUEUE, QUEUE_SEQ = 19, 20, 21
ADD_KEY, DELETE_KEY, INFO = 38, 39, 40
SEND_QUEUE = 2
SET_CURRENT, SET_RNEXT = 1, 2
EXCLUDE_OPTIONS = 2
"""TCP_AO_KEYF_EXCLUDE_OPT."""
NAMES = {Algorithm.HMAC_SHA_1_96: b"hmac(sha1)", Algorithm.AES_128_CMAC_96: b"cmac(aes128)"}
MAC_OCTETS = 12
_INFO = "=IHBB5Q"
_LIBC = ctypes.CDLL(None, use_errno=True)


class Info(NamedTuple):
    """State of a connection (`struct tcp_ao_info_opt`): send-ids of its keys, and numbers of segments by verdict."""

    current: int
    rnext: int
    good: int
    bad: int
    not_found: int


def family_of(family: int) -> socket.AddressFamily:
    """Return the address family of 4 or 6."""
    return socket.AF_INET if family == 4 else socket.AF_INET6


def _address(peer: str) -> tuple[bytes, int]:
    """Return the start of a sockaddr_storage, and the prefix length that makes a key valid for this one peer."""
    if ":" in peer:
        return struct.pack("=H2xI16sI", socket.AF_INET6, 0, socket.inet_pton(socket.AF_INET6, peer), 0), 128
    return struct.pack("=H2x4s", socket.AF_INET, socket.inet_aton(peer)), 32


def add_key(sock: socket.socket, key: Key, peer: str, *, flags: int = 0) -> None:
    """Add R2's mirror of R1's key to a socket (`struct tcp_ao_add`)."""
    address, prefix = _address(peer)
    secret = known(key.secret).reveal()
    numbers = (prefix, key.recv_id, key.send_id, MAC_OCTETS, 0 if key.include_options else EXCLUDE_OPTIONS, len(secret))
    name = NAMES[key.effective_algorithm]
    added = struct.pack("=128s64siIHBBBBBB80s", address, name, 0, flags, 0, *numbers, secret)
    sock.setsockopt(socket.IPPROTO_TCP, ADD_KEY, added)


def give(sock: socket.socket, chain: Keychain, peer: str, *, current: int | None = None) -> None:
    """Add R2's mirror of R1's chain to a socket; `current` is the number of the key that signs the SYN, if it opens."""
    for key in chain.keys:
        add_key(sock, key, peer, flags=SET_CURRENT | SET_RNEXT if key.id == current else 0)


def delete_key(sock: socket.socket, key: Key, peer: str) -> None:
    """Delete R2's mirror of R1's key from a socket (`struct tcp_ao_del`). Raises OSError (EBUSY) for a key in use."""
    address, prefix = _address(peer)
    deleted = struct.pack("=128siIHBBBBBB", address, 0, 0, 0, prefix, key.recv_id, key.send_id, 0, 0, 0)
    sock.setsockopt(socket.IPPROTO_TCP, DELETE_KEY, deleted)


def request(sock: socket.socket, key: Key) -> None:
    """Ask the peer to send with R1's key: from now on its id is the RNextKeyID of each segment."""
    sock.setsockopt(socket.IPPROTO_TCP, INFO, struct.pack(_INFO, SET_RNEXT, 0, 0, key.send_id, 0, 0, 0, 0, 0))


def ask(sock: socket.socket, *, rnext: int, current: int | None = None) -> None:
    """Ask the peer for the key with recv-id `rnext`; send with the key with send-id `current`, unless it is None."""
    flags = SET_RNEXT if current is None else SET_RNEXT | SET_CURRENT
    sock.setsockopt(socket.IPPROTO_TCP, INFO, struct.pack(_INFO, flags, 0, current or 0, rnext, 0, 0, 0, 0, 0))


def info(sock: socket.socket) -> Info:
    """Return the state of a connection."""
    # The kernel reads the structure before it fills it, and refuses reserved fields that are not 0 (EINVAL). The buffer
    # of `socket.getsockopt` is not cleared, so it cannot be used here.
    found = ctypes.create_string_buffer(struct.calcsize(_INFO))
    length = ctypes.c_uint(len(found))
    if _LIBC.getsockopt(sock.fileno(), socket.IPPROTO_TCP, INFO, found, ctypes.byref(length)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    _, _, current, rnext, good, bad, not_found, _, _ = struct.unpack(_INFO, found)
    return Info(current, rnext, good, bad, not_found)


def begin_at(sock: socket.socket, isn: int) -> None:
    """Set the ISN of a socket before it connects (TCP_REPAIR, which is meant for restoring checkpoints)."""
    sock.setsockopt(socket.IPPROTO_TCP, REPAIR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, REPAIR_QUEUE, SEND_QUEUE)
    sock.setsockopt(socket.IPPROTO_TCP, QUEUE_SEQ, struct.pack("=I", isn))
    sock.setsockopt(socket.IPPROTO_TCP, REPAIR, 0)


def counters(namespace: Namespace) -> dict[str, int]:
    """Return the TCP-AO counters of a namespace (`TCPAOGood`, `TCPAOBad`, ...)."""
    return counters_in(namespace.run("cat", "/proc/net/netstat").splitlines())


def counters_in(lines: list[str]) -> dict[str, int]:
    """Return the TCP-AO counters from the lines of /proc/net/netstat: a line of names, then a line of values."""
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        if names.startswith("TcpExt:"):
            found = zip(names.split()[1:], map(int, values.split()[1:]), strict=True)
            return {name: value for name, value in found if name.startswith("TCPAO")}
    raise AssertionError("no TcpExt in /proc/net/netstat")


@contextlib.contextmanager
def within(sock: socket.socket, seconds: float) -> Iterator[socket.socket]:
    """Set a socket's time-out, and close the socket at the end."""
    with sock:
        sock.settimeout(seconds)
        yield sock
