"""Record which peers recently tried to open a BGP connection: SYNs to port 179 that reach the router's kernel.

A peer that was configured first sends a SYN before this router knows it, is answered with a RST, and tries again only a
second later. A router that has recorded the SYN can open from its side at once. Raw sockets get a copy of every
segment; a filter in the kernel (classic BPF) passes only the SYNs.
"""

from __future__ import annotations

import asyncio
import socket
import time
from ipaddress import IPv4Address, IPv6Address, ip_address

from keyroll import linux
from keyroll.emulator.contract.errors import ProcessError
from keyroll.emulator.contract.model import BGP_PORT, Address

# <asm-generic/socket.h>, and instructions of classic BPF (<linux/bpf_common.h>, <linux/filter.h>).
_SO_ATTACH_FILTER = 26
_LOAD_HALF_INDEXED, _LOAD_BYTE_INDEXED = 0x48, 0x50
_INDEX_HEADER_LENGTH = 0xB1
_INDEX_IMMEDIATE = 0x01
_AND = 0x54
_TCP_DESTINATION, _TCP_FLAGS = 2, 13
_SYN, _SYN_ACK = 0x02, 0x12
_OCTETS = 128
"""Octets of a segment that the kernel copies: only the sender's address is used, but the filter needs both headers (60
octets each at most)."""


def _program(*, header: bool) -> tuple[tuple[int, int, int, int], ...]:
    """Return the filter: a SYN without ACK to port 179. With `header` the packet begins with its IPv4 header."""
    start = (_INDEX_HEADER_LENGTH, 0, 0, 0) if header else (_INDEX_IMMEDIATE, 0, 0, 0)
    return (
        start,
        (_LOAD_HALF_INDEXED, 0, 0, _TCP_DESTINATION),
        (linux.BPF_JUMP_EQUAL, 0, 4, BGP_PORT),
        (_LOAD_BYTE_INDEXED, 0, 0, _TCP_FLAGS),
        (_AND, 0, 0, _SYN_ACK),
        (linux.BPF_JUMP_EQUAL, 0, 1, _SYN),
        (linux.BPF_RETURN, 0, 0, _OCTETS),
        (linux.BPF_RETURN, 0, 0, 0),
    )


class SynListener:
    """Listens in the network namespace `namespace`, in the running event loop, from `start` on."""

    def __init__(self, namespace: int) -> None:
        self._heard: dict[Address, float] = {}
        self._sockets: list[socket.socket] = []
        try:
            with linux.inside(namespace):
                for family in (socket.AF_INET, socket.AF_INET6):
                    self._sockets.append(_listen(family))
        except OSError as error:
            self._close_sockets()
            raise ProcessError(f"cannot listen for SYNs: {error.strerror}") from error

    def start(self) -> None:
        """Listen from now on."""
        for raw in self._sockets:
            asyncio.get_running_loop().add_reader(raw, self._read, raw)

    def last(self, address: Address) -> float | None:
        """Return when (monotonic seconds) a SYN last came from that address; None if none has."""
        return self._heard.get(address)

    def close(self) -> None:
        """Stop listening."""
        for raw in self._sockets:
            asyncio.get_running_loop().remove_reader(raw)
        self._close_sockets()

    def _close_sockets(self) -> None:
        for raw in self._sockets:
            raw.close()
        self._sockets.clear()

    def _read(self, raw: socket.socket) -> None:
        try:
            _, sender = raw.recvfrom(_OCTETS)
        except BlockingIOError:
            return
        found: IPv4Address | IPv6Address = ip_address(sender[0].partition("%")[0])
        self._heard[found] = time.monotonic()


def _listen(family: int) -> socket.socket:
    raw = socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, socket.IPPROTO_TCP)
    with linux.bpf_program(_program(header=family == socket.AF_INET)) as program:
        raw.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    return raw
