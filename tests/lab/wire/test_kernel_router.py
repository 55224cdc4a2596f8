"""A whole emulated router (FRR, wire path, command line) against a small BGP speaker on the TCP-AO sockets of Linux.

R2 of the lab is not configured: the speaker uses R2's address, in the namespace of R2's wire. The output of R1, both
captures and the kernel's counters must agree.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import platform
import socket
import struct
import subprocess
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.lab.conftest import Pair
from tests.lab.wire import kernel_sockets as kernel

from keyroll import linux
from keyroll.capture import Follow, Referee, Verdict
from keyroll.capture.keys.keys_file import read_keys
from keyroll.emulator.contract.offload import disable_offloads
from keyroll.junos.records import BgpState, BgpSummary
from keyroll.junos.session import RouterSession
from keyroll.keychain.junostext import set_lines
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.lab.local import find

pytestmark = pytest.mark.lab

OWN, PEER, PORT = "10.0.12.2", "10.0.12.1", 179
AS, HOLD_SECONDS = 65002, 9
T0 = datetime(2030, 1, 1, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
MARKER = b"\xff" * 16
KEEPALIVE = MARKER + struct.pack("!HB", 19, 4)
UP_SECONDS = 60.0
"""From the commit to Established: R1 opens after 1 s; generous, for a busy machine."""


def key(number: int, start: timedelta) -> Key:
    return Key(
        id=number,
        secret=Secret(f"secret of key {number}"),
        start=T0 + start,
        scheme="ao",
        send_id=2 * number + 1,
        recv_id=2 * number + 2,
        tcp_ao_option=True,
    )


CHAIN = Keychain("chain", (key(0, timedelta(0)), key(1, HALF_HOUR)))


class Speaker:
    """A minimal BGP speaker (RFC 4271): it listens, keeps the session alive, and announces no routes."""

    def __init__(self, namespace: int) -> None:
        with linux.inside(namespace):
            self._listening = socket.create_server((OWN, PORT))
        kernel.give(self._listening, CHAIN, PEER)
        self.connection: socket.socket | None = None
        self.ended: str | None = None
        self._stop = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            connection, _ = self._listening.accept()
            connection.settimeout(HOLD_SECONDS)
            opened = struct.pack("!BHH4sB", 4, AS, HOLD_SECONDS, socket.inet_aton("10.255.0.2"), 8)
            opened += b"\x02\x06\x41\x04" + struct.pack("!I", AS)
            connection.sendall(MARKER + struct.pack("!HB", 19 + len(opened), 1) + opened + KEEPALIVE)
            self.connection = connection
            threading.Thread(target=self._keep_alive, args=(connection,), daemon=True).start()
            while connection.recv(65536):
                pass
            self.ended = "R1 closed the connection"
        except OSError as error:
            self.ended = str(error)

    def _keep_alive(self, connection: socket.socket) -> None:
        while not self._stop.wait(HOLD_SECONDS / 9):
            try:
                connection.sendall(KEEPALIVE)
            except OSError:
                return

    def close(self) -> None:
        self._stop.set()
        self._listening.close()
        if self.connection is not None:
            self.connection.close()


@pytest.fixture(autouse=True)
def kernel_with_tcp_ao() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            sock.getsockopt(socket.IPPROTO_TCP, kernel.INFO, 48)
        except OSError as error:
            if error.errno == errno.ENOPROTOOPT:
                pytest.skip(f"this kernel ({platform.release()}) has no TCP-AO: it needs 6.7 with CONFIG_TCP_AO")


@pytest.fixture
def speaker(own_pair: Pair) -> Iterator[Speaker]:
    """A speaker at R2's end of the link, in place of R2, which has no address."""
    _, (namespace,) = find.find(own_pair.lab.name).ask_keeper("namespace", router="R2")
    with linux.inside(namespace):
        subprocess.run(["ip", "address", "add", f"{OWN}/30", "dev", "eth1"], check=True)
        disable_offloads("eth1")  # else the kernel leaves checksums to the device, and they are wrong on the link
    made = Speaker(namespace)
    yield made
    made.close()


def counted(namespace: int) -> dict[str, int]:
    with linux.inside(namespace):
        lines = Path("/proc/thread-self/net/netstat").read_text(encoding="ascii").splitlines()
    return kernel.counters_in(lines)


def test_a_rollover_with_a_peer_on_the_tcp_ao_of_linux_is_hitless(
    own_pair: Pair, speaker: Speaker, tmp_path: Path
) -> None:
    _, (namespace,) = find.find(own_pair.lab.name).ask_keeper("namespace", router="R2")
    session = own_pair.sessions["R1"]
    session.set_clock(T0 + timedelta(minutes=1))
    own_pair.commit("R1", [*set_lines(CHAIN), *router_lines()])
    own_pair.until("the session is up", lambda: is_up(session), UP_SECONDS)
    session.set_clock(T0 + HALF_HOUR)
    second = CHAIN.keys[1]
    own_pair.until(
        "the kernel sends with the next key",
        lambda: speaker.connection is not None and kernel.info(speaker.connection).current == second.recv_id,
    )
    connection = speaker.connection
    assert connection is not None
    before = kernel.info(connection).good
    own_pair.until("the kernel verifies more segments", lambda: kernel.info(connection).good > before + 3)
    assert speaker.ended is None
    assert is_up(session)
    found = counted(namespace)
    assert found["TCPAOGood"] > 5
    assert (found["TCPAOBad"], found["TCPAOKeyNotFound"]) == (0, 0)
    drops = find.find(own_pair.lab.name).ask_router("R1", "drops")[0]
    assert drops["in"] == {}
    for capture in own_pair.lab.captures.values():
        seen = judged(capture, tmp_path)
        assert {verdict for verdict, _ in seen} == {Verdict.VERIFIED}, capture
        # Each end sent with its first key, then with its second, and never with the first again.
        assert in_order(key_id for _, (source, key_id) in seen if source == PEER) == [1, 3]
        assert in_order(key_id for _, (source, key_id) in seen if source == OWN) == [2, 4]


def judged(capture: Path, folder: Path) -> list[tuple[Verdict, tuple[str, int | None]]]:
    """Return the verdict, the source and the KeyID of each segment between the two."""
    keys = folder / "keys.yaml"
    keys.write_text(
        "keys:\n"
        + "".join(
            f"  - algorithm: hmac-sha-1-96\n    secret: secret of key {one.id}\n"
            f'    send_id: {{"{PEER}": {one.send_id}, "{OWN}": {one.recv_id}}}\n'
            for one in CHAIN.keys
        )
    )
    referee = Referee(read_keys(keys))
    with contextlib.closing(Follow(capture)) as follow:  # the last record may be incomplete
        packets = follow.read_new()
    found = [judgement for packet in packets if (judgement := referee.judge(packet)) is not None]
    return [(one.verdict, (one.flow.src, one.key_id)) for one in found]


def in_order(key_ids: Iterable[int | None]) -> list[int | None]:
    return [key_id for key_id, _ in itertools.groupby(key_ids)]


def router_lines() -> list[str]:
    group = "set protocols bgp group keyroll"
    return [
        "set system host-name R1",
        f"set interfaces ge-0/0/0 unit 0 family inet address {PEER}/30",
        "set routing-options router-id 10.255.0.1",
        "set routing-options autonomous-system 65001",
        f"{group} type external",
        f"{group} hold-time {HOLD_SECONDS}",
        f"{group} neighbor {OWN} peer-as {AS}",
        f"{group} neighbor {OWN} authentication-algorithm ao",
        f"{group} neighbor {OWN} authentication-key-chain {CHAIN.name}",
    ]


def is_up(session: RouterSession) -> bool:
    summary = session.show("show bgp summary").parsed_as(BgpSummary)
    return [peer.state for peer in summary.peers if str(peer.address) == OWN] == [BgpState.ESTABLISHED]
