"""A wire process: its end, its replacement with and without records, its interfaces and its events."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import timedelta
from functools import partial

import pytest
from tests.lab.wire import judging
from tests.lab.wire.judging import T0
from tests.lab.wire.traffic import echo, protect, read
from tests.lab.wire.two_routers import Rig, until
from tests.unit.known import known

from keyroll.emulator.wire.model import WireEventKind

pytestmark = pytest.mark.lab
HALF_HOUR = timedelta(minutes=30)
ENDS_WITHIN = 60
"""Longest time (s) for a process to end: milliseconds on an idle machine."""


def has_event(rig: Rig, kind: WireEventKind) -> bool:
    return kind in [event.kind for event in rig.bumps[0].events]


class TestTheProcess:
    def test_a_process_replaced_with_its_records_continues_the_connections(self, rig: Rig) -> None:
        protect(rig, judging.chain(judging.key(0)))
        near, far = rig.joined()
        with near, far:
            echo(near, far)
            records = rig.bumps[0].client.records
            assert len(records) == 1
            rig.bumps[0].kill()
            near.sendall(b"while it was down")
            rig.bumps[0].start([judging.session(0, judging.chain(judging.key(0)))], records)
            rig.bumps[0].clock(T0 + timedelta(minutes=1))
            assert read(far, 17) == b"while it was down"
            echo(near, far)

    def test_a_process_replaced_without_records_signs_no_segment_of_unknown_connections(self, rig: Rig) -> None:
        protect(rig)
        near, far = rig.joined()
        with near, far:
            echo(near, far)
            rig.bumps[0].kill()
            rig.bumps[0].start([judging.session(0, judging.chain(judging.key(0)))])
            rig.bumps[0].clock(T0 + timedelta(minutes=1))
            near.sendall(b"x")
            until(lambda: ("out", "no-connection-state") in rig.bumps[0].dropped(), "segments dropped")
            near.settimeout(0.3)
            far.settimeout(0.3)
            with pytest.raises(TimeoutError):
                far.recv(1)

    def test_closing_the_control_socket_ends_the_process(self, rig: Rig) -> None:
        bump = rig.bumps[0]
        rig.loop.run(bump.client.close())
        assert bump.process.wait(ENDS_WITHIN) == 0

    def test_a_stop_request_ends_the_process(self, rig: Rig) -> None:
        bump = rig.bumps[0]
        rig.loop.run(bump.client.stop())
        assert bump.process.wait(ENDS_WITHIN) == 0

    def test_a_missing_interface_is_a_one_line_error(self, rig: Rig) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "keyroll.emulator.wire", "--control-fd", str(theirs.fileno())]
        with ours, theirs:
            process = rig.bumps[0].outer.popen(
                *command, "--pair", "h7:eth1", pass_fds=[theirs.fileno()], stderr=subprocess.PIPE
            )
            said = process.communicate(timeout=60)[1].decode()
        assert process.returncode == 2
        assert "h7" in said
        assert len(said.splitlines()) == 1

    def test_the_process_survives_a_link_that_goes_down_and_up(self, rig: Rig) -> None:
        protect(rig)
        near, far = rig.joined()
        with near, far:
            for interface in ("eth1", "h0"):
                rig.bumps[0].outer.run("ip", "link", "set", interface, "down")
                rig.bumps[0].outer.run("ip", "link", "set", interface, "up")
                echo(near, far)
        assert rig.bumps[0].process.poll() is None

    def test_a_removed_interface_ends_the_process_with_a_one_line_error(self, rig: Rig) -> None:
        rig.bumps[0].outer.run("ip", "link", "del", "eth1")
        assert rig.bumps[0].process.wait(ENDS_WITHIN) == 2
        (said,) = [line for line in known(rig.bumps[0].log).read_text().splitlines() if "eth1" in line]
        assert said.startswith("wire: the interface eth1 ")

    def test_a_connection_and_a_key_change_are_reported_as_events(self, rig: Rig) -> None:
        protect(rig, judging.chain(judging.key(0), judging.key(1, timedelta(minutes=30))))
        near, far = rig.joined()
        with near, far:
            echo(near, far)
            rig.bumps[0].clock(T0 + timedelta(minutes=30))
            rig.bumps[0].set(judging.session(0, judging.chain(judging.key(0), judging.key(1, timedelta(minutes=30)))))
            echo(near, far)
        for kind in (WireEventKind.CONNECTION, WireEventKind.KEY_CHANGE):
            until(partial(has_event, rig, kind), f"an event {kind}")
