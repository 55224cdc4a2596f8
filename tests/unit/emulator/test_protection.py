"""Which sessions of an intent the wire path protects, and which ones a change of protection resets."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from keyroll.emulator.contract.model import AuthScheme, BackendError, Intent, Ldp, LdpPeer, Protection
from keyroll.emulator.machine.protected_sessions import (
    KeyPolicy,
    changed_kind,
    has_groups,
    protected_sessions,
    removed_sessions,
)

AO = Protection(AuthScheme.AO, "chain")
PEER, OTHER, UNPROTECTED = (ip_address(text) for text in ("10.0.1.1", "10.0.2.1", "192.0.2.1"))


def intent(*peers: tuple[str, Protection | None]) -> Intent:
    named = tuple(LdpPeer(ip_network(text), protection) for text, protection in peers)
    return Intent("R1", ldp=Ldp((), peers=named))


def covered(wanted: Intent) -> list[list[str]]:
    sessions = protected_sessions(wanted, KeyPolicy())
    return [[str(one) for one in (PEER, OTHER, UNPROTECTED) if session.covers(one)] for session in sessions]


def test_a_group_covers_its_prefix_except_longer_prefixes_without_protection() -> None:
    assert covered(intent(("10.0.1.1/32", AO))) == [[str(PEER)]]
    assert covered(intent(("10.0.0.0/16", AO))) == [[str(PEER), str(OTHER)]]
    assert covered(intent(("10.0.0.0/16", AO), ("10.0.1.1/32", None))) == [[str(OTHER)]]
    assert covered(intent(("10.0.0.0/16", AO), ("10.0.2.0/24", None))) == [[str(PEER)]]
    assert covered(intent(("10.0.1.0/24", AO), ("10.0.0.0/16", None))) == [[str(PEER)]]
    assert has_groups(intent(("10.0.0.0/16", AO)))
    assert not has_groups(intent(("10.0.1.1/32", AO)))


def test_other_schemes_are_refused_for_groups_too() -> None:
    with pytest.raises(BackendError, match=r"not emulated: .* of the session with"):
        protected_sessions(intent(("10.0.0.0/16", Protection(AuthScheme.HMAC_SHA_1_96, "chain"))), KeyPolicy())


def test_only_the_peers_that_a_group_starts_or_stops_protecting_are_reset() -> None:
    known = (PEER, OTHER, UNPROTECTED)
    group, none = intent(("10.0.0.0/16", AO)), intent()
    assert changed_kind(none, group, known) == [(646, PEER), (646, OTHER)]
    assert changed_kind(group, none, known) == [(646, PEER), (646, OTHER)]
    assert changed_kind(group, intent(("10.0.1.1/32", AO)), known) == [(646, OTHER)]
    assert changed_kind(group, intent(("10.0.0.0/16", AO), ("10.0.2.1/32", None)), known) == [(646, OTHER)]
    assert changed_kind(intent(("10.0.1.1/32", AO)), none) == [(646, PEER)]


def test_a_group_that_was_removed_is_found_by_comparing_the_tables() -> None:
    old = protected_sessions(intent(("10.0.0.0/16", AO)), KeyPolicy())
    assert removed_sessions(old, protected_sessions(intent(("10.0.0.0/24", AO)), KeyPolicy())) == old
    assert removed_sessions(old, old) == ()
