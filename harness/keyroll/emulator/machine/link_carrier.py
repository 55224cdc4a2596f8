"""Copy the carrier state of the wire's interfaces to the router's ports, so that a cut link takes the port down too.

The kernel reports every change over rtnetlink (rtnetlink(7), RTMGRP_LINK). The wire path joins two veths and does not
pass the carrier on: `ge-0/0/0` would stay up over a cut link, as no real port does.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
from collections.abc import Mapping, Sequence

from keyroll.emulator.contract.errors import ProcessError
from keyroll.emulator.contract.namespace import PortPair

# <linux/netlink.h>, <linux/rtnetlink.h>, <linux/if_link.h>, <linux/sockios.h>, <linux/if.h>.
_NETLINK_ROUTE = 0
_RTMGRP_LINK = 1
_RTM_NEWLINK = 16
_IFLA_IFNAME = 3
_IFLA_OPERSTATE = 16
_OPERATIONAL = frozenset({0, 6})
"""IF_OPER_UNKNOWN and IF_OPER_UP (RFC 2863)."""
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_HEADER = struct.Struct("=IHHII")
_INFO = struct.Struct("=BxHiII")
_ATTRIBUTE = struct.Struct("=HH")
_RECEIVE_OCTETS = 65536
"""Octets of one netlink datagram: the kernel sends at most 32 KiB."""


def carriers(data: bytes) -> list[tuple[str, bool]]:
    """Read rtnetlink messages; return (interface, whether it has its carrier) for each that reports a link."""
    found = []
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            break
        if kind == _RTM_NEWLINK:
            name, state = _attributes(data[at + _HEADER.size + _INFO.size : at + length])
            if name is not None and state is not None:
                found.append((name, state in _OPERATIONAL))
        at += (length + 3) & ~3
    return found


def _attributes(data: bytes) -> tuple[str | None, int | None]:
    name: str | None = None
    state: int | None = None
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            break
        value = data[at + _ATTRIBUTE.size : at + length]
        if kind == _IFLA_IFNAME:
            name = value.rstrip(b"\0").decode(errors="replace")
        elif kind == _IFLA_OPERSTATE and value:
            state = value[0]
        at += (length + 3) & ~3
    return name, state


class CarrierWatch:
    """Sets the host side of each port up and down as the wire side gains and loses its carrier.

    `ports` gives for each interface of the wire (`eth1`) the host side of the router's port (`h0`). Made and used in
    the outer namespace.
    """

    def __init__(self, ports: Mapping[str, str]) -> None:
        self._ports: dict[str, tuple[str, ...]] = {wire: (host,) for wire, host in ports.items()}
        self._up = dict.fromkeys(ports, True)
        try:
            self._netlink = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, _NETLINK_ROUTE
            )
            self._netlink.bind((0, _RTMGRP_LINK))
        except OSError as error:
            raise ProcessError(f"cannot subscribe to link changes: {error.strerror}") from error

    def start(self) -> None:
        """Watch from now on, in the running event loop."""
        asyncio.get_running_loop().add_reader(self._netlink, self._read)

    def units(self, units: Sequence[PortPair]) -> None:
        """Set the further logical interfaces that get the carrier state from now on."""
        for wire, (port, *_) in self._ports.items():
            further = tuple(unit.host for unit in units if unit.wire == wire)
            for host in set(further) - set(self._ports[wire]):
                set_up(host, up=self._up[wire])
            self._ports[wire] = (port, *further)

    def close(self) -> None:
        """Stop watching. Can be called twice."""
        if self._netlink.fileno() < 0:
            return
        asyncio.get_running_loop().remove_reader(self._netlink)
        self._netlink.close()

    def _read(self) -> None:
        try:
            data = self._netlink.recv(_RECEIVE_OCTETS)
        except BlockingIOError:
            return
        for name, up in carriers(data):
            if name in self._ports and self._up[name] != up:
                self._up[name] = up
                for host in self._ports[name]:
                    set_up(host, up=up)


def set_up(interface: str, *, up: bool) -> None:
    """Set an interface of the current namespace up or down. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", interface.encode(), 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        flags = flags | _IFF_UP if up else flags & ~_IFF_UP
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", interface.encode(), flags))
