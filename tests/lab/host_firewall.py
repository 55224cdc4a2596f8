"""Read the firewall of the current network namespace from the kernel, without nft or iptables.

All of nf_tables, whichever program wrote it (nft, iptables-nft, firewalld), is dumped over netlink: tables, chains,
rules, sets with their elements, objects, flowtables (include/uapi/linux/netfilter/nf_tables.h). Of the older ip_tables
only the names of the tables are read, and the rules if `iptables-legacy-save` is installed.
"""

from __future__ import annotations

import errno
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

_NETLINK_NETFILTER = 12
_NFT = 10 << 8
_NEWTABLE, _NEWCHAIN, _NEWRULE = 0, 3, 6
_DUMPS = {"tables": 1, "chains": 4, "rules": 7, "sets": 10, "objects": 19, "flowtables": 23}
_GETSETELEM = 13
_BATCH_BEGIN, _BATCH_END = 16, 17
_REQUEST, _ACK, _DUMP, _CREATE = 0x001, 0x004, 0x300, 0x400
_ERROR, _DONE = 2, 3
_INET, _UNSPEC = 1, 0
_HEADER, _GENERIC, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("!BBH"), struct.Struct("=HH")
_KIND = 0x3FFF
_WITHOUT = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT})
"""Errors of a kernel without this kind of object, or without nf_tables."""
_LEGACY = ("iptables-legacy-save", "ip6tables-legacy-save")
_ANSWER_SECONDS = 30
"""Longest wait for a netlink message: the kernel answers within microseconds."""


def firewall() -> dict[str, list[str]]:
    """Return every part of the firewall by its kind, in the kernel's order."""
    found = {kind: [octets.hex() for octets in _dump(number)] for kind, number in _DUMPS.items()}
    found["elements"] = [
        octets.hex()
        for one in _dump(_DUMPS["sets"])
        for octets in _dump(_GETSETELEM, family=one[0], attributes=_named(one, {1: 1, 2: 2}))
    ]
    for name in ("ip_tables_names", "ip6_tables_names"):
        path = Path("/proc/net", name)
        found[name] = path.read_text().split() if path.exists() else []
    for program in _LEGACY:
        if any(found[name] for name in ("ip_tables_names", "ip6_tables_names")) and shutil.which(program):
            text = subprocess.run([program], check=True, capture_output=True, text=True).stdout
            found[program] = [line for line in text.splitlines() if not line.startswith("#")]
    return found


def add(table: str) -> bool:
    """Add a table with an input chain and an empty rule. Return False if this kernel has no nf_tables.

    Raises:
        OSError: the kernel refuses it.
    """
    name = _text(1, table)
    hook = _attribute(4, _attribute(1, struct.pack("!I", 1)) + _attribute(2, struct.pack("!i", 0)), nested=True)
    chain = name + _text(3, "input") + hook + _text(7, "filter")
    rule = name + _text(2, "input") + _attribute(4, b"", nested=True)
    objects = (_NEWTABLE, name), (_NEWCHAIN, chain), (_NEWRULE, rule)
    batch = struct.pack("!BBH", _UNSPEC, 0, _NFT >> 8)
    octets = _message(_BATCH_BEGIN, _REQUEST, batch)
    octets += b"".join(
        _message(_NFT | number, _REQUEST | _ACK | _CREATE, _GENERIC.pack(_INET, 0, 0) + attributes)
        for number, attributes in objects
    )
    octets += _message(_BATCH_END, _REQUEST, batch)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as netlink:
        netlink.settimeout(_ANSWER_SECONDS)
        netlink.send(octets)
        acknowledged = 0
        while acknowledged < len(objects):
            for kind, payload in _messages(netlink.recv(1 << 16)):
                code = struct.unpack_from("=i", payload)[0] if kind == _ERROR else 0
                if -code in _WITHOUT:
                    return False
                if code:
                    raise OSError(-code, "nf_tables refused the test's own table")
                acknowledged += kind == _ERROR
    return True


def _dump(number: int, family: int = _UNSPEC, attributes: bytes = b"") -> Iterator[bytes]:
    """Yield the messages of a dump: address family and attributes, without the generation number of the ruleset."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as netlink:
        netlink.settimeout(_ANSWER_SECONDS)
        netlink.send(_message(_NFT | number, _REQUEST | _DUMP, _GENERIC.pack(family, 0, 0) + attributes))
        while True:
            for kind, payload in _messages(netlink.recv(1 << 20)):
                code = struct.unpack_from("=i", payload)[0] if kind == _ERROR else 0
                if kind == _DONE or -code in _WITHOUT:
                    return
                if code:
                    raise OSError(-code, "the firewall cannot be read")
                yield payload[:1] + payload[_GENERIC.size :]


def _messages(octets: bytes) -> Iterator[tuple[int, bytes]]:
    while octets:
        length, kind, *_ = _HEADER.unpack_from(octets)
        yield kind, octets[_HEADER.size : length]
        octets = octets[(length + 3) & ~3 :]


def _message(kind: int, flags: int, payload: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(payload), kind, flags, 1, 0) + payload


def _attribute(kind: int, payload: bytes, *, nested: bool = False) -> bytes:
    head = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), kind | (0x8000 if nested else 0))
    return head + payload + b"\0" * (-len(payload) % 4)


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _named(message: bytes, kinds: dict[int, int]) -> bytes:
    """Return some attributes of a dumped message for another request; `kinds` maps their type numbers to new ones."""
    found, rest = b"", message[1:]
    while rest:
        length, kind = _ATTRIBUTE.unpack_from(rest)
        if kind & _KIND in kinds:
            found += _attribute(kinds[kind & _KIND], rest[_ATTRIBUTE.size : length])
        rest = rest[(length + 3) & ~3 :]
    return found
