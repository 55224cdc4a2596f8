"""A stand-in `containerlab` and `docker` on the PATH, which fail, hang and report wrong results on demand."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyroll.lab.containerlab import lab as driver

TOPOLOGY = Path(__file__).parents[3] / "topologies" / "emulated.clab.yml"


class StandIn:
    """The state of the stand-ins: how they behave, and what they have done."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.behave()

    def behave(self, **how: object) -> None:
        (self.home / "behaviour.json").write_text(json.dumps(how))

    @property
    def containers(self) -> list[str]:
        return sorted(path.stem for path in (self.home / "containers").glob("*.json"))

    @property
    def pids(self) -> list[int]:
        return [json.loads(path.read_text())["pid"] for path in (self.home / "containers").glob("*.json")]

    def pid_of(self, router: str) -> int:
        """Return the process id of a router's container. There must be only one lab."""
        (found,) = (self.home / "containers").glob(f"*{router}.json")
        result: int = json.loads(found.read_text())["pid"]
        return result

    @property
    def network(self) -> bool:
        return (self.home / "network").exists()

    @property
    def calls(self) -> list[dict[str, list[str]]]:
        return [json.loads(line) for line in (self.home / "calls").read_text().splitlines()]


@pytest.fixture
def standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    if os.geteuid() != 0:
        pytest.skip("labs of containers need root")
    home = tmp_path / "standin"
    (home / "containers").mkdir(parents=True)
    monkeypatch.setenv("KEYROLL_STANDIN", str(home))
    here = str(Path(__file__).parent / "standin")
    # The stand-ins need this Python's PyYAML.
    monkeypatch.setenv("PATH", os.pathsep.join([here, str(Path(sys.executable).parent), os.environ["PATH"]]))
    found = StandIn(home)
    # In the usual folder another start of keyroll on this machine would remove these labs as orphans.
    with tempfile.TemporaryDirectory(prefix="keyroll-") as apart:
        # One level deeper: the lock that the labs share is beside their folders, and is deleted with `apart` too.
        monkeypatch.setenv("KEYROLL_RUNTIME_DIR", f"{apart}/labs")
        yield found
        for pid in found.pids:
            with contextlib.suppress(ProcessLookupError):  # some tests end a container themselves
                os.kill(pid, 9)


@pytest.fixture
def ssh_banner(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Answer with SSH's first line on 127.0.0.1, and have the driver look for SSH at that port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(driver, "SSH_PORT", server.getsockname()[1])

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"SSH-2.0-standin\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
