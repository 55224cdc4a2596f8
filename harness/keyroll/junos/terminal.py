"""The terminal of a Junos router: netmiko logs in and prepares it; this module sends lines and reads whole answers.

netmiko's `juniper_junos` (4.8 or newer) makes the session. Its `send_command` is not used, for three reasons: it polls
instead of waiting for the channel, it expects a fixed prompt that a commit may rename, and its errors quote the
command, which may hold a secret.
"""

from __future__ import annotations

import codecs
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from keyroll.errors import RunError
from keyroll.instants import SYSTEM, Instant
from keyroll.junos.access import HostKeyError
from keyroll.junos.errors import ConfigurationError, SessionDeadlineError, SessionError
from keyroll.junos.exchange import Target
from keyroll.junos.host_keys import fingerprint
from keyroll.junos.login import WIDTH, JunosConnection, plain
from keyroll.junos.redact import redact
from keyroll.junos.ssh import (
    BaseConnection,
    NetmikoAuthenticationException,
    NetmikoTimeoutException,
    ReadException,
    ReadTimeout,
    paramiko,
)

_CHUNK = 65536
"""Octets of one read: twice the largest packet of SSH, so that one read empties what has come."""
_TAIL = 512
"""The last characters of the output that are searched for a prompt or a question: either is one line."""
_ANSWER_MAX = 32 * 1024 * 1024
"""The longest answer, in characters. The largest configurations have some ten million; an endless answer would fill the
memory before the deadline."""
_NOT_TYPED = re.compile(r"[\x00-\x1f\x7f]")
_LOST = (paramiko.SSHException, OSError, EOFError, ReadException)


def _changed(target: Target, error: paramiko.BadHostKeyException) -> HostKeyError:
    return HostKeyError(
        f"{target}: the host key is not the one that is known: {error.key.get_name()} {fingerprint(error.key)}",
        remedy="find out why it has changed; then remove the old one with ssh-keygen -R",
    )


class _NoChannelText(logging.Filter):
    """Keeps the channel's text, which holds secrets, out of every log: netmiko logs all of it at DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.INFO


logging.getLogger("netmiko").addFilter(_NoChannelText())


class _SilenceError(Exception):
    """No prompt before the deadline; `seen` is the output up to then."""

    def __init__(self, seen: str) -> None:
        super().__init__()
        self.seen = seen


@dataclass(frozen=True, slots=True)
class Answer:
    """The output between a command's echo and the next prompt. Unredacted: do not write it."""

    text: str
    configuring: bool
    """Whether the prompt after it is that of configuration mode."""
    level: str = ""
    """The edit level of configuration mode: `protocols bgp` under `[edit protocols bgp]`, empty at the top."""


class Terminal:
    """One open terminal. Not thread-safe."""

    def __init__(self, target: Target, connection: BaseConnection, hide: Callable[[str], str]) -> None:
        if not isinstance(connection.remote_conn, paramiko.Channel):
            raise SessionError(f"{target}: netmiko gave no SSH channel")
        self._target = target
        self._hide = hide
        self._connection = connection
        self._channel = connection.remote_conn
        self._broken = ""
        self._prompt = re.compile(
            r"(?:^|\n)(?:\{[^}\n]*\}\n)?(?:\[edit ?(?P<level>[^\n]*)\]\n)?"
            + re.escape(target.user)
            + r"@[\w.-]+(?P<mode>[>#]) ?\Z"
        )

    @classmethod
    def open(cls, target: Target, *, within: float, hide: Callable[[str], str] = redact) -> Terminal:
        """Log in and prepare the terminal. `hide` redacts whatever an error quotes.

        Raises:
            SessionError: refused, wrong password, no Junos prompt. Host keys are checked where the target has an
                `access`: lab routers make new ones at every start.
        """
        problem: str
        try:
            connection = JunosConnection(
                device_type="juniper_junos",
                host=target.host,
                port=target.port,
                username=target.user,
                password=target.password.reveal_text(),  # the rest of the time is for the SSH login
                use_keys=False,
                allow_agent=False,
                ssh_strict=False,
                system_host_keys=False,
                conn_timeout=within,
                auth_timeout=within,
                banner_timeout=within,
                read_timeout_override=within,
                keepalive=15,
                access=target.access,
            )
            return cls(target, connection, hide)
        except NetmikoAuthenticationException:
            problem = "the router refused user or password"
        except NetmikoTimeoutException as error:
            if isinstance(error.__context__, paramiko.BadHostKeyException):
                raise _changed(target, error.__context__) from None
            problem = str(error).strip().splitlines()[0] if str(error).strip() else "no SSH connection in time"
        except ReadTimeout:
            problem = f"no Junos prompt within {within:g} s after the login"
        except _LOST as error:
            problem = f"the session was lost while logging in: {error}"
        except ValueError as error:  # netmiko raises this if the prompt is not one of Junos
            problem = f"the CLI is not that of Junos: {str(error).splitlines()[0]}"
        raise SessionError(f"{target}: {redact(problem, [target.password])}")

    def ask(self, line: str, *, within: float, reply: tuple[str, str] | None = None) -> Answer:
        """Send one line and return what came between its echo and the next prompt.

        `reply` is a pattern for a question that may come before the prompt (matched at the end) and its answer.

        Raises:
            ConfigurationError: the line cannot be typed (control characters, too long for the terminal).
            SessionError: the session was lost.
            SessionDeadlineError: no prompt after `within` seconds. The terminal is unusable afterwards, because a late
                answer could be taken for that to the next line.
        """
        self._check(line)
        if self._broken:
            raise SessionError(f"{self._target}: the session cannot be used any more: {self._broken}")
        try:
            self._connection.write_channel(line + "\n")
            return self._read(line, SYSTEM.now() + timedelta(seconds=within), reply)
        except _LOST as error:
            problem: RunError = self._lost(line, str(error) or type(error).__name__)
        except _SilenceError as silence:
            problem = self._silent(line, silence.seen, within)
        raise problem  # raised outside of `except`: the original error's text may hold the line, and a secret in it

    def _lost(self, line: str, reason: str) -> SessionError:
        self._broken = self._hide(reason)
        return SessionError(f"{self._target}: the session was lost at '{self._hide(line)}': {self._broken}")

    def _silent(self, line: str, seen: str, within: float) -> SessionDeadlineError:
        self._broken = "an answer is still outstanding"
        last = self._hide(seen).strip()[-200:] or "nothing"
        return SessionDeadlineError(
            f"{self._target}: no prompt within {within:g} s after '{self._hide(line)}'; seen last: {last!r}",
            remedy="look at the router's log, or give it more time",
        )

    def _read(self, line: str, deadline: Instant, reply: tuple[str, str] | None) -> Answer:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        buffer = ""
        while (remaining := (deadline - SYSTEM.now()).total_seconds()) > 0:
            self._channel.settimeout(remaining)
            try:
                octets = self._channel.recv(_CHUNK)
            except TimeoutError:
                break
            if not octets:
                raise EOFError("the router closed it")
            buffer += decoder.decode(octets)
            if len(buffer) > _ANSWER_MAX:
                raise EOFError(f"the answer is longer than {_ANSWER_MAX >> 20} MiB")
            answer = self._complete(buffer, line)
            if answer is not None:
                return answer
            if reply is not None and re.search(reply[0], plain(buffer[-_TAIL:])):
                self._connection.write_channel(reply[1] + "\n")
                reply = None
        raise _SilenceError(plain(buffer))

    def wait_closed(self, *, within: float) -> None:
        """Wait until the router ends the session (it is going down). Raises SessionDeadlineError."""
        deadline = SYSTEM.now() + timedelta(seconds=within)
        try:
            while (remaining := (deadline - SYSTEM.now()).total_seconds()) > 0:
                self._channel.settimeout(remaining)
                if not self._channel.recv(_CHUNK):
                    return
        except TimeoutError:
            pass
        except _LOST:
            return
        raise SessionDeadlineError(f"{self._target}: the session did not end within {within:g} s")

    def close(self) -> None:
        """Close the session, also a lost one."""
        self._connection.disconnect()

    def _check(self, line: str) -> None:
        problem = None
        if _NOT_TYPED.search(line):
            problem = "a line holds a control character, which the terminal would execute"
        elif not line.isascii():
            problem = "a line holds characters beyond ASCII, which Junos' line editor does not echo unchanged"
        elif not line.strip():
            problem = "an empty line cannot be sent"
        elif len(line) > WIDTH - len(self._connection.base_prompt) - 3:
            problem = f"a line of {len(line)} characters is too long for a terminal of {WIDTH} columns"
        if problem:
            shown = self._hide(_NOT_TYPED.sub("?", line))
            raise ConfigurationError(
                f"{self._target}: {problem}: '{shown[:120]}'", router=self._target.name, line=shown, words=""
            )

    def _complete(self, buffer: str, line: str) -> Answer | None:
        if self._prompt.search(plain(buffer[-_TAIL:])) is None:
            return None
        text = plain(buffer)
        echo = text.find(line + "\n")
        if echo < 0:  # a prompt that arrived late, after the line was sent
            return None
        prompt = self._prompt.search(text, echo + len(line))
        if prompt is None:
            return None
        said = text[echo + len(line) + 1 : prompt.start() + 1].strip("\n")
        return Answer(said, configuring=prompt["mode"] == "#", level=prompt["level"] or "")
