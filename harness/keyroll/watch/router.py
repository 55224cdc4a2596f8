"""One real router: logged in to once, and sent only the commands of the allow-list, at a limited pace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from keyroll.errors import RunError
from keyroll.instants import SYSTEM, Clock
from keyroll.junos.conversation import Conversation
from keyroll.junos.exchange import Deadlines, Exchange, Target
from keyroll.keychain.secret import Secret
from keyroll.watch.commands import Command, Shape
from keyroll.watch.pace import Pace

T = TypeVar("T")
Recorder = Callable[[Exchange], None]
DEADLINES = Deadlines(connect=60.0, answer=60.0)
"""Seconds: enough for a distant router behind a jump host, with a large configuration and a busy routing engine."""
LARGEST = 4 * 1024 * 1024
"""Characters of an answer that are recorded. No command of the allow-list prints as much; a hostile router may."""


class Router:
    """The part of a session that a watch may use: no method here can send anything but a `Command`."""

    def __init__(
        self, target: Target, *, recorder: Recorder, stop: threading.Event | None = None, clock: Clock = SYSTEM
    ) -> None:
        self.name = target.name
        self._pace = Pace(clock, stop or threading.Event())
        access = target.access and replace(target.access, before_line=self._pace.before_line)
        self._conversation = Conversation(
            replace(target, access=access), recorder=_without_configurations(recorder), deadlines=DEADLINES, clock=clock
        )

    def login(self) -> None:
        """Log in. Raises SessionError; there is no second try: a wrong password would lock the account."""
        self._conversation.connect()
        self._pace.answered()

    def learn(self, secrets: Iterable[Secret]) -> None:
        """Remove these from every record and message about an answer from now on: a router may quote them."""
        self._conversation.learn(secrets)

    def close(self) -> None:
        """End the session, without sending anything."""
        self._conversation.close()

    def abort(self) -> None:
        """End the session from another thread, whatever it waits for."""
        self._conversation.abort()

    def show(self, command: Command) -> Exchange:
        """Send a command and return the exchange, parsed where a template is known. Raises as `Conversation.show`."""
        line = command.text
        self._pace.before_line()
        try:
            return self._conversation.show(line)
        finally:
            self._pace.answered()

    def read(self, command: Command, kind: type[T]) -> T:
        """Send a command and return its record."""
        return self.show(command).parsed_as(kind)

    def configuration(self) -> str:
        """Return the configuration UNREDACTED: it stays in memory, and no record of it is written.

        Raises:
            CommandError: the login may not see it.
            SessionError, SessionDeadlineError: no answer.
        """
        line = Command(Shape.CONFIGURATION).text
        self._pace.before_line()
        try:
            return self._conversation.ask_secret(line)
        finally:
            self._pace.answered()


def _without_configurations(recorder: Recorder) -> Recorder:
    """Return a recorder that writes no configuration to the disk, redacted or not."""

    def record(exchange: Exchange) -> None:
        if exchange.command == Shape.CONFIGURATION.value and exchange.raw:
            exchange = replace(exchange, raw=f"({exchange.raw.count(chr(10)) + 1} lines, not written)")
        if len(exchange.raw) > LARGEST:
            exchange = replace(exchange, raw=exchange.raw[:LARGEST])
        recorder(exchange)

    return record


class NotVisibleError(RunError):
    """The login cannot see what is needed, so it is not known whether the router has it."""
