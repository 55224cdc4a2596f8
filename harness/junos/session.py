"""One SSH session to one router: show, configure, commit or step back, clock.

Every exchange is recorded, redacted, whether it succeeds or not. What a router refuses becomes a named error that
holds the router's own words and the line that caused them.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from types import TracebackType
from typing import Self

from harness.errors import KeyrollError
from harness.junos.errors import (
    ClockError,
    CommandError,
    CommitError,
    ConfigurationError,
    RouterRefusedError,
    SessionDeadlineError,
    SessionError,
)
from harness.junos.exchange import Deadlines, Exchange, T, Target
from harness.junos.output import parse
from harness.junos.records import SystemUptime
from harness.junos.redact import redact, secrets_in
from harness.junos.terminal import Answer, Terminal
from harness.keychain.secret import Secret

Recorder = Callable[[Exchange], None]

_REFUSED = re.compile(
    r"^(?:error: |syntax error|unknown command|missing argument|invalid value|invalid input|permission denied)"
    r"|is ambiguous\.?$|^Value \S+ is not within range|^\s*\^\s*$",
    re.MULTILINE | re.IGNORECASE,
)
"""How Junos says no at a prompt (facts/junos.md 3.6); a caret line stands under the place of a syntax error."""
_SILENT = re.compile(r"^\s*(?:set|delete|activate|deactivate|insert|rename|copy|annotate|protect|unprotect)\b")
"""Statements that answer nothing when they are taken: any other answer but a warning is a refusal."""
_HARMLESS = re.compile(r"^\s*(?:warning: .*|\[edit[^\]]*\])?$")
_NO_CHANGE = "The configuration has been changed but not committed"
_LEAVE_DIRTY = (r"\[yes,no\] \(yes\) ?\Z", "yes")
"""`Exit with uncommitted changes?`: the candidate is shared, and stays as it is."""
_CLOCK_SLACK = timedelta(seconds=2)
"""`set date` and `show system uptime` count whole seconds; one each way may be lost."""
_RETRY = 0.2
"""Seconds between two attempts to log in while a router is coming up."""


class RouterSession:
    """A context manager around one terminal. One session per thread: a second thread waits its turn, line by line.

    Args:
        target: whom to talk to.
        recorder: called with every exchange, in the thread that made it, before the call that made it returns.
        deadlines: how long each kind of answer may take.
        secrets: secrets known beforehand; those in configuration lines are learnt as they are sent.
    """

    def __init__(
        self,
        target: Target,
        *,
        recorder: Recorder | None = None,
        deadlines: Deadlines | None = None,
        secrets: Iterable[Secret] = (),
    ) -> None:
        self.target = target
        self.deadlines = deadlines or Deadlines()
        self._recorder = recorder
        self._secrets = {target.password, *secrets}
        self._terminal: Terminal | None = None
        self._configuring = False
        self._touched = False
        """Whether the shared candidate holds changes of this session."""
        self._left_touched = False
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """The router's name."""
        return self.target.name

    # ------------------------------------------------------------------ the session itself

    def connect(self) -> None:
        """Log in; nothing happens when the session already stands. Raises SessionError."""
        with self._lock:
            if self._terminal is None:
                self._terminal = Terminal.open(self.target, within=self.deadlines.connect, hide=self._hide)
                self._configuring = False

    def close(self) -> None:
        """Leave configuration mode (dropping what is not committed) and log out. Never raises for a lost session."""
        with self._lock:
            if self._terminal is None:
                return
            if self._configuring:
                try:
                    self.discard()
                except (SessionError, SessionDeadlineError, RouterRefusedError):
                    self._left_touched = self._touched
            self._drop()

    def reconnect(self, *, within: float | None = None) -> None:
        """Drop this session and log in again, as often as it takes (the router may be booting).

        Changes that this session left in the shared candidate when it was lost are taken back.

        Raises:
            SessionDeadlineError: no login within `within` seconds (deadlines.reconnect); names the last reason.
        """
        limit = self.deadlines.reconnect if within is None else within
        deadline = time.monotonic() + limit
        with self._lock:
            self._left_touched |= self._touched
            self._drop()
            pause = threading.Event()
            while True:
                try:
                    self.connect()
                    break
                except SessionError as error:
                    last = error.message
                if time.monotonic() >= deadline:
                    raise SessionDeadlineError(
                        f"{self.target}: no session within {limit:g} s; the last attempt: {last}"
                    )
                pause.wait(min(_RETRY, max(0.0, deadline - time.monotonic())))
            if self._left_touched:
                self._enter_configuration(dirty_is_ours=True)
                self._touched = True
                self.discard()

    # ------------------------------------------------------------------ operational commands

    def show(self, command: str) -> Exchange:
        """Send an operational command and return the exchange, parsed where a template is known.

        Raises:
            CommandError: the router refused it.
            OutputError: it answered something that cannot be read; `raw` is kept in the error and in the record.
            SessionError, SessionDeadlineError: no answer.
        """
        with self._lock:
            return self._exchange(command, self._operational)

    def read(self, command: str, kind: type[T]) -> T:
        """Send an operational command and return its record, which must be of this kind. Raises as `show`."""
        return self.show(command).parsed_as(kind)

    def clock(self) -> datetime:
        """Return the router's wall clock (`show system uptime`), in UTC, whole seconds. Raises ClockError."""
        return self.read("show system uptime", SystemUptime).current.astimezone(UTC)

    def set_clock(self, moment: datetime) -> datetime:
        """Set the router's wall clock (`set date YYYYMMDDhhmm.ss`, whole seconds) and read it back.

        Returns what was read back, in UTC. The router's zone must be UTC: `show system uptime` says which it is.

        Raises:
            ClockError: the clock is not where it was set.
        """
        if moment.tzinfo is None:
            raise ClockError(f"{self.target.name}: a clock is set to an instant with a time zone")
        asked = moment.astimezone(UTC).replace(microsecond=0)
        began = time.monotonic()
        self.show(f"set date {asked:%Y%m%d%H%M.%S}")
        found = self.clock()
        passed = timedelta(seconds=time.monotonic() - began)
        if not asked - _CLOCK_SLACK <= found <= asked + passed + _CLOCK_SLACK:
            raise ClockError(
                f"{self.target.name}: set to {asked:%Y-%m-%d %H:%M:%S} UTC, but shows {found:%Y-%m-%d %H:%M:%S} UTC",
                remedy="the platform may not let its clock be set, or NTP may be setting it",
            )
        return found

    def clear_bgp(self, address: IPv4Address | IPv6Address | None = None, *, soft: bool = False) -> Exchange:
        """Reset a BGP session (all without `address`), or with `soft` only have routes sent and asked for again."""
        words = ["clear bgp neighbor", str(address) if address else "all" if not soft else "", "soft" if soft else ""]
        return self.show(" ".join(word for word in words if word))

    # ------------------------------------------------------------------ configuration

    def configure(self, lines: Sequence[str]) -> Exchange:
        """Put lines into the candidate, in order; configuration mode stays open for `compare` and `commit`.

        Returns one exchange for all lines: `command` is the (redacted) lines, `raw` what the router said to them.

        Raises:
            ConfigurationError: a line was refused. The candidate is back at what was running, and the mode is left.
        """
        with self._lock:
            self._secrets.update(secret for line in lines for secret in secrets_in(line))
            self._enter_configuration()
            self._touched = True
            return self._exchange("\n".join(lines), lambda _: self._lines(lines))

    def compare(self) -> str:
        """Return the candidate's difference to what is running (`show | compare`), redacted; empty if none."""
        with self._lock:
            stays = self._configuring
            self._enter_configuration(dirty_is_ours=True)
            diff = self._exchange("show | compare", self._in_configuration).raw
            if not stays:
                self._leave_configuration()
            return diff

    def commit_check(self) -> Exchange:
        """Have the candidate checked (`commit check`). Raises CommitError, with the candidate put back."""
        return self._commit("commit check", "configuration check succeeds")

    def commit(self, comment: str | None = None, *, confirmed_minutes: int | None = None) -> Exchange:
        """Commit the candidate and leave configuration mode.

        Args:
            comment: kept with the commit on the router; no double quotes.
            confirmed_minutes: roll back by itself after so many minutes unless `commit` is called again.

        Raises:
            CommitError: refused. The candidate is back at what was running, and the mode is left.
        """
        command = "commit"
        if confirmed_minutes is not None:
            command += f" confirmed {confirmed_minutes}"
        if comment is not None:
            if '"' in comment:
                raise ConfigurationError(
                    "a commit comment cannot hold a double quote", router=self.target.name, line=comment, words=""
                )
            command += f' comment "{comment}"'
        with self._lock:
            exchange = self._commit(command, "commit complete")
            self._touched = False
            self._leave_configuration()
            return exchange

    def rollback(self, number: int) -> Exchange:
        """Load an earlier configuration (0 is the running one) into the candidate. Raises ConfigurationError."""
        with self._lock:
            self._enter_configuration()
            self._touched = True
            return self._exchange(f"rollback {number}", self._in_configuration)

    def discard(self) -> None:
        """Take this session's changes back out of the candidate and leave configuration mode."""
        with self._lock:
            if not self._configuring:
                return
            if self._touched:
                self._exchange("rollback 0", self._in_configuration)
                self._touched = self._left_touched = False
            self._leave_configuration()

    def ask_secret(self, command: str) -> str:
        """Send an operational command and return the answer UNREDACTED; its record is redacted.

        For reading configurations back into values (`harness.junos.readback`): the text must not be written.
        """
        with self._lock:
            kept: list[str] = []

            def keep(line: str) -> str:
                kept.append(self._operational(line))
                return kept[0]

            self._exchange(command, keep)
            return kept[0]

    # ------------------------------------------------------------------ beneath

    def _commit(self, command: str, marker: str) -> Exchange:
        def ask(line: str) -> str:
            words = self._ask(line, within=self.deadlines.commit).text
            if marker not in words or re.search(r"^error: ", words, re.MULTILINE):
                raise self._refusal(CommitError, line, words)
            return words

        with self._lock:
            self._enter_configuration()
            return self._exchange(command, ask)

    def _lines(self, lines: Sequence[str]) -> str:
        said: list[str] = []
        for line in lines:
            words = self._in_configuration(line)
            if words.strip():
                said.append(words)
        return "\n".join(said)

    def _in_configuration(self, line: str) -> str:
        words = self._ask(line, within=self.deadlines.answer).text
        unexpected = bool(_SILENT.match(line)) and not all(_HARMLESS.match(word) for word in words.split("\n"))
        if unexpected or _REFUSED.search(words):
            raise self._refusal(ConfigurationError, line, words)
        return words

    def _operational(self, line: str) -> str:
        # In configuration mode an operational command is run from there: the candidate must not be touched by a look.
        words = self._ask(f"run {line}" if self._configuring else line, within=self.deadlines.answer).text
        if _REFUSED.search(words):
            raise self._refusal(CommandError, line, words)
        return words

    def _enter_configuration(self, *, dirty_is_ours: bool = False) -> None:
        if self._configuring:
            return

        def enter(line: str) -> str:
            answer = self._ask(line, within=self.deadlines.answer)
            if not answer.configuring:
                raise self._refusal(CommandError, line, answer.text)
            self._configuring = True
            if _NO_CHANGE in answer.text and not dirty_is_ours:
                # Not ours: committing it would answer for changes nobody stated; discarding it would lose them.
                self._leave_configuration()
                raise self._refusal(
                    ConfigurationError, line, answer.text, remedy="commit or roll back what is in its candidate"
                )
            return answer.text

        self._exchange("configure", enter)

    def _leave_configuration(self) -> None:
        if not self._configuring:
            return

        def leave(line: str) -> str:
            answer = self._ask(line, within=self.deadlines.answer, reply=_LEAVE_DIRTY)
            if answer.configuring:
                raise self._refusal(CommandError, line, answer.text)
            self._configuring = False
            return answer.text

        self._exchange("exit configuration-mode", leave)

    def _back_out(self, problem: RouterRefusedError) -> None:
        """Step back to what was running; where that fails as well, the refusal stays the error and tells of it."""
        try:
            self.discard()
        except (SessionError, SessionDeadlineError, RouterRefusedError) as error:
            self._left_touched = self._touched
            problem.remedy = f"and its candidate could not be put back: {error.message}; reconnect() does it"

    def _ask(self, line: str, *, within: float, reply: tuple[str, str] | None = None) -> Answer:
        if self._terminal is None:
            raise SessionError(f"{self.target}: there is no session", remedy="connect() first")
        return self._terminal.ask(line, within=within, reply=reply)

    def _exchange(self, command: str, ask: Callable[[str], str]) -> Exchange:
        shown = self._hide(command)
        start = datetime.now(UTC)
        raw, record, problem = "", None, None
        try:
            raw = self._hide(ask(command))
            record = parse(command, raw, router=self.target.name)
        except KeyrollError as error:
            problem = error
            if isinstance(error, RouterRefusedError):
                raw = error.words
        exchange = Exchange(
            self.target.name, shown, raw, start, datetime.now(UTC), record, str(problem) if problem else None
        )
        if self._recorder is not None:
            self._recorder(exchange)
        if problem is None:
            return exchange
        if isinstance(problem, ConfigurationError | CommitError):
            self._back_out(problem)
        raise problem

    def _refusal(
        self, kind: type[RouterRefusedError], line: str, words: str, *, remedy: str | None = None
    ) -> RouterRefusedError:
        shown, said = self._hide(line), self._hide(words)
        return kind(
            f"{self.target.name} refused '{shown}': {_sentence(said)}",
            router=self.target.name,
            line=shown,
            words=said,
            remedy=remedy,
        )

    def _hide(self, text: str) -> str:
        return redact(text, self._secrets)

    def _drop(self) -> None:
        if self._terminal is not None:
            self._terminal.close()
        self._terminal = None
        self._configuring = False


def _sentence(words: str) -> str:
    """Return the router's words on one line: its lines without carets, each kept as it is."""
    lines = [line.strip() for line in words.split("\n")]
    return " / ".join(line for line in lines if line and line != "^") or "(no words)"
