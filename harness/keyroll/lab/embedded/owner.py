"""What the owner of a lab does with processes and descriptors: has a monitor started, waits, makes files."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Protocol

from keyroll.lab.local import channel, folders
from keyroll.lab.protocol import LabError

_TAG_ROOM = 64
"""Octets that the environment of the fork server has for a lab's id: as long as the longest (see `folders`)."""
_END_SECONDS = 5.0
"""From the end of the channel to the end of the fork server: it has nothing to put away."""
_WORDS = 2000
"""Characters of its output that an error quotes: the end of a traceback."""
_REPORT_MAX = 16
"""Octets; a report is the exit code of a process, in decimal."""


class Monitor:
    """The process that carries a lab, seen from its owner by a pidfd."""

    def __init__(self, pidfd: int, report: int) -> None:
        self._pidfd = pidfd
        self._report = report

    def wait(self, seconds: float | None) -> bool:
        """Wait for its end, at most so long; say whether it has ended."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(None if seconds is None else max(0.0, seconds) * 1000))

    def keepers_end(self, seconds: float) -> int | None:
        """Return the code that the keeper ended with (negative: by a signal), as the monitor reports it.

        None when the monitor ended without a report, or did not report within `seconds`: then it is the monitor that
        died (or hangs).
        """
        poll = select.poll()
        poll.register(self._report, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return None
        text = os.read(self._report, _REPORT_MAX)
        return int(text) if text else None

    def kill(self) -> None:
        """Kill it; that takes the keeper along, and with it everything else."""
        signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Forget it."""
        os.close(self._pidfd)
        os.close(self._report)


class _ForkServer:
    """The program that this process's labs are forked from, away from this terminal's signals."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._channel, theirs = channel.pair()
        self._output = os.memfd_create("keyroll-fork-server", os.MFD_CLOEXEC)
        environment = folders.environment("-" * _TAG_ROOM)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "keyroll.lab.embedded.fork_server", "--channel", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env=environment,
            )

    def carry(self, theirs: socket.socket, run: folders.RunDirectory, log: int, seconds: float) -> Monitor | None:
        """Have a lab's monitor forked; None when the program was gone before it could take the order.

        Raises:
            LabError: it has ended, and may have forked the monitor before: another must not be given the same order.
            TimeoutError: no answer within `seconds`.
        """
        self._channel.settimeout(seconds)
        variables = os.memfd_create("keyroll-environment", os.MFD_CLOEXEC)
        report, theirs_report = os.pipe2(os.O_CLOEXEC)
        try:
            os.write(variables, json.dumps(folders.environment(run.id)).encode())
            order = {"op": "carry", "lab": run.id, "run": str(run.path)}
            channel.send(self._channel, order, (theirs.fileno(), run.lock_fd, log, variables, theirs_report))
        except (BrokenPipeError, ConnectionResetError):
            os.close(report)
            return None
        finally:
            os.close(variables)
            os.close(theirs_report)
        with contextlib.ExitStack() as undo:
            undo.callback(os.close, report)
            received = channel.receive(self._channel)
            if received is None:
                raise self.ended(run.id)
            undo.pop_all()
        return Monitor(received[1][0], report)

    def ended(self, lab: str) -> LabError:
        """Return an error that tells of its end, with the last of what it has written."""
        words = os.pread(self._output, 1 << 20, 0).decode(errors="replace").strip()[-_WORDS:]
        return LabError(f"lab {lab}: the fork server has ended: {words or 'no words'}")

    def close(self) -> None:
        """End it, unless it is that of the process which this one was forked from."""
        self._channel.close()
        os.close(self._output)
        if self.owner == os.getpid():
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class _ForkServers:
    """This process's fork server, once there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._present: _ForkServer | None = None

    def begin(self) -> None:
        """Start a fork server where this process has none."""
        with self._lock:
            if self._present is None or self._present.owner != os.getpid():
                self._end()
                self._present = _ForkServer()

    def carry(self, theirs: socket.socket, run: folders.RunDirectory, log: int, seconds: float) -> Monitor:
        """Have a lab's monitor forked by the fork server: the present one, or where that is gone, a new one."""
        monitor = None
        with self._lock:
            try:
                if self._present is not None and self._present.owner == os.getpid():
                    monitor = self._present.carry(theirs, run, log, seconds)
                if monitor is None:
                    self._end()
                    self._present = new = _ForkServer()
                    monitor = new.carry(theirs, run, log, seconds)
                    if monitor is None:
                        raise new.ended(run.id)
            except TimeoutError:
                raise LabError(
                    f"lab {run.id}: the fork server did not answer within {seconds:.0f} s",
                    remedy="on a slow machine, give a greater --wait-scale",
                ) from None
            finally:
                if monitor is None:  # also when interrupted: an answer that is still to come would be taken for another
                    self._end()
        return monitor

    def close(self) -> None:
        """End the fork server, if there is one."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._present is not None:
            self._present.close()
            self._present = None


_FORK_SERVERS = _ForkServers()
atexit.register(_FORK_SERVERS.close)


def begin_loading() -> None:
    """Have the routers' program loaded for the lab that comes next; `start_monitor` waits for it.

    To be called before the lab's folder is there: from then on nothing but the order to the fork server may be missing,
    which removes the folder of an owner that was killed meanwhile.
    """
    _FORK_SERVERS.begin()


def start_monitor(theirs: socket.socket, run: folders.RunDirectory, log: Path, *, seconds: float) -> Monitor:
    """Start the process that carries the lab, within `seconds`; what it writes goes to the end of `log`.

    The first lab of a process takes longer: the routers' program is loaded for it, and for all that follow.

    Raises:
        LabError: the fork server cannot be started, or has died.
        OSError: `log` cannot be written.
    """
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return _FORK_SERVERS.carry(theirs, run, output, seconds)
    finally:
        os.close(output)


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


def await_end(monitor: Monitor, seconds: float) -> None:
    """Wait for the monitor's end; kill it when it does not come."""
    if not monitor.wait(seconds):
        monitor.kill()  # takes the keeper along, and that everything else
        monitor.wait(None)
    monitor.close()


def create_in(folder: int, name: str) -> int:
    """Create a file in the evidence folder, by descriptor: the lab's own mounts may hide the path."""
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600, dir_fd=folder)
