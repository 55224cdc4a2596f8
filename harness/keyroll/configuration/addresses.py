"""Addresses of interfaces and sessions, and which of a router's addresses are on one network with a peer."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

Address = IPv4Address | IPv6Address
_BITS = {4: 32, 6: 128}


class Interface(NamedTuple):
    """An address and the length of its network's prefix."""

    ip: Address
    length: int


def address_of(text: str) -> Address | None:
    """Return the address that a text is, or None."""
    try:
        # inet_pton takes a fifth of the time of ipaddress, and a large configuration has 20,000 addresses.
        if ":" in text:
            return IPv6Address(inet_pton(AF_INET6, text))
        return IPv4Address(inet_pton(AF_INET, text))
    except (OSError, ValueError):
        pass
    try:
        # Only ipaddress reads an IPv6 address with a zone.
        return IPv6Address(text) if "%" in text else None
    except ValueError:
        return None


def interface_of(text: str) -> Interface | None:
    """Return the address and prefix length of `192.0.2.1/24`, or of an address alone, or None."""
    head, slash, tail = text.partition("/")
    address = address_of(head)
    if address is None:
        return None
    most = _BITS[address.version]
    if not slash:
        return Interface(address, most)
    if not (tail.isascii() and tail.isdecimal()) or len(tail) > 3 or int(tail) > most:  # noqa: PLR2004 - digits
        return None
    return Interface(address, int(tail))


class Networks:
    """The networks of a routing instance's interfaces, indexed to find the one of a peer."""

    __slots__ = ("_held", "_interfaces")

    def __init__(self, interfaces: Iterable[Interface]) -> None:
        self._interfaces = tuple(interfaces)
        self._held: dict[tuple[int, int], dict[int, list[Address]]] | None = None

    def near(self, peer: Address) -> frozenset[Address]:
        """Return the addresses whose network contains `peer`."""
        # Made on first use: of a thousand instances most are never used.
        held = self._held = self._by_network() if self._held is None else self._held
        version, number = peer.version, int(peer)
        bits = _BITS[version]
        return frozenset(
            address
            for (family, length), by_network in held.items()
            if family == version
            for address in by_network.get(number >> (bits - length), ())
        )

    def _by_network(self) -> dict[tuple[int, int], dict[int, list[Address]]]:
        held: dict[tuple[int, int], dict[int, list[Address]]] = {}
        for address, length in self._interfaces:
            by_network = held.setdefault((address.version, length), {})
            by_network.setdefault(int(address) >> (_BITS[address.version] - length), []).append(address)
        return held
