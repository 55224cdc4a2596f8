"""Objects that hold descriptors close them once, also when a second Ctrl-C starts the shutdown again."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from keyroll import linux
from keyroll.emulator.machine.link_carrier import CarrierWatch
from keyroll.emulator.machine.syn_listener import SynListener
from keyroll.lab.containerlab.guard_client import GuardLink
from keyroll.lab.containerlab.readiness import Container
from keyroll.lab.embedded.owner import Monitor, _ForkServerClient, await_end
from keyroll.lab.local.channel import RequestChannel
from keyroll.lab.local.folders import RunDirectory
from keyroll.watch.wire import Capturing, Source


def descriptor() -> int:
    return os.open(os.devnull, os.O_RDONLY)


def monitor(path: Path) -> Callable[[], None]:
    del path
    return Monitor(descriptor(), descriptor()).close


def fork_server_client(path: Path) -> Callable[[], None]:
    del path
    made = _ForkServerClient.__new__(_ForkServerClient)  # without a process: only its descriptors are tested
    made.owner = -1
    made._channel = socket.socket()
    made._open = [descriptor()]
    return made.close


def container(path: Path) -> Callable[[], None]:
    return Container(path.name, descriptor(), {"eth1": descriptor()}).close


def run_directory(path: Path) -> Callable[[], None]:
    return RunDirectory(path, descriptor()).leave


def request_channel(path: Path) -> Callable[[], None]:
    del path
    return RequestChannel(socket.socket()).close


def guard_link(path: Path) -> Callable[[], None]:
    del path
    made = GuardLink.__new__(GuardLink)
    made._scale = 1.0
    made._channel = RequestChannel(socket.socket())
    made._process = subprocess.Popen([sys.executable, "-c", ""])
    return made.close


def carrier_watch(path: Path) -> Callable[[], None]:
    del path
    return CarrierWatch({}).close


def syn_listener(path: Path) -> Callable[[], None]:
    del path
    made = SynListener.__new__(SynListener)
    made._sockets = [socket.socket(), socket.socket()]
    return made.close


HOLDERS = [
    monitor,
    fork_server_client,
    container,
    run_directory,
    request_channel,
    guard_link,
    carrier_watch,
    syn_listener,
]


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda one: one.__name__)
def test_a_second_close_leaves_the_descriptors_of_others_open(
    holder: Callable[[Path], Callable[[], None]], tmp_path: Path
) -> None:
    async def closed_twice() -> None:
        close = holder(tmp_path)
        close()
        others = [descriptor() for _ in range(4)]  # these reuse the numbers of the closed descriptors
        close()
        for other in others:
            os.close(other)  # raises OSError if the second close has closed it

    asyncio.run(closed_twice())


def test_a_monitor_that_is_closed_has_ended() -> None:
    ended = Monitor(descriptor(), descriptor())
    ended.close()
    await_end(ended, 0.0)


def test_an_interrupted_close_does_not_repeat_a_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    descriptors = [descriptor(), descriptor()]
    first = descriptors[-1]
    with monkeypatch.context() as patch:
        patch.setattr(os, "close", interrupted)
        with pytest.raises(KeyboardInterrupt):
            linux.close_all(descriptors)
    linux.close_all(descriptors)
    assert descriptors == []
    os.close(first)  # the one whose close was interrupted


def test_a_capturing_command_that_is_stopped_twice_has_not_ended_early(tmp_path: Path) -> None:
    capturing = Capturing(Source(command=("sleep", "600")), tmp_path / "wire.pcap")
    capturing.stop()
    capturing.stop()
    assert capturing.ended_early is None
