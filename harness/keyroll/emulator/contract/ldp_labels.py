"""The labels that LDP has exchanged, and the machine half that tells of them (an addition to `model.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class LdpBinding:
    """One label that a neighbour has given for a prefix (`received`), or that it was given."""

    peer_id: IPv4Address
    """The neighbour's LSR id."""
    prefix: IPv4Network
    label: int
    """As the wire has it: 3 is implicit null."""
    received: bool


@runtime_checkable
class LabelBackend(Protocol):
    """A machine half that tells which labels LDP has exchanged. Raises `BackendError` when it cannot be read."""

    async def ldp_bindings(self) -> Sequence[LdpBinding]:
        """Return the labels of all neighbours, both ways."""
        ...
