"""Exchanges over one terminal: each is timed, redacted, recorded, and parsed if there is a template."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable

from keyroll.errors import KeyrollError
from keyroll.instants import SYSTEM, Clock
from keyroll.junos.errors import CommandError, OutputError, RouterRefusedError, SessionError
from keyroll.junos.exchange import Deadlines, Exchange, T, Target
from keyroll.junos.output import parse
from keyroll.junos.redact import Redactor
from keyroll.junos.terminal import Answer, Terminal
from keyroll.keychain.secret import Secret

Recorder = Callable[[Exchange], None]

REFUSED = re.compile(
    r"^(?:error: |syntax error|unknown command|missing argument|invalid value|invalid input|permission denied)"
    r"|is ambiguous\.?$|^Value \S+ is not within range|^\s*\^\s*$",
    re.MULTILINE | re.IGNORECASE,
)
"""Junos' refusals at a prompt (docs/junos.md 3.6); a line with a caret marks the place of a syntax error."""


class Conversation:
    """Operational commands over one terminal. Use one per thread: two threads on one terminal take turns, line by line.

    Args:
        target: the router.
        recorder: called with every exchange, in the thread of the call, before the call returns.
        deadlines: how long each kind of answer may take.
        secrets: secrets to redact; those in configuration lines are added when they are sent.
        clock: gives the start and end of an exchange.
    """

    def __init__(
        self,
        target: Target,
        *,
        recorder: Recorder | None = None,
        deadlines: Deadlines | None = None,
        secrets: Iterable[Secret] = (),
        clock: Clock = SYSTEM,
    ) -> None:
        self.target = target
        self.deadlines = deadlines or Deadlines()
        self._recorder = recorder
        self._clock = clock
        self._secrets = {target.password, *secrets}
        self._redact = Redactor(self._secrets)
        self._terminal: Terminal | None = None
        self._configuring = False
        self._level = ""
        self._lock = threading.RLock()

    @property
    def name(self) -> str:
        """The router's name."""
        return self.target.name

    def connect(self, *, within: float | None = None) -> None:
        """Log in, by default within deadlines.connect; an open session is kept. Raises SessionError."""
        with self._lock:
            if self._terminal is None:
                limit = self.deadlines.connect if within is None else within
                self._terminal = Terminal.open(self.target, within=limit, hide=self._hide)
                self._configuring = False

    def close(self) -> None:
        """End the session. Does not raise for a lost one."""
        with self._lock:
            self._drop()

    def abort(self) -> None:
        """End the session from another thread: a call that is waiting for an answer raises SessionError."""
        terminal = self._terminal
        if terminal is not None:
            terminal.close()

    def show(self, command: str) -> Exchange:
        """Send an operational command and return the exchange, parsed where a template is known.

        Raises:
            CommandError: the router refused it.
            OutputError: the answer cannot be parsed; the error and the record keep `raw`.
            SessionError, SessionDeadlineError: no answer.
        """
        with self._lock:
            return self._exchange(command, self._operational)

    def read(self, command: str, kind: type[T]) -> T:
        """Send an operational command and return its record, which must be of this kind. Raises as `show`."""
        return self.show(command).parsed_as(kind)

    def ask_secret(self, command: str) -> str:
        """Send an operational command and return the answer UNREDACTED; its record is redacted.

        For reading configurations back into values (`keyroll.junos.readback`): the text must not be written.
        """
        with self._lock:
            kept: list[str] = []

            def keep(line: str) -> str:
                kept.append(self._operational(line))
                return kept[0]

            self._exchange(command, keep)
            return kept[0]

    def learn(self, secrets: Iterable[Secret]) -> None:
        """Redact these secrets as well from now on, in records and in errors."""
        new = set(secrets) - self._secrets
        if new:
            self._secrets |= new
            self._redact = Redactor(self._secrets)

    def _operational(self, line: str) -> str:
        # In configuration mode use `run`, so that a show command leaves the candidate unchanged.
        words = self._ask(f"run {line}" if self._configuring else line, within=self.deadlines.answer).text
        if REFUSED.search(words):
            raise self._refusal(CommandError, line, words)
        return words

    def _after_refusal(self, problem: RouterRefusedError) -> None:
        """Clean up after a refusal, before it is raised; may add a remedy to `problem`."""

    def _ask(self, line: str, *, within: float, reply: tuple[str, str] | None = None) -> Answer:
        if self._terminal is None:
            raise SessionError(f"{self.target}: no SSH session: call connect() first", remedy="connect() first")
        answer = self._terminal.ask(line, within=within, reply=reply)
        self._configuring, self._level = answer.configuring, answer.level
        return answer

    def _exchange(self, command: str, ask: Callable[[str], str]) -> Exchange:
        shown = self._hide(command)
        start = self._clock.now().moment
        raw, record, problem = "", None, None
        try:
            answer = ask(command)
            raw = self._hide(answer)
            record = self._parsed(command, answer, raw)
        except KeyrollError as error:
            problem = error
            if isinstance(error, RouterRefusedError):
                raw = error.words
        end = self._clock.now().moment
        exchange = Exchange(self.target.name, shown, raw, start, end, record, str(problem) if problem else None)
        if self._recorder is not None:
            self._recorder(exchange)
        if problem is None:
            return exchange
        if isinstance(problem, RouterRefusedError):
            self._after_refusal(problem)
        raise problem

    def _parsed(self, command: str, answer: str, raw: str) -> object | None:
        """Parse an answer as received: redacting a secret of one digit first would damage other columns.

        If that fails, parse it again with the secrets redacted, because the error quotes the text.
        """
        try:
            return parse(command, answer, router=self.target.name)
        except OutputError:
            return parse(command, raw, router=self.target.name)

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
        return self._redact(text)

    def _drop(self) -> None:
        if self._terminal is not None:
            self._terminal.close()
        self._terminal = None
        self._configuring = False


def _sentence(words: str) -> str:
    """Return the router's message on one line: its lines without carets, otherwise unchanged."""
    lines = [line.strip() for line in words.split("\n")]
    return " / ".join(line for line in lines if line and line != "^") or "(no words)"
