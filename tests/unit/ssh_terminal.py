"""OpenSSH on a pseudo-terminal, as a user has it."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ANSWER_SECONDS = 60.0
"""Longest time from typed text to the expected output. The slowest is a lab router's boot: 2 s on an idle machine."""
OPTIONS = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "NumberOfPasswordPrompts=1"]


class Terminal:
    """An `ssh` on a pseudo-terminal: types text, and reads until a pattern appears."""

    def __init__(self, port: int, user: str, *, key: Path | None = None) -> None:
        self.seen = ""
        options = [word for option in OPTIONS for word in ("-o", option)]
        options += ["-i", str(key), "-o", "IdentitiesOnly=yes"] if key else ["-o", "PubkeyAuthentication=no"]
        command = ["ssh", "-F", "none", *options, "-p", str(port), f"{user}@127.0.0.1"]
        self.fd, theirs = pty.openpty()
        # ssh reads passwords from its controlling terminal.
        self.process = subprocess.Popen(["setsid", "--ctty", *command], stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def until(self, pattern: str) -> str:
        """Read until the output matches `pattern`; return the output up to the end of the match."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while (found := re.search(pattern, self.seen)) is None:
            ready, _, _ = select.select([self.fd], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"not seen: {pattern!r} in {self.seen!r}"
            try:
                self.seen += os.read(self.fd, 65536).decode()
            except OSError:  # the other end of the terminal is closed: ssh has ended
                self.seen += "<closed>"
                if re.search(pattern, self.seen) is None:
                    raise
        read, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return read


@contextmanager
def logged_in(port: int, user: str, *, password: str | None = None, key: Path | None = None) -> Iterator[Terminal]:
    terminal = Terminal(port, user, key=key)
    try:
        if password is not None:
            terminal.until("[Pp]assword: ?$")
            terminal.type(f"{password}\n")
        yield terminal
    finally:
        os.close(terminal.fd)
        terminal.process.terminate()
        terminal.process.wait(ANSWER_SECONDS)
