"""Values of a session: the target, the deadlines, and the recorded exchanges."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from keyroll.errors import RunError
from keyroll.junos.access import Access
from keyroll.keychain.secret import Secret

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """How a router is reached, only by SSH. `platform` is for reports, never for decisions."""

    name: str
    host: str
    port: int
    user: str
    password: Secret
    platform: str = "junos"
    access: Access | None = None
    """How to log in to a router that is not a lab's; None: by the password, whatever the host's key."""

    def __str__(self) -> str:
        return f"{self.name} ({self.user}@{self.host}:{self.port})"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The deadlines of a session, in seconds, each counted from the event that starts the wait."""

    connect: float = 15.0
    """From the first SYN to a prompt that accepts commands."""
    answer: float = 20.0
    """From a command's last character to the prompt after its answer."""
    commit: float = 120.0
    """From `commit` to the prompt after it."""
    reconnect: float = 300.0
    """From a lost session (a reboot) to a prompt that accepts commands."""

    def scaled(self, factor: float) -> Deadlines:
        """Return the same deadlines for a machine that is `factor` times slower."""
        return Deadlines(
            connect=self.connect * factor,
            answer=self.answer * factor,
            commit=self.commit * factor,
            reconnect=self.reconnect * factor,
        )


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command and its answer, safe to write to files: `command`, `raw` and `error` are redacted by structure.

    `start` and `end` are this machine's clock in UTC. `parsed` is a typed record (`keyroll.junos.records`) if the
    command has a template and the answer could be parsed, else None. `error` is the message of the error that ended
    the exchange, else None.
    """

    host: str
    command: str
    raw: str = field(repr=False)
    start: datetime
    end: datetime
    parsed: object | None = None
    error: str | None = None

    @property
    def took(self) -> timedelta:
        """How long the router needed to answer."""
        return self.end - self.start

    def parsed_as(self, kind: type[T]) -> T:
        """Return `parsed`, which must be of this kind.

        Raises:
            RunError: the command has no template, or gives another kind of record: the caller used the wrong command.
        """
        if not isinstance(self.parsed, kind):
            raise RunError(
                f"{self.host}: '{self.command}' gives {type(self.parsed).__name__} instead of {kind.__name__}"
            )
        return self.parsed
