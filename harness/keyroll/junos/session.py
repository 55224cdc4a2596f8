"""One SSH session to one router: show, configure, commit or roll back, clock.

Every exchange is recorded and redacted, whether it succeeds or not. A refusal becomes a named error with the router's
message and the line that caused it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from ipaddress import IPv4Address, IPv6Address
from types import TracebackType
from typing import Self

from keyroll.instants import SYSTEM, Clock, until
from keyroll.junos.conversation import REFUSED, Conversation, Recorder
from keyroll.junos.errors import (
    ClockError,
    CommandError,
    CommitError,
    ConfigurationError,
    RouterRefusedError,
    SessionDeadlineError,
    SessionError,
)
from keyroll.junos.exchange import Deadlines, Exchange, Target
from keyroll.junos.records import UTC_NAMES, SystemUptime
from keyroll.junos.redact import secrets_in
from keyroll.junos.time_zone import SHOW_ZONE, zone_of
from keyroll.keychain.secret import Secret

_SILENT = re.compile(r"^\s*(?:set|delete|activate|deactivate|insert|rename|copy|annotate|protect|unprotect)\b")
"""Statements without output when they succeed: any output but a warning is a refusal."""
_HARMLESS = re.compile(r"^\s*(?:warning: .*|\[edit[^\]]*\])?$")
_NO_CHANGE = "The configuration has been changed but not committed"
_LEAVE_DIRTY = (r"\[yes,no\] \(yes\) ?\Z", "yes")
"""`Exit with uncommitted changes?`: answer yes; the candidate is shared and stays unchanged."""
_NOTHING_TO_CLEAR = re.compile(r"\bnot running$|\bnot found$", re.MULTILINE)
_LOCKED = "configuration database locked by"
"""Another login has locked the configuration: nothing was loaded into the candidate."""
_REBOOT = (r"\[yes,no\] \(no\) ?\Z", "yes")
"""`Reboot the system ? [yes,no] (no)`."""
_CLOCK_SLACK = timedelta(seconds=2)
"""`set date` and `show system uptime` use whole seconds; each may be off by up to one."""
_SHORTEST_TRY = timedelta(seconds=0.5)
"""Shortest time for a login attempt, even near the deadline: a shorter one fails without a useful reason."""
_RETRY = timedelta(seconds=0.2)
"""Interval between login attempts while a router boots; short, because a refused connection costs very little."""


class RouterSession(Conversation):
    """A context manager: logs in, and discards uncommitted changes on exit. Arguments as `Conversation`."""

    def __init__(
        self,
        target: Target,
        *,
        recorder: Recorder | None = None,
        deadlines: Deadlines | None = None,
        secrets: Iterable[Secret] = (),
        clock: Clock = SYSTEM,
    ) -> None:
        super().__init__(target, recorder=recorder, deadlines=deadlines, secrets=secrets, clock=clock)
        self._touched = False
        """Whether the shared candidate holds changes of this session."""
        self._left_touched = False
        self._discarding = False
        """Whether a refusal is being cleaned up: a refusal of the `rollback 0` for it is not cleaned up again."""
        self._zone: tzinfo | None = None
        """The router's time zone, read once; a commit of this session may change it, so it is then read again."""

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------ the session itself

    def close(self) -> None:
        """Leave configuration mode (discarding uncommitted changes) and log out. Does not raise for a lost session."""
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
        """Close this session and log in again, with retries (the router may be booting).

        Discards changes that the lost session left in the shared candidate.

        Raises:
            SessionDeadlineError: no login within `within` seconds (deadlines.reconnect); names the last reason.
        """
        limit = self.deadlines.reconnect if within is None else within
        deadline = self._clock.now() + timedelta(seconds=limit)
        last = ""

        def logged_in() -> bool:
            nonlocal last
            left = max(_SHORTEST_TRY, deadline - self._clock.now())
            try:
                self.connect(within=min(self.deadlines.connect, left.total_seconds()))
            except SessionError as error:
                last = error.message
                return False
            return True

        with self._lock:
            self._left_touched |= self._touched
            self._drop()
            if not until(self._clock, logged_in, deadline=deadline, poll=_RETRY):
                raise SessionDeadlineError(f"{self.target}: no session within {limit:g} s; the last attempt: {last}")
            if self._left_touched:
                self._enter_configuration(dirty_is_ours=True)
                self._touched = True
                self.discard()

    # ------------------------------------------------------------------ operational commands

    def clock(self) -> datetime:
        """Return the router's wall clock (`show system uptime`), in UTC, whole seconds. Raises ClockError."""
        shown = self.read("show system uptime", SystemUptime)
        return shown.current if shown.zone in UTC_NAMES else shown.in_zone(self.zone())

    def zone(self) -> tzinfo:
        """Return the router's time zone from its configuration; UTC if none is configured.

        Raises:
            ClockError: this machine does not know a zone of that name.
        """
        if self._zone is None:
            self._zone = zone_of(self.show(SHOW_ZONE).raw)
        return self._zone

    def set_clock(self, moment: datetime) -> datetime:
        """Set the router's wall clock (`set date YYYYMMDDhhmm.ss`, whole seconds) and read it back.

        Returns the time read back, in UTC. Junos expects the time in the router's zone, which is read first.

        Raises:
            ClockError: the clock differs from the time that was set, or this machine does not know the router's zone.
        """
        if moment.tzinfo is None:
            raise ClockError(f"{self.target.name}: the new time for the clock needs a time zone")
        asked = moment.astimezone(UTC).replace(microsecond=0)
        began = self._clock.now()
        self.show(f"set date {asked.astimezone(self.zone()):%Y%m%d%H%M.%S}")
        found = self.clock()
        passed = self._clock.now() - began
        if not asked - _CLOCK_SLACK <= found <= asked + passed + _CLOCK_SLACK:
            raise ClockError(
                f"{self.target.name}: set to {asked:%Y-%m-%d %H:%M:%S} UTC, but shows {found:%Y-%m-%d %H:%M:%S} UTC",
                remedy="the platform may not let its clock be set, or NTP may be setting it",
            )
        return found

    def clear_bgp(self, address: IPv4Address | IPv6Address | None = None, *, soft: bool = False) -> Exchange:
        """Reset a BGP session (all without `address`); with `soft` only send and request the routes again.

        Raises:
            CommandError: refused, there is no such neighbour, or BGP is not running.
        """
        words = ["clear bgp neighbor", str(address) if address else "all" if not soft else "", "soft" if soft else ""]
        return self._clear(" ".join(word for word in words if word))

    def clear_ldp(self, address: IPv4Address | None = None) -> Exchange:
        """Reset an LDP session (all without `address`). Raises CommandError as `clear_bgp`."""
        return self._clear(f"clear ldp session {address or 'all'}")

    def reboot(self, *, within: float | None = None) -> None:
        """Reboot the router and log in again (`request system reboot`; its question is answered).

        Raises:
            CommandError: refused.
            SessionDeadlineError: the session did not end, or no login within `within` seconds (deadlines.reconnect).
        """
        limit = self.deadlines.reconnect if within is None else within
        began = self._clock.now()
        with self._lock:
            self.discard()
            if self._terminal is None:
                raise SessionError(f"{self.target}: no SSH session: call connect() first", remedy="connect() first")
            try:
                self._exchange("request system reboot", self._reboot)
                self._terminal.wait_closed(within=limit)
            except SessionError:
                pass  # the router went down before it answered, as requested
            self.reconnect(within=limit - (self._clock.now() - began).total_seconds())

    # ------------------------------------------------------------------ configuration

    def configure(self, lines: Sequence[str]) -> Exchange:
        """Load lines into the candidate, in order; configuration mode stays open for `compare` and `commit`.

        Returns one exchange for all lines: `command` is the (redacted) lines, `raw` the router's output.

        Raises:
            ConfigurationError: a line was refused. The candidate is rolled back, and configuration mode left.
        """
        with self._lock:
            self.learn(secret for line in lines for secret in secrets_in(line))
            self._enter_configuration()
            self._touched = True
            return self._exchange("\n".join(lines), lambda _: self._lines(lines))

    def compare(self) -> str:
        """Return the difference of candidate and running configuration (`show | compare`), redacted; empty if none."""
        with self._lock:
            stays = self._configuring
            self._enter_configuration(dirty_is_ours=True)
            diff = self._exchange("show | compare", self._in_configuration).raw
            if not stays:
                self._leave_configuration()
            return diff

    def another(self) -> RouterSession:
        """Return a second login to the same router, not yet made, that is recorded and redacted as this one."""
        return RouterSession(
            self.target,
            recorder=self._recorder,
            deadlines=self.deadlines,
            secrets=self._secrets,
            clock=self._clock,
        )

    def lock(self) -> None:
        """Keep the configuration locked (`configure exclusive`) until `discard` or the end of this session.

        Raises:
            CommandError: another login keeps it locked, or has changed the shared candidate.
        """

        def enter(line: str) -> str:
            answer = self._ask(line, within=self.deadlines.answer)
            if not answer.configuring:
                raise self._refusal(CommandError, line, answer.text)
            return answer.text

        with self._lock:
            self._exchange("configure exclusive", enter)

    def commit_check(self) -> Exchange:
        """Check the candidate (`commit check`). If refused, rolls the candidate back and raises CommitError."""
        return self._commit("commit check", "configuration check succeeds")

    def commit(self, comment: str | None = None, *, confirmed_minutes: int | None = None) -> Exchange:
        """Commit the candidate and leave configuration mode.

        Args:
            comment: stored with the commit on the router; no double quotes.
            confirmed_minutes: the router rolls back after so many minutes unless `commit` is called again.

        Raises:
            CommitError: refused. The candidate is rolled back, and configuration mode left.
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
            self._zone = None
            self._leave_configuration()
            return exchange

    def rollback(self, number: int) -> Exchange:
        """Load an earlier configuration (0 is the running one) into the candidate. Raises ConfigurationError."""
        with self._lock:
            self._enter_configuration()
            self._touched = True
            return self._exchange(f"rollback {number}", self._in_configuration)

    def discard(self) -> None:
        """Discard this session's changes in the candidate and leave configuration mode."""
        with self._lock:
            if not self._configuring:
                return
            if self._touched:
                if self._level:
                    self._exchange("top", self._in_configuration)
                self._exchange("rollback 0", self._in_configuration)
                self._touched = self._left_touched = False
            self._leave_configuration()

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

    def _clear(self, command: str) -> Exchange:
        def ask(line: str) -> str:
            words = self._operational(line)
            if _NOTHING_TO_CLEAR.search(words):
                raise self._refusal(CommandError, line, words)
            return words

        with self._lock:
            return self._exchange(command, ask)

    def _reboot(self, line: str) -> str:
        words = self._ask(line, within=self.deadlines.answer, reply=_REBOOT).text
        if REFUSED.search(words):
            raise self._refusal(CommandError, line, words)
        return words

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
        if unexpected or REFUSED.search(words):
            raise self._refusal(ConfigurationError, line, words)
        return words

    def _enter_configuration(self, *, dirty_is_ours: bool = False) -> None:
        if self._configuring:
            return

        def enter(line: str) -> str:
            answer = self._ask(line, within=self.deadlines.answer)
            if not answer.configuring:
                raise self._refusal(CommandError, line, answer.text)
            if _NO_CHANGE in answer.text and not dirty_is_ours:
                # Changes by someone else: do not commit them unseen, and do not discard them.
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
            return answer.text

        self._exchange("exit configuration-mode", leave)

    def _after_refusal(self, problem: RouterRefusedError) -> None:
        """Roll the candidate back; if that fails too, keep the refusal as the error and add this to it."""
        if not isinstance(problem, ConfigurationError | CommitError) or self._discarding:
            return
        if _LOCKED in problem.words:
            self._touched = False
        self._discarding = True
        try:
            self.discard()
        except (SessionError, SessionDeadlineError, RouterRefusedError) as error:
            self._left_touched = self._touched
            problem.remedy = f"and its candidate could not be rolled back: {error.message}; reconnect() does it"
        finally:
            self._discarding = False
