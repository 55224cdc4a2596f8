"""The child processes of a router: started in a namespace, each with its own log; their end is noticed at once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from keyroll import linux
from keyroll.emulator.contract.errors import ProcessError
from keyroll.forking import fork

END_SECONDS = 2.0
"""From SIGTERM to SIGKILL: FRR's daemons close their sessions in about 100 ms."""
TAIL_LINES = 12
"""Lines of a log that are reported with a death: enough for the end of a traceback or a daemon's last messages."""
_TEE_OCTETS = 65536
"""Octets read at once: the capacity of a pipe."""
_TAIL_OCTETS = 8192
"""Octets of a log that are searched for its last lines: more than TAIL_LINES of FRR's longest lines."""
_SOCKET_POLL_SECONDS = 0.005
"""Between two checks for a daemon's socket: a fraction of the time that a daemon takes to start."""


@dataclass(frozen=True, slots=True)
class Death:
    """A child process that ended. `code` is its exit code, negative for a signal; `log` is its log's file name."""

    name: str
    code: int
    log: str

    def __str__(self) -> str:
        how = f"was killed by {signal.Signals(-self.code).name}" if self.code < 0 else f"ended with code {self.code}"
        return f"{self.name} {how}"


class _Process(Protocol):
    """A child process; `subprocess.Popen` is one."""

    @property
    def pid(self) -> int: ...

    def wait(self) -> int: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Forked:
    """A child process that is a fork of this one."""

    pid: int

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


class Child:
    """One running child process."""

    def __init__(self, name: str, process: _Process, log: str) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._pidfd = os.pidfd_open(process.pid)
        self._ended = asyncio.Event()
        self._expected = False
        self._on_death: Callable[[Death], None] | None = None
        self.death: Death | None = None
        """How it ended; None until its end has been noticed."""

    @property
    def pid(self) -> int:
        """Its process id, as this process sees it."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether its end has not been noticed yet."""
        return not self._ended.is_set()

    def watch(self, on_death: Callable[[Death], None]) -> None:
        """Call `on_death` once if it ends without being asked to."""
        self._on_death = on_death
        asyncio.get_running_loop().add_reader(self._pidfd, self._end)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.death = Death(self.name, self._process.wait(), self.log)
        self._ended.set()
        if not self._expected and self._on_death is not None:
            self._on_death(self.death)

    async def ends(self, seconds: float) -> bool:
        """Wait until it ends; return whether it did within `seconds`."""
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def wait_for(self, path: Path, seconds: float, what: str) -> None:
        """Wait until it accepts connections on `path`, a Unix socket.

        Raises:
            ProcessError: it ended first, or took longer than `seconds`.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        while not _accepts(path):
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                raise ProcessError(f"{self.name} did not {what} within {seconds:g} s; see {self.log}")
            try:
                # No event reports a listening socket: check again soon, and at once if the process ends.
                await asyncio.wait_for(self._ended.wait(), min(left, _SOCKET_POLL_SECONDS))
            except TimeoutError:
                continue
            raise ProcessError(f"{self.name} ended before it could {what}; see {self.log}")

    def expect_end(self) -> None:
        """Do not call `on_death` when it ends: it was asked to in another way."""
        self._expected = True

    async def stop(self) -> None:
        """Ask it to end, and kill it if it does not."""
        self.expect_end()
        if not self.alive:
            return
        self._process.terminate()
        if not await self.ends(END_SECONDS):
            self._process.kill()
            await self._ended.wait()


class Logs:
    """The folder of logs, held by descriptor, because this process's own mounts may hide its path."""

    def __init__(self, folder: int, prefix: str) -> None:
        self._folder = folder
        self._prefix = prefix
        self._begun: set[str] = set()

    def name(self, what: str) -> str:
        """Return the file name of the log of `what`."""
        return f"{self._prefix}-{what}.log"

    def open(self, what: str) -> int:
        """Open the log of `what`, truncated the first time, then appending; the caller closes the descriptor."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        if what not in self._begun:
            flags |= os.O_TRUNC  # it may be of a former lab with the same folder
            self._begun.add(what)
        return os.open(self.name(what), flags, 0o600, dir_fd=self._folder)

    def last_lines(self, log: str) -> list[str]:
        """Return the last lines of the log file `log`; none where it cannot be read."""
        try:
            fd = os.open(log, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder)
        except OSError:
            return []
        with os.fdopen(fd, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_OCTETS))
            return file.read().decode(errors="replace").splitlines()[-TAIL_LINES:]


def _accepts(path: Path) -> bool:
    """Whether a process listens on the socket: the path exists from bind(2) on, but connections need listen(2)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except BlockingIOError:  # a process listens; its queue is full
            return True
    return True


def start(
    name: str,
    command: Sequence[str],
    logs: Logs,
    *,
    namespace: int | None = None,
    pass_fds: Sequence[int] = (),
    on_line: Callable[[str], None] | None = None,
) -> Child:
    """Start a child process, in the network namespace `namespace` if given. Call it from the main thread only.

    With `on_line`, the child's output passes through this process to the log, and `on_line` is called with each line.

    Raises:
        ProcessError: it cannot be started.
    """
    log = logs.open(name)
    output = log if on_line is None else _Tee(log, on_line).input
    try:
        if namespace is None:
            process = _spawn(command, output, pass_fds)
        else:
            with linux.inside(namespace):
                process = _spawn(command, output, pass_fds)
    except OSError as error:
        raise ProcessError(f"{name} cannot be started: {error.strerror}") from error
    finally:
        os.close(output)
    return Child(name, process, logs.name(name))


def start_fork(name: str, work: Callable[[], int], logs: Logs, *, title: str, keep: Sequence[int]) -> Child:
    """Start a child process as a fork of this one (see `forking`). Call it from a process with a single thread.

    Raises:
        ProcessError: it cannot be started.
    """
    log = logs.open(name)
    try:
        pid = fork(work, title=title, keep=keep, output=log)
    except OSError as error:
        raise ProcessError(f"{name} cannot be started: {error.strerror}") from error
    finally:
        os.close(log)
    return Child(name, _Forked(pid), logs.name(name))


def _spawn(command: Sequence[str], log: int, pass_fds: Sequence[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=tuple(pass_fds))


class _Tee:
    """Reads a child's output from a pipe until its end, logs it, and calls `on_line` with each line."""

    def __init__(self, log: int, on_line: Callable[[str], None]) -> None:
        self._log = log
        self._on_line = on_line
        self._rest = b""
        self._output, self.input = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._output, False)
        asyncio.get_running_loop().add_reader(self._output, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._output, _TEE_OCTETS)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self._output)
            os.close(self._output)
            os.close(self._log)
            return
        os.write(self._log, data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._on_line(line.decode(errors="replace"))
