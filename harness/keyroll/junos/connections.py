"""Parse `show system connections`, the TCP connections of a router, in each known format.

Junos on FreeBSD and the emulated router put a dot before the port (`10.0.12.1.179`), as netstat does there. Junos
Evolved and cRPD run on Linux, whose netstat uses a colon (`10.0.12.1:179`) and may add the program. A table in an
unknown format is an error, because an unread connection must not count as closed.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from keyroll.junos.errors import OutputError

COMMAND = "show system connections"
SESSION_PORTS = frozenset({179, 646})
"""BGP (RFC 4271) and LDP (RFC 5036): the sessions that keychains protect."""
Address = IPv4Address | IPv6Address
End = tuple[Address, int]

_HEADER = re.compile(r"^Proto\s+Recv-Q\s+Send-Q\s+Local Address\s+Foreign Address\s+\(?[Ss]tate\)?", re.MULTILINE)
_ROW = re.compile(
    r"^tcp\d*\s+\d+\s+\d+\s+(?P<local>\S+)\s+(?P<remote>\S+)\s+(?P<state>[A-Z][A-Z0-9_-]*)(?:\s+\S.*)?$", re.ASCII
)
_LISTENING = frozenset({"LISTEN"})
_OVER = frozenset({"TIME_WAIT", "CLOSED", "CLOSE"})
_OPEN = frozenset({"ESTABLISHED", "SYN_SENT"})
_CLOSING = frozenset(
    {
        *("FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "LAST_ACK", "CLOSING", "SYN_RCVD"),
        *("FIN_WAIT1", "FIN_WAIT2", "SYN_RECV"),  # abbreviations of Linux' netstat
    }
)


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection, neither listening nor closed: both ends, and its state as shown."""

    local: End
    remote: End
    state: str

    @property
    def open(self) -> bool:
        """Whether the connection is open. One in SYN_RCVD does not count: after a reset its peer no longer exists."""
        return self.state in _OPEN

    @property
    def ends(self) -> frozenset[tuple[str, int]]:
        """Both ends, in either order: address (as text) and port each."""
        return frozenset((str(address), port) for address, port in (self.local, self.remote))

    def is_session(self, addresses: Container[Address]) -> bool:
        """Whether it is a routing session between two of these addresses, not a management connection."""
        ports = {self.local[1], self.remote[1]}
        return self.local[0] in addresses and self.remote[0] in addresses and not ports.isdisjoint(SESSION_PORTS)

    def __str__(self) -> str:
        return f"{self.local[0]} port {self.local[1]}, {self.remote[0]} port {self.remote[1]}, {self.state}"


def connections(text: str, *, router: str) -> tuple[Connection, ...]:
    """Return the connections in a table.

    Raises:
        OutputError: the table is missing, or a row has an unknown format.
    """
    if not _HEADER.search(text):
        raise OutputError(f"{router}: the answer has no table of connections", router=router, command=COMMAND, raw=text)
    return tuple(_rows(text, router))


def _rows(text: str, router: str) -> Iterator[Connection]:
    for line in text.splitlines():
        if not line.startswith("tcp"):
            continue  # headings, UDP, Unix sockets
        row = _ROW.match(line.rstrip())
        state = row["state"] if row is not None else ""
        if row is None or state not in _LISTENING | _OVER | _OPEN | _CLOSING:
            raise _unreadable(line, text, router)
        if state in _LISTENING | _OVER:
            continue
        local, remote = _end(row["local"]), _end(row["remote"])
        if local is None or remote is None:
            raise _unreadable(line, text, router)
        yield Connection(local, remote, state)


def _end(text: str) -> End | None:
    """Parse an end such as `10.0.12.1.179`, `10.0.12.1:179` or `2001:db8::1.179`; None for other formats."""
    match = re.fullmatch(r"(?P<address>.+)[.:](?P<port>\d{1,5})", text, re.ASCII)
    if match is None:
        return None
    try:
        # The zone (`fe80::1%ge-0/0/0.0`) is redundant on a router with one link.
        return ip_address(match["address"].strip("[]").partition("%")[0]), int(match["port"])
    except ValueError:
        return None


def _unreadable(line: str, text: str, router: str) -> OutputError:
    return OutputError(
        f"{router}: unknown format of a connection: {line.strip()}", router=router, command=COMMAND, raw=text
    )
