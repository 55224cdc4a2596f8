"""The secrets of new keys: drawn from a seed, or printed by a program, one per line."""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta

from keyroll.errors import InputError
from keyroll.instants import SYSTEM
from keyroll.keychain.generate import draw_secret
from keyroll.keychain.model import SECRET_MAX
from keyroll.keychain.secret import Secret

COMMAND_TIME = timedelta(seconds=60)
"""The vault's client is ended after this: it answers within seconds unless it hangs."""
_OCTETS_MAX = 1 << 20
"""Octets of output: far more than one secret per key needs, and little enough to hold in memory."""
_CHUNK = 1 << 16
"""Octets of one read: the usual size of a pipe's buffer."""


def drawing(
    seed: str | None, length: int, command: str | None, *, within: timedelta = COMMAND_TIME
) -> Callable[[str], Secret]:
    """Return a function that gives the secret of a key, by the key's label.

    Args:
        seed: draw from this; None: from a random seed that is not shown.
        length: letters and digits in a drawn secret.
        command: the program and its arguments in one string, quoted as for a shell; no shell runs it.
        within: how long the program may take.

    Raises:
        InputError: both a seed and a command are given; the returned function raises it if the program fails.
    """
    if command is None:
        drawn = secrets.token_hex(32) if seed is None else seed
        return lambda label: draw_secret(drawn, label, length)
    if seed is not None:
        raise InputError("--seed and --secret-command exclude each other", remedy="leave one of them out")
    lines: list[Iterator[str]] = []

    def next_line(label: str) -> Secret:
        del label
        if not lines:  # run only when a secret is needed: an empty plan needs none
            lines.append(iter(_secret_lines(command, within)))
        line = next(lines[0], None)
        if line is None:
            raise InputError(
                "--secret-command printed fewer secrets than the plan needs", remedy="print one per line, for each key"
            )
        return Secret(line)

    return next_line


def _secret_lines(command: str, within: timedelta) -> list[str]:
    """Run the command and return its lines. No message shows any of its output."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"--secret-command: {error}") from None
    if not words:
        raise InputError("--secret-command is empty")
    try:
        text = _output(words, within).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(
            "--secret-command printed text that is not UTF-8", remedy="print one secret per line, as text"
        ) from None
    # Cut at line ends only: `splitlines` would also cut at U+2028 and other separators.
    found = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
    for number, line in enumerate(found, start=1):
        fault = _fault(line)
        if fault is not None:
            raise InputError(
                f"--secret-command: line {number} is not a secret: {fault}",
                remedy=f"print one secret per line, 1 to {SECRET_MAX} printable characters without blanks",
            )
        if line in found[: number - 1]:
            raise InputError(
                f"--secret-command: line {number} repeats line {found.index(line) + 1}",
                remedy="print a different secret for each key",
            )
    return found


def _fault(line: str) -> str | None:
    if not line:
        return "it is empty"
    if len(line.encode()) > SECRET_MAX:
        return f"it is longer than {SECRET_MAX} octets"
    if any(character.isspace() for character in line):
        return "it has a blank"  # Juniper: "without any space"
    return None if line.isprintable() else "it has a control character"


def _output(words: list[str], within: timedelta) -> bytes:
    """Return what a program prints. If it runs too long or prints too much, it and all its processes are killed."""
    try:
        # In its own process group: processes that it started must end with it, or they would keep the pipe open.
        program = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise InputError(f"--secret-command: {words[0]} cannot be run: {error.strerror}") from None
    try:
        text = _read(program, within)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(program.pid, signal.SIGKILL)
        if program.stdout is not None:
            program.stdout.close()
        code = program.wait()
    if code:
        raise InputError(f"--secret-command ended with exit code {code}", remedy=f"run {words[0]} by hand")
    return text


def _read(program: subprocess.Popen[bytes], within: timedelta) -> bytes:
    assert program.stdout is not None  # noqa: S101 - stdout=PIPE above
    deadline, found = SYSTEM.now() + within, bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(program.stdout, selectors.EVENT_READ)
        while True:
            left = (deadline - SYSTEM.now()).total_seconds()
            if left <= 0 or not selector.select(left):
                raise InputError(f"--secret-command did not end within {within.total_seconds():g} s")
            chunk = os.read(program.stdout.fileno(), _CHUNK)
            if not chunk:
                break
            found += chunk
            if len(found) > _OCTETS_MAX:
                raise InputError(
                    f"--secret-command printed more than {_OCTETS_MAX} octets", remedy="print one secret per line"
                )
    try:
        program.wait(max(0.0, (deadline - SYSTEM.now()).total_seconds()))
    except subprocess.TimeoutExpired:
        raise InputError(f"--secret-command did not end within {within.total_seconds():g} s") from None
    return bytes(found)
