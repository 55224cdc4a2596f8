"""Read the state of the router's kernel and wire path (interfaces, sockets, drops), and ping."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections.abc import AsyncIterator, Mapping
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

from keyroll import linux
from keyroll.emulator.contract.model import Address, AuthDrops, BackendError, Echo, InterfaceState, TcpConnection
from keyroll.emulator.frr.state import junos_name, reading
from keyroll.emulator.machine.events import NOT_AUTHENTICATION
from keyroll.emulator.wire.model import Direction, WireStatus
from keyroll.names import DropReason
from keyroll.tcpao import internet_checksum

PING_SECONDS = 3.0
"""Time for the reply to an echo request: a lab's link takes milliseconds, an impaired one less than a second; the rest
is for a busy machine. Five requests without a reply must end before a client's deadline for an answer (20 s)."""
PING_OCTETS = 56
"""Payload of a request: Junos' default, so that replies have 64 octets. Even, as the checksum needs."""
_STATES = {
    1: "ESTABLISHED",
    2: "SYN_SENT",
    3: "SYN_RCVD",
    4: "FIN_WAIT_1",
    5: "FIN_WAIT_2",
    6: "TIME_WAIT",
    7: "CLOSED",
    8: "CLOSE_WAIT",
    9: "LAST_ACK",
    10: "LISTEN",
    11: "CLOSING",
    12: "SYN_RCVD",
}
"""Linux' numbers (include/net/tcp_states.h) to FreeBSD's words, which Junos shows."""
# The kernel's number of LISTEN; hexadecimal digits of a 32-bit word of an address in /proc/net/tcp.
_LISTEN = 10
_IPV4_HEX = 8
_NOT_COUNTED = NOT_AUTHENTICATION | {DropReason.ICMP_ERROR}
"""Ignored ICMP errors have a counter of their own."""
_ECHO = {4: (8, 0), 6: (128, 129)}
"""ICMP types of echo request and reply (RFC 792, RFC 4443)."""
# The header length in the first octet of an IPv4 header, in 32-bit words; and 16 bits of sequence number.
_IPV4_WORDS = 0x0F
_WORD = 0xFFFF


def interfaces(shown: Mapping[str, Any]) -> list[InterfaceState]:
    """Read the physical ports from zebra's `show interface json`.

    Raises:
        FrrError: it cannot be read.
    """
    with reading("zebra's interfaces"):
        return [
            InterfaceState(
                name=junos_name(name).removesuffix(".0"),
                admin_up=entry["administrativeStatus"] == "up",
                # zebra does not report the link of an interface that is shut down.
                link_up=entry["administrativeStatus"] == "up" and entry["operationalStatus"] == "up",
            )
            for name, entry in shown.items()
            if name.startswith("ge-") and "." not in name  # a unit with a VLAN is not a physical interface
        ]


def connections(namespace: int) -> list[TcpConnection]:
    """Return the TCP sockets of a network namespace.

    Raises:
        BackendError: the kernel's table cannot be read.
    """
    found: list[TcpConnection] = []
    try:
        with linux.inside(namespace):
            texts = {version: _read_table(name) for version, name in ((4, "tcp"), (6, "tcp6"))}
        for version, text in texts.items():
            found += [parse_socket(line, version) for line in text.splitlines()[1:]]
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise BackendError(f"the kernel's TCP table cannot be read: {error}") from error
    return found


def _read_table(name: str) -> str:
    try:
        return Path(f"/proc/thread-self/net/{name}").read_text(encoding="ascii")
    except FileNotFoundError:
        return ""  # a kernel without IPv6


def parse_socket(line: str, version: int) -> TcpConnection:
    """Read one line of /proc/net/tcp or tcp6 (Documentation/networking/proc_net_tcp.rst). Raises ValueError."""
    fields = line.split()
    local, remote = _end(fields[1]), _end(fields[2])
    state = int(fields[3], 16)
    sending, _, receiving = fields[4].partition(":")
    return TcpConnection(
        local=(None if int(local[0]) == 0 else local[0], local[1]),
        remote=None if state == _LISTEN else remote,
        state=_STATES[state],
        receive_queue=int(receiving, 16),
        send_queue=int(sending, 16),
        version=version,
    )


def _end(text: str) -> tuple[Address, int]:
    """Read an address and port: the address as 32-bit words in the host's byte order, the port as a number."""
    words, _, port = text.partition(":")
    packed = b"".join(struct.pack("=I", int(words[at : at + _IPV4_HEX], 16)) for at in range(0, len(words), _IPV4_HEX))
    address = ip_address(packed)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address, int(port, 16)


def auth_drops(status: WireStatus) -> AuthDrops:
    """Add up the wire path's drops for `show system statistics tcp`."""

    def total(way: Direction) -> int:
        return sum(count for (one, why), count in status.drops.items() if one is way and why not in _NOT_COUNTED)

    icmp = sum(count for (_, reason), count in status.drops.items() if reason is DropReason.ICMP_ERROR)
    return AuthDrops(received=total(Direction.IN), sent=total(Direction.OUT), icmp_ignored=icmp)


async def ping(
    namespace: int, address: Address, *, count: int, source: Address | None, interval: float
) -> AsyncIterator[Echo]:
    """Send echo requests from a namespace, `interval` seconds apart; yield the outcome of each.

    Raises:
        BackendError: a raw socket cannot be opened.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - IP version 4
    protocol = socket.IPPROTO_ICMP if family is socket.AF_INET else socket.IPPROTO_ICMPV6
    try:
        with linux.inside(namespace):
            raw = socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    except OSError as error:
        raise BackendError(f"ping: cannot open a raw socket: {error.strerror}") from error
    with raw:
        raw.settimeout(0)
        try:
            if source is not None:
                raw.bind((str(source), 0))
        except OSError as error:
            raise BackendError(f"ping: bind: {error.strerror}") from error
        identifier = os.getpid() & 0xFFFF
        for sequence in range(count):
            begun = time.monotonic()
            yield await _echo(raw, address, identifier, sequence)
            if sequence + 1 < count:
                await _sleep_until(begun + interval)


async def _sleep_until(moment: float) -> None:
    """Sleep until a monotonic moment: ping sends its requests at a fixed interval."""
    await asyncio.sleep(max(0.0, moment - time.monotonic()))


async def _echo(raw: socket.socket, address: Address, identifier: int, sequence: int) -> Echo:
    """Send one request and wait for its reply."""
    request, reply = _ECHO[address.version]
    number = sequence & _WORD
    payload = struct.pack("!d", time.monotonic()).ljust(PING_OCTETS, b"\0")
    head = struct.pack("!BBHHH", request, 0, 0, identifier, number)
    head = struct.pack("!BBHHH", request, 0, internet_checksum(head + payload), identifier, number)
    loop = asyncio.get_running_loop()
    begun = time.monotonic()
    try:
        await loop.sock_sendto(raw, head + payload, (str(address), 0))
        async with asyncio.timeout(PING_SECONDS):
            while True:
                data, sender = await loop.sock_recvfrom(raw, 4096)
                ttl = data[8] if address.version == 4 else 64  # noqa: PLR2004 - IP version 4
                if address.version == 4:  # noqa: PLR2004 - IP version 4
                    data = data[4 * (data[0] & _IPV4_WORDS) :]
                kind, _, _, found, which = struct.unpack("!BBHHH", data[:8])
                if (kind, found, which, sender[0]) == (reply, identifier, number, str(address)):
                    return Echo(sequence, len(data), ttl, (time.monotonic() - begun) * 1000)
    except TimeoutError:
        return Echo(sequence)
    except OSError as error:
        return Echo(sequence, problem=f"sendto: {error.strerror}")
