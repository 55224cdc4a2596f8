"""What a reader of a plan must know besides its changes: each note is a sentence for people and data for programs."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, datetime

from keyroll.check.findings import Finding
from keyroll.names import Receiving


class About(enum.StrEnum):
    """The kind of a note: the word that a program reads in plan.json."""

    SECRETS_UNKNOWN = "secrets-unknown"
    GROUPS_EXPANDED = "groups-expanded"
    NO_SESSION = "no-session"
    KEY_TOO_OLD = "key-too-old"
    IDS = "ids"
    CHAIN_IS_NEW = "chain-is-new"
    HOUR_OCCURS_TWICE = "hour-occurs-twice"


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence, what it is about, and the router and keys that it concerns, if any."""

    about: About
    text: str
    router: str | None = None
    keys: tuple[int, ...] = ()
    unknown: bool = False
    """Whether something that matters to the plan is not known."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Checked:
    """A finding of `keyroll check` about a session of the chain: an error, or something unknown."""

    finding: Finding

    def __str__(self) -> str:
        return str(self.finding)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Until when a router accepts a segment that is signed with the leaked key, at the latest.

    `deletion` says what ends this: True if the key's deletion there does, False if its successor's start-time plus the
    tolerance does.
    """

    router: str
    key: int
    receiving: Receiving
    until: datetime
    deletion: bool

    def __str__(self) -> str:
        instant = self.until.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        head = f"{self.router}, {self.receiving.value}: the leaked key {self.key} is accepted until"
        if not self.deletion:
            return f"{head} {instant} on the router's clock (its successor's start-time plus the tolerance)"
        text = f"{head} its deletion is committed, by {instant}"
        if self.receiving is Receiving.TOLERANCE:
            return text
        return f"{text}; an open connection may accept it until the connection ends (assumption K15)"


Note = Remark | Checked | Accepted
