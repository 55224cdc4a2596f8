"""The embedded lab as a whole: sessions over TCP-AO, captures, dead processes, changes while it is up."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.lab.conftest import Pair
from tests.lab.control_socket import ask
from tests.lab.lab_processes import pid_of

from keyroll.junos.base_configuration import Family
from keyroll.keychain.model import Keychain
from keyroll.lab.protocol import Impairment, LabError
from keyroll.names import SessionKind
from keyroll.tcpao.option import scan_options

pytestmark = pytest.mark.lab
ETHERNET = 14
IPV4 = b"\x08\x00"
ENDS_SECONDS = 60.0
"""Longest time from the session's start to the last write into a capture of a lab that is then destroyed: 1 s on an
idle machine."""


def both(pair: Pair, test: Callable[[dict[str, Any]], bool]) -> Callable[[], bool]:
    return lambda: all(test(ask(pair.lab.name, router, op="status")) for router in ("R1", "R2"))


def established(status: dict[str, Any]) -> bool:
    return [one["state"] for one in status["bgp"]] == ["Established"]


def operational(status: dict[str, Any]) -> bool:
    return [one["state"] for one in status["ldp"]] == ["Operational"]


def connections(pair: Pair) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the protected connections of R1's wire path, by their two ends."""
    wire = ask(pair.lab.name, "R1", op="status")["wire"]
    return {(one["local"], one["remote"]): one for one in wire["connections"]}


def new_connections(pair: Pair, before: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the connections that are neither closing nor in `before`: aborted ones of earlier tests stay a while."""
    return [one for ends, one in connections(pair).items() if ends not in before and one["phase"] != "closing"]


def test_bgp_comes_up_over_tcp_ao_and_exchanges_routes(pair: Pair, chain: Keychain) -> None:
    before = connections(pair)
    pair.configure(chain=chain)
    pair.until("BGP", both(pair, established))
    pair.until("routes", pair.shows("show bgp summary", "1/1/1/0"))
    assert [one["out"]["key"] for one in new_connections(pair, before) if one["phase"] == "open"] == [0]
    assert pair.lab.capture_losses() == {"R1": 0, "R2": 0}


@pytest.mark.slow
def test_bgp_comes_up_over_ipv6(pair: Pair, chain: Keychain) -> None:
    pair.configure(chain=chain, family=Family.INET6)
    pair.until("BGP", both(pair, established))
    pair.until("routes", pair.shows("show bgp summary", "inet6.0: 1/1/1/0"))


@pytest.mark.slow
def test_bgp_over_ipv6_comes_up_again_after_routing_restarts_on_both_routers(pair: Pair, chain: Keychain) -> None:
    before = connections(pair)
    pair.configure(chain=chain, family=Family.INET6)
    pair.until("BGP", both(pair, established))
    for router in ("R1", "R2"):
        pair.sessions[router].show("restart routing")
    pair.until("a new connection", lambda: new_ends(pair, before) > 1)
    pair.until("BGP again", both(pair, established))
    pair.until("routes again", pair.shows("show bgp summary", "inet6.0: 1/1/1/0"))


def new_ends(pair: Pair, before: dict[tuple[str, str], dict[str, Any]]) -> int:
    return len(connections(pair).keys() - before.keys())


def test_an_ldp_session_beside_bgp_counts_a_flap_of_ten_milliseconds(pair: Pair, chain: Keychain) -> None:
    pair.configure(kinds=(SessionKind.BGP, SessionKind.LDP), chain=chain)
    pair.until("LDP", both(pair, operational))
    pair.until("BGP", both(pair, established))
    (before,), bgp = ldp_flaps(pair, "R2"), pair.flaps()
    pair.sessions["R1"].show("clear ldp session")
    pair.until("the flap", lambda: ldp_flaps(pair, "R2") == [before + 1])
    pair.until("LDP again", both(pair, operational))
    assert established(ask(pair.lab.name, "R1", op="status"))
    assert pair.flapped_since(bgp) == []


def ldp_flaps(pair: Pair, router: str) -> list[int]:
    """Return the flap counters of a router's LDP sessions."""
    return [one["flaps"] for one in ask(pair.lab.name, router, op="status")["ldp"]]


def test_a_session_group_protects_every_ldp_peer_in_its_prefix(own_pair: Pair, chain: Keychain) -> None:
    own_pair.configure(kinds=(SessionKind.BGP, SessionKind.LDP), chain=chain)
    own_pair.until("LDP", both(own_pair, operational))
    before = ldp_flaps(own_pair, "R1")
    for me, peer in (("R1", 2), ("R2", 1)):
        group = "set protocols ldp session-group 10.0.12.0/24"
        own_pair.commit(
            me,
            [
                f"delete protocols ldp session 10.0.12.{peer}",
                f"{group} authentication-algorithm ao",
                f"{group} authentication-key-chain {chain.name}",
            ],
        )
    assert ldp_flaps(own_pair, "R1") == before, "the same chain, configured by another statement"
    own_pair.sessions["R1"].show("clear ldp session")
    own_pair.until(
        "LDP again",
        lambda: operational(status := ask(own_pair.lab.name, "R1", op="status")) and ldp_keys(status) == [0],
    )
    for capture in own_pair.lab.captures.values():
        signed = [scan_options(options(frame)).ao is not None for frame in frames(capture) if ldp(frame)]
        assert len(signed) > 10
        assert all(signed)
    own_pair.commit("R2", ["delete protocols ldp session-group 10.0.12.0/24"])
    own_pair.until(
        "no session, because only R1 has a chain", lambda: not operational(ask(own_pair.lab.name, "R1", op="status"))
    )
    own_pair.until(
        "R1 drops unsigned segments",
        lambda: ask(own_pair.lab.name, "R1", op="status")["wire"]["drops"].get("in no-option", 0) > 0,
    )


def ldp_keys(status: dict[str, Any]) -> list[int]:
    wire = status["wire"]["connections"]
    return [one["out"]["key"] for one in wire if one["port"] == 646 and one["phase"] == "open"]


def ldp(packet: bytes) -> bool:
    ports = packet[ETHERNET + 20 : ETHERNET + 24]
    return tcp(packet) and b"\x02\x86" in (ports[:2], ports[2:])


def test_without_a_chain_no_segment_carries_the_option_and_the_session_is_up(pair: Pair) -> None:
    before = connections(pair)
    pair.configure()
    pair.until("BGP", both(pair, established))
    assert new_connections(pair, before) == []


def bad_macs(pair: Pair) -> int:
    found: int = ask(pair.lab.name, "R1", op="status")["wire"]["drops"].get("in bad-mac", 0)
    return found


@pytest.mark.slow
def test_different_secrets_keep_the_session_down(pair: Pair, chain: Keychain) -> None:
    pair.configure(chain=chain)
    pair.until("BGP", both(pair, established))
    pair.commit("R2", [f"set security authentication-key-chains key-chain {chain.name} key 0 secret otherotherother"])
    before = bad_macs(pair)
    # An open connection keeps the key that it uses; a new one uses the configured key.
    pair.sessions["R2"].show("clear bgp neighbor all")

    pair.until("drops", lambda: bad_macs(pair) > before)
    assert not established(ask(pair.lab.name, "R1", op="status"))


@pytest.mark.slow
def test_an_unrelated_commit_does_not_affect_a_session_in_use(pair: Pair, chain: Keychain) -> None:
    pair.configure(chain=chain)
    pair.until("BGP", both(pair, established))
    before = pair.flaps()
    group = "set protocols bgp group other"
    pair.commit(
        "R1",
        [f"{group} type external", f"{group} peer-as 65009", f"{group} neighbor 10.0.12.3", "set system host-name X1"],
    )
    pair.commit("R1", ["delete protocols bgp group other"])
    assert established(ask(pair.lab.name, "R1", op="status"))
    assert pair.flapped_since(before) == []


def test_the_captures_begin_with_the_first_segment_and_hold_both_directions(own_pair: Pair, chain: Keychain) -> None:
    own_pair.configure(chain=chain)
    own_pair.until("BGP", both(own_pair, established))
    established_at = time.time()
    paths = own_pair.lab.captures
    own_pair.lab.destroy()
    for path in paths.values():
        segments = [packet for packet in frames(path) if tcp(packet)]
        assert segments, path
        assert segments[0][ETHERNET + 20 + 13] & 0x02, "the first segment is a SYN"
        assert all(scan_options(options(packet)).ao is not None for packet in segments)
        assert {packet[ETHERNET + 12 : ETHERNET + 16] for packet in segments} == {
            bytes((10, 0, 12, 1)),
            bytes((10, 0, 12, 2)),
        }
        assert path.stat().st_mtime <= established_at + ENDS_SECONDS


def frames(path: Path) -> list[bytes]:
    data = path.read_bytes()[24:]
    found = []
    while data:
        length = int.from_bytes(data[8:12], "little")
        found.append(data[16 : 16 + length])
        data = data[16 + length :]
    return found


def tcp(packet: bytes) -> bool:
    return packet[12:14] == b"\x08\x00" and packet[ETHERNET + 9] == 6


def options(packet: bytes) -> bytes:
    head = packet[ETHERNET + 20 :]
    return head[20 : 4 * (head[12] >> 4)]


@pytest.mark.parametrize("victim", ["bgpd", pytest.param("zebra", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_a_lab_process_that_dies_is_reported_at_once_with_its_last_log_lines(own_pair: Pair, victim: str) -> None:
    own_pair.lab.check()
    pid = pid_of(own_pair.lab.name, lambda one: f"/{victim}" in one.command)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(LabError, match=rf"R[12]'s {victim} was killed by SIGKILL.*-{victim}\.log") as caught:
        own_pair.until("the error", lambda: False)
    assert own_pair.lab.name in str(caught.value)
    with pytest.raises(LabError):
        own_pair.lab.check()


def test_each_router_has_a_clock_of_its_own(pair: Pair) -> None:
    ask(pair.lab.name, "R1", op="clock", set="2030-01-01T00:00:00+00:00")
    assert ask(pair.lab.name, "R1", op="clock")["now"].startswith("2030-01-01T00:00:")
    assert not ask(pair.lab.name, "R2", op="clock")["now"].startswith("2030")


def test_two_labs_at_the_same_time_are_isolated_from_each_other(
    tmp_path: Path, deploy: Callable[..., AbstractContextManager[Pair]], chain: Keychain
) -> None:
    with deploy(tmp_path / "a") as one, deploy(tmp_path / "b") as two:
        one.configure(chain=chain)
        two.configure(chain=chain)
        one.until("BGP", both(one, established))
        two.until("BGP", both(two, established))
        assert one.lab.name != two.lab.name


@pytest.mark.slow
def test_a_cut_link_takes_the_ports_down_and_the_session_comes_back_after_its_restoration(
    pair: Pair, chain: Keychain
) -> None:
    pair.configure(chain=chain)
    pair.until("BGP", both(pair, established))
    pair.lab.links.cut()
    pair.until("down", lambda: not established(ask(pair.lab.name, "R1", op="status")))
    pair.until("ports", pair.shows("show interfaces terse", "ge-0/0/0                up    down"))
    pair.lab.links.restore()
    pair.until("BGP again", both(pair, established))


@pytest.mark.slow
def test_an_impaired_link_loses_frames_and_the_session_stays_up(pair: Pair, chain: Keychain) -> None:
    pair.configure(chain=chain)
    pair.until("BGP", both(pair, established))
    flaps = pair.flaps()
    before = len(pair.lab.links.special_frames())
    for router in ("R1", "R2"):
        pair.lab.links.impair(Impairment(loss=0.3, delay=0.02, reorder=0.2, seed=7), towards=router)
    pair.sessions["R1"].show("clear bgp neighbor 10.0.12.2 soft")
    pair.until("losses", lambda: len(pair.lab.links.special_frames()) > before + 3)
    assert {frame.what for frame in pair.lab.links.special_frames()[before:]} == {"lost"}
    pair.until("BGP", both(pair, established))
    assert pair.flapped_since(flaps) == [], pair.sessions["R1"].show("show log messages").raw


def test_an_injected_frame_arrives_and_is_recorded_with_its_hash(pair: Pair, chain: Keychain) -> None:
    pair.configure(chain=chain)
    pair.until("BGP", both(pair, established))
    frame = b"\x02" * 6 + b"\x04" * 6 + b"\x88\xb5" + b"not a router's own"
    before = len(pair.lab.links.special_frames())
    digest = pair.lab.links.inject(frame, towards="R2")
    assert digest == hashlib.sha256(frame).hexdigest()
    (special,) = pair.lab.links.special_frames()[before:]
    assert (special.what, special.towards, special.sha256) == ("injected", "R2", digest)
    pair.until("arrival", lambda: frame in frames(pair.lab.captures["R2"]))
    assert frame not in frames(pair.lab.captures["R1"])


@pytest.mark.slow
def test_a_rebooted_router_comes_back_with_its_configuration_its_clock_and_its_port(
    pair: Pair, chain: Keychain
) -> None:
    pair.configure(chain=chain)
    ask(pair.lab.name, "R1", op="clock", set="2030-01-01T00:00:00+00:00")
    pair.until("BGP", both(pair, established))
    before = pair.flaps()
    pair.sessions["R1"].reboot()
    pair.until("BGP again", both(pair, established))
    assert ask(pair.lab.name, "R1", op="clock")["now"].startswith("2030-01-01T00:0")
    assert "R2" in [router for router, _ in pair.flapped_since(before)]
    senders = {frame[6:12] for frame in frames(pair.lab.captures["R1"]) if frame[12:14] == IPV4}
    assert len(senders) == 2, "with a new MAC address, the neighbour would send to the old one in its ARP table"
    pair.lab.check()
