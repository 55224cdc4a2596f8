"""The commands that a watched router may be sent: whole commands, with addresses as their only parameters.

A command is never built from text. Its shape is one of these, and its address is a value that was parsed, so that no
answer of a router and no field of the inventory can add a word, a pipe or a line. To allow every command that begins
with `show` would not be enough: `show … | save FILE` writes on the router.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from keyroll.errors import InputError

_ADDRESS = re.compile(r"[0-9a-f.:]{2,45}")


class Shape(enum.Enum):
    """The commands. None has output that grows with the routing table, none needs `configure`, none writes."""

    # Commands with large output are sent once: the configuration, the log (by `collect`), a large label database.

    CONFIGURATION = "show configuration | no-more"
    CLOCK = "show system uptime"
    KEYCHAIN = "show security keychain detail"
    BGP = "show bgp summary"
    LDP = "show ldp session detail"
    LABELS = "show ldp database session {address}"
    """Grows with the labels of one session, one for each prefix of the interior gateway protocol that has one. Where
    they are many it is sent once (keyroll.watch.verdict.LABELS_MAX)."""
    DROPS = "show system statistics tcp"
    VERSION = "show version"
    NEIGHBOR = "show bgp neighbor {address}"
    LOG = "show log messages | no-more"


@dataclass(frozen=True, slots=True)
class Command:
    """One command, whole."""

    shape: Shape
    address: IPv4Address | IPv6Address | None = None

    @property
    def text(self) -> str:
        """The line to send.

        Raises:
            InputError: the address is missing, not wanted, or has a zone (`fe80::1%ge-0/0/0`).
        """
        wanted = "{address}" in self.shape.value
        text = "" if self.address is None else str(self.address)
        parsed = isinstance(self.address, IPv4Address | IPv6Address)
        if wanted is not parsed or (wanted and not _ADDRESS.fullmatch(text)):
            raise InputError(f"'{self.shape.value}' cannot be sent with {f'address {text}' if text else 'no address'}")
        return self.shape.value.format(address=text)
