from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Self

import pytest
from tests.unit.known import known

from keyroll.configuration import read
from keyroll.configuration.reading import Configuration
from keyroll.keychain.generate import generate
from keyroll.keychain.junostext import set_lines
from keyroll.keychain.model import Keychain

T0 = datetime(2030, 1, 1, tzinfo=UTC)
CHAIN = generate(1, name="KC", count=2, first=T0, tolerance=600)


class Router:
    """A router's configuration as set lines, with methods that change it."""

    def __init__(self, name: str, own: str, peer: str, asn: int, peer_as: int, chain: Keychain) -> None:
        self.name = name
        neighbor = f"set protocols bgp group g neighbor {peer}"
        self.lines = [
            f"set system host-name {name}",
            f"set interfaces ge-0/0/0 unit 0 family inet address {own}/30",
            f"set routing-options autonomous-system {asn}",
            "set protocols bgp group g type external",
            f"{neighbor} peer-as {peer_as}",
            f"{neighbor} authentication-algorithm ao",
            f"{neighbor} authentication-key-chain KC",
            *set_lines(chain),
        ]

    def add(self, *lines: str) -> Self:
        self.lines += lines
        return self

    def without(self, words: str) -> Self:
        self.lines = [line for line in self.lines if words not in line]
        return self

    def swap(self, old: str, new: str) -> Self:
        self.lines = [line.replace(old, new) for line in self.lines]
        return self

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    def read(self) -> Configuration:
        return read(self.text, f"{self.name}.conf")


@pytest.fixture
def pair() -> Callable[..., tuple[Router, Router]]:
    """Return a function that makes R1 and R2 on one link; R2's chain is R1's with the ids reversed."""

    def make(chain: Keychain = CHAIN, peer: Keychain | None = None) -> tuple[Router, Router]:
        theirs = chain.mirrored() if peer is None else peer
        return (
            Router("R1", "10.0.0.1", "10.0.0.2", 65001, 65002, chain),
            Router("R2", "10.0.0.2", "10.0.0.1", 65002, 65001, theirs),
        )

    return make


@pytest.fixture
def late() -> Keychain:
    """Return a chain for R2 whose second key starts 900 s after R1's."""
    keys = CHAIN.mirrored().keys
    return replace(
        CHAIN.mirrored(), keys=(keys[0], replace(keys[1], start=known(keys[1].start) + timedelta(seconds=900)))
    )
