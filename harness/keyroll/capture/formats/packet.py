"""A captured packet, and the error that a reader raises."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from keyroll.errors import InputError, Where


class CaptureError(InputError):
    """A capture file cannot be read, or ends early; the reader has returned the complete packets before that place."""

    def __init__(self, message: str, *, path: Path | str, packet: int | None = None, remedy: str | None = None) -> None:
        super().__init__(message, where=Where.of(path), remedy=remedy)
        self.packet = packet
        """The number of the packet at which reading ended; None if the file is not a capture at all."""


class Packet(NamedTuple):
    """One packet of a capture."""

    number: int
    """From 1, in the order of the file: the number that Wireshark and tcpdump show."""
    time_ns: int | None
    """Nanoseconds since 1970 in UTC, by the capturing machine's clock; None where the file holds no time."""
    link: int
    """The link type (LINKTYPE_ registry): 1 is Ethernet."""
    data: bytes
    """The frame, as far as it was captured."""
    length: int
    """The frame's length on the wire, in octets."""
