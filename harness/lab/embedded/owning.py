"""What the owner of a lab does with processes and descriptors: starts the monitor, waits, makes files."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import harness
from harness.lab.embedded import runtime


def start_monitor(theirs: socket.socket, run: runtime.RunDirectory, log: Path) -> subprocess.Popen[bytes]:
    """Start the program that carries the lab, away from this terminal's signals."""
    command = [
        *(sys.executable, "-P", "-m", "harness.lab.embedded.monitor"),
        *("--channel", str(theirs.fileno()), "--lock", str(run.lock_fd), "--run", str(run.path)),
    ]
    home = str(Path(harness.__file__).resolve().parent.parent)
    path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(theirs.fileno(), run.lock_fd),
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path, "KEYROLL_LAB": run.id},
        )


class HasDescriptor(Protocol):
    """Anything that poll(2) can wait for."""

    def fileno(self) -> int:
        """Return the descriptor."""
        ...


def readable(sources: list[HasDescriptor], seconds: float) -> set[int]:
    """Wait until one of the sources can be read, or the time is over; return the descriptors that can be."""
    poll = select.poll()
    for source in sources:
        poll.register(source.fileno(), select.POLLIN)
    return {fd for fd, _ in poll.poll(max(0.0, seconds) * 1000)}


def await_end(monitor: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for the monitor's end; kill it when it does not come."""
    try:
        monitor.wait(seconds)
    except subprocess.TimeoutExpired:
        monitor.kill()  # takes the keeper along, and that everything else
        monitor.wait()


def create_in(folder: int, name: str) -> int:
    """Create a file in the evidence folder, by descriptor: the lab's own mounts may hide the path."""
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600, dir_fd=folder)
