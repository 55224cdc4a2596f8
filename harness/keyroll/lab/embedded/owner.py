"""The owner's handling of processes and descriptors: start a monitor, wait for it, create files."""

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

from keyroll import linux
from keyroll.lab.local import channel, folders
from keyroll.lab.protocol import LabError

_TAG_ROOM = 64
"""Octets reserved for a lab's id in the fork server's environment: the longest id (see `folders`)."""
_END_SECONDS = 5.0
"""Seconds from the end of the channel to the end of the fork server, which has nothing to clean up."""
_WORDS = 2000
"""Characters of its output in an error: enough for the end of a traceback."""
_REPORT_MAX = 16
"""Most octets of a report, which is an exit code in decimal."""


class Monitor:
    """The owner's view of a lab's monitor, by pidfd."""

    def __init__(self, pidfd: int, report: int) -> None:
        self._pidfd = pidfd
        self._report = report
        self._open = [pidfd, report]

    def wait(self, seconds: float | None) -> bool:
        """Wait for its end, at most `seconds`; return whether it has ended. One that is closed has."""
        if not self._open:
            return True
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(None if seconds is None else max(0.0, seconds) * 1000))

    def keepers_end(self, seconds: float) -> int | None:
        """Return the keeper's exit code (negative: a signal), as the monitor reports it.

        None if the monitor ended without a report, or did not report within `seconds`: then the monitor has died (or
        hangs).
        """
        poll = select.poll()
        poll.register(self._report, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return None
        text = os.read(self._report, _REPORT_MAX)
        return int(text) if text else None

    def kill(self) -> None:
        """Kill it; the kernel then kills the keeper, and with it all processes of the lab."""
        signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Forget it, once it has ended. Can be called twice."""
        linux.close_all(self._open)


class _ForkServerClient:
    """This process's fork server, in a separate session, so that terminal signals do not reach it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._channel, theirs = channel.pair()
        self._output = os.memfd_create("keyroll-fork-server", os.MFD_CLOEXEC)
        self._open = [self._output]
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
        """Fork a lab's monitor; None if the fork server ended before it received the order.

        Raises:
            LabError: the fork server has ended, perhaps after forking the monitor, so the order must not be repeated.
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
        """Return an error about its end, with the end of its output."""
        words = os.pread(self._output, 1 << 20, 0).decode(errors="replace").strip()[-_WORDS:]
        return LabError(f"lab {lab}: the fork server has ended: {words or 'no output'}")

    def close(self) -> None:
        """End it, unless it belongs to the process from which this one was forked. Can be called twice."""
        self._channel.close()
        linux.close_all(self._open)
        if self.owner == os.getpid():
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class _ForkServers:
    """This process's fork server, if started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._present: _ForkServerClient | None = None

    def begin(self) -> None:
        """Start a fork server if this process has none."""
        with self._lock:
            if self._present is None or self._present.owner != os.getpid():
                self._end()
                self._present = _ForkServerClient()

    def carry(self, theirs: socket.socket, run: folders.RunDirectory, log: int, seconds: float) -> Monitor:
        """Fork a lab's monitor from the fork server; start a new one if it has ended."""
        monitor = None
        with self._lock:
            try:
                if self._present is not None and self._present.owner == os.getpid():
                    monitor = self._present.carry(theirs, run, log, seconds)
                if monitor is None:
                    self._end()
                    self._present = new = _ForkServerClient()
                    monitor = new.carry(theirs, run, log, seconds)
                    if monitor is None:
                        raise new.ended(run.id)
            except TimeoutError:
                raise LabError(
                    f"lab {run.id}: the fork server did not answer within {seconds:.0f} s",
                    remedy="on a slow machine, give a greater --wait-scale",
                ) from None
            finally:
                if monitor is None:  # also after an interrupt: a late answer would be taken for that to the next order
                    self._end()
        return monitor

    def close(self) -> None:
        """End the fork server, if there is one."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        # Forgotten first: a second Ctrl-C may interrupt the end, and descriptors are closed once.
        present, self._present = self._present, None
        if present is not None:
            present.close()


_FORK_SERVERS = _ForkServers()
atexit.register(_FORK_SERVERS.close)


def begin_loading() -> None:
    """Start loading the routers' program for the next lab; `start_monitor` waits for it.

    Call it before the lab's folder is created: afterwards only the order to the fork server may be missing, because
    that order also removes the folder if the owner is killed.
    """
    _FORK_SERVERS.begin()


def start_monitor(theirs: socket.socket, run: folders.RunDirectory, log: Path, *, seconds: float) -> Monitor:
    """Start a lab's monitor within `seconds`; its output is appended to `log`.

    The first lab of a process takes longer, because it loads the routers' program for all labs.

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
    """An object that poll(2) can wait for."""

    def fileno(self) -> int:
        """Return the descriptor."""
        ...


def readable(sources: list[HasDescriptor], seconds: float) -> set[int]:
    """Wait until a source is readable, or the time is over; return the readable descriptors."""
    poll = select.poll()
    for source in sources:
        poll.register(source.fileno(), select.POLLIN)
    return {fd for fd, _ in poll.poll(max(0.0, seconds) * 1000)}


def await_end(monitor: Monitor, seconds: float) -> None:
    """Wait for the monitor's end; kill it if it does not end in time."""
    if not monitor.wait(seconds):
        monitor.kill()  # this also kills the keeper, and with it all processes of the lab
        monitor.wait(None)
    monitor.close()


def create_in(folder: int, name: str) -> int:
    """Create a file in the evidence folder by descriptor, because the lab's mounts may hide the path."""
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600, dir_fd=folder)
