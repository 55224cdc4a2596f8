"""Dead parts of a lab: the wire path is replaced and its connections continue; any other part is named in an error."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.lab.conftest import Pair
from tests.lab.control_socket import ask
from tests.lab.lab_processes import pid_of_part

from keyroll.keychain.model import Keychain
from keyroll.lab.protocol import LabError
from keyroll.names import SessionKind
from keyroll.tcpao.option import scan_options

pytestmark = pytest.mark.lab
ETHERNET = 14


def kill(pair: Pair, router: str, part: str) -> int:
    pid = pid_of_part(pair.lab.name, router, part)
    os.kill(pid, signal.SIGKILL)
    return pid


def states_and_flaps(pair: Pair) -> list[tuple[str, str, int]]:
    """Return the kind, state and flap counter of each session of both routers."""
    return [
        (kind, one["state"], one["flaps"])
        for router in ("R1", "R2")
        for kind in ("bgp", "ldp")
        for one in ask(pair.lab.name, router, op="status")[kind]
    ]


def replaced(pair: Pair, router: str, times: int) -> Callable[[], bool]:
    return lambda: len(ask(pair.lab.name, router, op="status")["restarts"]) == times


def tcp_segments(path: Path) -> list[bytes]:
    data, found = path.read_bytes()[24:], []
    while data:
        length = int.from_bytes(data[8:12], "little")
        frame, data = data[16 : 16 + length], data[16 + length :]
        if frame[12:14] == b"\x08\x00" and frame[ETHERNET + 9] == 6:
            found.append(frame[ETHERNET + 20 :])
    return found


def unsigned(path: Path) -> list[bytes]:
    return [one for one in tcp_segments(path) if scan_options(one[20 : 4 * (one[12] >> 4)]).ao is None]


def test_a_wire_path_that_is_killed_is_replaced_and_no_session_flaps(own_pair: Pair, chain: Keychain) -> None:
    own_pair.configure(kinds=(SessionKind.BGP, SessionKind.LDP), chain=chain)
    ask(own_pair.lab.name, "R1", op="clock", set="2031-05-06T07:08:09+00:00")
    own_pair.until("both sessions", are_up(own_pair, "Established", "Operational"))
    up = states_and_flaps(own_pair)
    own_pair.until("one connection for each session", lambda: len(open_connections(own_pair, "R1")) == 2)
    sockets = open_connections(own_pair, "R1")
    former = kill(own_pair, "R1", "wire")
    own_pair.until("a successor", replaced(own_pair, "R1", 1))
    own_pair.until("traffic both ways", both_ways(own_pair, sockets))
    status = ask(own_pair.lab.name, "R1", op="status")
    (restart,) = status["restarts"]
    assert (restart["code"], restart["reset"]) == (-signal.SIGKILL, [])
    # There may be a third one that is closing, if both routers connected at the same time.
    assert restart["connections"] >= 2
    assert restart["at"].startswith("2031-05-06T07:"), "the time of R1's clock, less than an hour after it was set"
    assert pid_of_part(own_pair.lab.name, "R1", "wire") != former
    assert states_and_flaps(own_pair) == up
    assert "wire was killed by SIGKILL; replaced after" in own_pair.sessions["R1"].show("show log messages").raw
    own_pair.lab.check()
    assert [text for text in own_pair.lab.incidents if "R1's wire path was killed by SIGKILL" in text]
    own_pair.lab.destroy()
    for capture in own_pair.lab.captures.values():
        assert unsigned(capture) == []


def are_up(pair: Pair, *states: str) -> Callable[[], bool]:
    """Return a condition: each router's sessions, BGP before LDP, are in these states."""
    return lambda: [state for _, state, _ in states_and_flaps(pair)] == [*states] * 2


def open_connections(pair: Pair, router: str) -> list[str]:
    known = ask(pair.lab.name, router, op="status")["wire"]["connections"]
    return [one["remote"] for one in known if one["phase"] == "open"]


def both_ways(pair: Pair, remotes: list[str]) -> Callable[[], bool]:
    """Return a condition: on each of these connections the new wire path has signed and verified a segment."""

    def seen() -> bool:
        ways = {
            one["remote"]: (one["out"], one["in"])
            for one in ask(pair.lab.name, "R1", op="status")["wire"]["connections"]
        }
        return all(remote in ways and all(way["segments"] for way in ways[remote]) for remote in remotes)

    return seen


def test_a_wire_path_that_dies_again_soon_ends_the_lab_with_its_name_and_log(own_pair: Pair) -> None:
    kill(own_pair, "R2", "wire")
    own_pair.until("a successor", replaced(own_pair, "R2", 1))
    own_pair.lab.check()
    kill(own_pair, "R2", "wire")
    with pytest.raises(LabError, match=r"R2's wire was killed by SIGKILL.*-wire\.log"):
        own_pair.until("the error", lambda: False)


@pytest.mark.slow
def test_a_commit_during_the_replacement_of_the_wire_path_takes_effect(own_pair: Pair, chain: Keychain) -> None:
    own_pair.configure(chain=chain)
    own_pair.until("BGP", are_up(own_pair, "Established"))
    up = states_and_flaps(own_pair)
    kill(own_pair, "R1", "wire")
    start = (datetime.now(UTC) + timedelta(days=900)).strftime("%Y-%m-%d.%H:%M:%S")
    own_pair.commit("R1", [f"set security authentication-key-chains key-chain {chain.name} key 1 start-time {start}"])
    own_pair.until("a successor", replaced(own_pair, "R1", 1))
    assert states_and_flaps(own_pair) == up


@pytest.mark.parametrize(
    "daemon",
    ["bgpd", *(pytest.param(daemon, marks=pytest.mark.slow) for daemon in ("ldpd", "zebra", "staticd"))],
)
def test_a_daemon_that_dies_is_named_in_the_router_status_and_in_the_lab_error(
    own_pair: Pair, chain: Keychain, daemon: str
) -> None:
    own_pair.configure(kinds=(SessionKind.BGP, SessionKind.LDP), chain=chain)
    own_pair.commit("R1", ["set routing-options static route 198.51.100.0/24 next-hop 10.0.12.2"])
    kill(own_pair, "R1", daemon)
    with pytest.raises(LabError, match=rf"R1's {daemon} was killed by SIGKILL.*R1-{daemon}\.log"):
        own_pair.until("the error", lambda: False)
    status = ask(own_pair.lab.name, "R1", op="status")
    (death,) = [death for death in status["deaths"] if death["what"] == daemon]
    assert death["sentence"] == f"{daemon} was killed by SIGKILL"
    assert death["last_lines"] == (own_pair.lab.evidence / death["log"]).read_text().splitlines()[-12:]
    assert daemon not in status["processes"]
    assert f"{daemon} was killed by SIGKILL" in own_pair.sessions["R1"].show("show log messages").raw
