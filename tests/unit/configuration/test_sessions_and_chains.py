"""Reading sessions and chains from a configuration, and matching the two ends of a session: the basic cases."""

from __future__ import annotations

import pytest

from keyroll.configuration import Alone, Kind, PeerKind, match, read
from keyroll.errors import InputError
from keyroll.keychain.secret import Likeness
from keyroll.names import SessionKind

CHAIN = """
security {
    authentication-key-chains {
        key-chain EDGE {
            key 3 {
                secret "$9$.PT3REyv87CtMX-waJz36"; ## SECRET-DATA
                start-time "2025-3-1.06:00:00 +0100";
                algorithm ao;
                ao-attribute {
                    send-id 7;
                    recv-id 8;
                    tcp-ao-option enabled;
                }
            }
        }
    }
}
"""
BGP = """
system { host-name west; }
interfaces { ge-0/0/4 { unit 7 { family inet { address 198.51.100.9/31; } } } }
routing-options { autonomous-system 64500; }
protocols {
    bgp {
        hold-time 30;
        group up {
            type external;
            authentication-algorithm ao;
            authentication-key-chain EDGE;
            neighbor 198.51.100.8 {
                peer-as 64501;
                family inet { unicast; }
            }
        }
    }
}
"""


def west() -> str:
    return CHAIN + BGP


def east() -> str:
    text = west().replace("west", "east").replace("198.51.100.9/31", "198.51.100.8/31")
    return text.replace("neighbor 198.51.100.8", "neighbor 198.51.100.9")


def test_a_chain_is_read_with_its_values_and_places() -> None:
    (chain,) = read(west(), "west.conf").main.chains
    (key,) = chain.keychain.keys
    assert (chain.name, key.id, key.send_id, key.recv_id, key.usable) == ("EDGE", 3, 7, 8, True)
    assert key.secret is not None
    assert key.secret.reveal() == b"interop"
    assert str(chain.place(3, "send-id")) == "west.conf:10"
    assert chain.doubts == ()


def test_a_session_has_the_statements_in_force_for_it_and_their_places() -> None:
    (session,) = read(west(), "west.conf").main.sessions
    assert (session.kind, session.router, session.instance, session.group) == (SessionKind.BGP, "west", None, "up")
    assert (str(session.peer), session.local_as, session.peer_as, session.type) == (
        "198.51.100.8",
        64500,
        64501,
        "external",
    )
    assert session.families == ("inet unicast",)
    assert session.hold_time is not None
    assert (session.hold_time.value, session.hold_time.where.line) == (30, 24)
    assert session.authentication.ao
    assert session.authentication.chain is not None
    assert session.authentication.chain.where.line == 28
    assert session.doubts == ()


def test_two_ends_are_matched_by_their_addresses() -> None:
    routers = [one for text in (west(), east()) for one in read(text, "a.conf").routers]
    ends = match(routers)
    (link,) = ends.links
    assert (str(link.one_address), str(link.other_address)) == ("198.51.100.9", "198.51.100.8")
    assert ends.singles == ()


def test_a_session_without_its_other_end_is_listed_with_the_reason() -> None:
    (single,) = match(read(west(), "west.conf").routers).singles
    assert single.reason is Alone.NO_ROUTER


def test_parallel_sessions_of_two_routers_are_not_crossed() -> None:
    text = """
    interfaces { ge-0/0/0 { unit 0 { family inet { address 192.0.2.1/30; address 192.0.2.5/30; } } } }
    protocols { bgp { group g { neighbor 192.0.2.2; neighbor 192.0.2.6; } } }
    """
    other = text.replace("2.1/", "2.x/").replace("2.5/", "2.y/").replace("r 192.0.2.2", "r 192.0.2.1")
    other = other.replace("r 192.0.2.6", "r 192.0.2.5").replace("2.x/", "2.2/").replace("2.y/", "2.6/")
    ends = match([*read(text, "one").routers, *read(other, "two").routers])
    assert [(str(link.one_address), str(link.other_address)) for link in ends.links] == [
        ("192.0.2.1", "192.0.2.2"),
        ("192.0.2.5", "192.0.2.6"),
    ]


def test_groups_with_one_name_in_two_instances_are_different_groups() -> None:
    text = """
    routing-instances {
        red { protocols { bgp { group ce { authentication-algorithm ao; authentication-key-chain K;
                                           neighbor 192.0.2.2; } } } }
        blue { protocols { bgp { group ce { neighbor 192.0.2.6; } } } }
    }
    """
    sessions = {session.instance: session for session in read(text, "pe").main.sessions}
    assert sessions["red"].authentication.ao
    assert not sessions["blue"].authentication.ao


def test_an_instance_inherits_nothing_from_the_main_bgp() -> None:
    text = """
    set protocols bgp authentication-algorithm ao
    set protocols bgp authentication-key-chain K
    set protocols bgp group core neighbor 192.0.2.2
    set routing-instances c protocols bgp group ce neighbor 192.0.2.6
    """
    core, ce = read(text, "pe").main.sessions
    assert core.authentication.ao
    assert ce.instance == "c"
    assert ce.authentication.chain is None


def test_logical_systems_are_separate_routers_that_use_the_main_chains() -> None:
    text = """
    set system host-name box
    set security authentication-key-chains key-chain K key 1 secret aSecret
    set logical-systems P1 interfaces lt-0/0/0 unit 1 family inet address 192.0.2.1/30
    set logical-systems P1 protocols bgp group i authentication-algorithm ao
    set logical-systems P1 protocols bgp group i authentication-key-chain K
    set logical-systems P1 protocols bgp group i neighbor 192.0.2.2
    set logical-systems P2 interfaces lt-0/0/0 unit 2 family inet address 192.0.2.2/30
    set logical-systems P2 protocols bgp group i neighbor 192.0.2.1
    """
    main, one, other = read(text, "box.set").routers
    assert (main.sessions, one.name, other.name) == ((), "box:P1", "box:P2")
    assert one.chain("K") is not None
    (link,) = match([main, one, other]).links
    assert (link.one.authentication.ao, link.other.authentication.ao) == (True, False)


def test_an_applied_group_with_a_wildcard_protects_the_bgp_groups_that_match() -> None:
    text = """
    groups { AUTH { protocols { bgp { group <EDGE-*> { authentication-algorithm ao; authentication-key-chain K; } } } }
    }
    protocols { bgp { apply-groups AUTH; group EDGE-1 { neighbor 192.0.2.2; } group CORE { neighbor 192.0.2.6; } } }
    """
    edge, core = read(text, "r").main.sessions
    assert edge.authentication.ao
    assert edge.authentication.chain is not None
    assert edge.authentication.chain.group == "AUTH"
    assert core.authentication.chain is None
    assert edge.doubts == ()


def test_a_line_that_is_not_understood_gives_a_finding_to_the_sessions_of_its_level_only() -> None:
    text = west().replace("        group up {", "        group down { neighbor 192.0.2.9; }\n        group up {")
    damaged = text.replace("authentication-algorithm ao;", "authentication-algorthm ao;")
    down, up = read(damaged, "west.conf").main.sessions
    assert down.doubts == ()
    (doubt,) = up.doubts
    assert doubt.kind is Kind.NOT_UNDERSTOOD
    assert doubt.where.line == 28


def test_ldp_sessions_prefixes_and_discovered_peers_are_sessions() -> None:
    text = """
    set protocols ldp session 192.0.2.3 authentication-algorithm ao
    set protocols ldp session 192.0.2.3 authentication-key-chain K
    set protocols ldp session-group 192.0.2.0/24 authentication-algorithm ao
    set protocols bgp group u dynamic-neighbor d peer-auto-discovery interface ge-0/0/1.0
    set protocols bgp group u allow 198.51.100.0/24
    """
    sessions = read(text, "r").main.sessions
    assert [(one.kind, one.peer_kind) for one in sessions] == [
        (SessionKind.BGP, PeerKind.PREFIX),
        (SessionKind.BGP, PeerKind.DISCOVERED),
        (SessionKind.LDP, PeerKind.ADDRESS),
        (SessionKind.LDP, PeerKind.PREFIX),
    ]
    assert sessions[2].authentication.ao
    assert not sessions[3].authentication.ao


def test_an_unknown_secret_counts_as_configured_and_cannot_be_compared_by_accident() -> None:
    text = west().replace('"$9$.PT3REyv87CtMX-waJz36"', '"<REMOVED>"')
    (one,), (other,) = (read(text, name).main.chains for name in ("a", "b"))
    (mine,), (theirs,) = one.keychain.keys, other.keychain.keys
    assert mine.usable
    assert one.secrets_unknown == (3,)
    assert mine.secret is not None
    assert theirs.secret is not None
    assert mine.secret.compare(theirs.secret) is Likeness.UNKNOWN
    with pytest.raises(InputError, match="unknown secret"):
        _ = mine.secret == theirs.secret
    with pytest.raises(InputError, match="not known"):
        mine.secret.reveal()


def test_a_change_is_applied_to_a_copy_of_the_configuration_and_each_line_keeps_its_file() -> None:
    before = read(west(), "west.conf")
    after = read("set protocols bgp group up hold-time 90\ndelete protocols bgp hold-time\n", "change.set", base=before)
    (session,) = after.main.sessions
    assert session.hold_time is not None
    assert (session.hold_time.value, str(session.hold_time.where)) == (90, "change.set:1")
    assert str(session.where) == "west.conf:29"
    (untouched,) = before.main.sessions
    assert untouched.hold_time is not None
    assert untouched.hold_time.value == 30
