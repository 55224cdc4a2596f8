"""The processes of a router: ready once they accept connections, and named in the error if they are not."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyroll.emulator.contract.errors import ProcessError
from keyroll.emulator.contract.processes import Child, Logs, start

BINDS_AND_WAITS = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
sys.stdin.readline()
s.listen()
sys.stdin.readline()
"""


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    (tmp_path / "logs").mkdir()
    folder = os.open(tmp_path / "logs", os.O_RDONLY | os.O_DIRECTORY)
    yield Logs(folder, "R1-")
    os.close(folder)


def run_child(logs: Logs, program: str, path: Path, seconds: float) -> Child:
    async def play() -> Child:
        child = start("bgpd", [sys.executable, "-c", program, str(path)], logs)
        child.watch(lambda _: None)
        try:
            await child.wait_for(path, seconds, "open its vty socket")
        finally:
            await child.stop()
        return child

    return asyncio.run(play())


def test_a_socket_that_is_bound_but_accepts_no_connection_is_not_ready(logs: Logs, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        with pytest.raises(ProcessError, match=r"bgpd did not open its vty socket within 0\.5 s"):
            run_child(logs, "import signal; signal.pause()", tmp_path / "s", 0.5)


def test_a_socket_that_accepts_connections_is_ready(logs: Logs, tmp_path: Path) -> None:
    program = BINDS_AND_WAITS.replace(
        "sys.stdin.readline()\ns.listen()\nsys.stdin.readline()", "s.listen(); s.accept(); s.accept()"
    )
    run_child(logs, program, tmp_path / "s", 20)


def test_a_process_that_ends_first_is_named(logs: Logs, tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="bgpd ended before it could open its vty socket"):
        run_child(logs, "import sys; sys.exit(3)", tmp_path / "s", 20)
