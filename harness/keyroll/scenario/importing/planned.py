"""A planned commit between two configurations: what it makes of the sessions, and which of them it resets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from keyroll.check.judge import Report
from keyroll.configuration import Configuration, Session
from keyroll.keychain.model import Key
from keyroll.keychain.secret import Likeness
from keyroll.scenario.file.fields import ROUTERS
from keyroll.scenario.importing.pairs import Meant, session_in


class Former(StrEnum):
    """What sessions have before a commit that turns TCP-AO on, in the words of a scenario file."""

    MD5 = "md5"
    NOTHING = "none"


@dataclass(frozen=True, slots=True)
class TurnedOn:
    """A planned commit that turns TCP-AO on: it is the whole of what is played before the first rollover."""

    former: Former
    routers: tuple[str, ...]
    pause: timedelta
    words: tuple[str, ...]
    """What is predicted of each state on the way, by its name."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What the routers will have after a planned commit."""

    after: tuple[Configuration, ...]
    """R1's and R2's configuration after it."""
    meant: tuple[Meant, ...]
    """What becomes of each `Meant` by it: the same sessions, their chains and what `check` says of them."""
    report: Report
    routers: tuple[str, ...]
    """The routers that are changed."""
    pause: timedelta
    words: tuple[str, ...]
    """What is predicted of each state on the way, by its name."""
    down: tuple[str, ...] = ()
    """Of these states, those in which a session that is played is down."""

    def points(self, before: Meant, after: Meant) -> bool:
        """Say whether the commit points sessions to another key-chain, on one router at least."""
        return points(before, after)

    def staying(self, keys: Sequence[Sequence[Key]], numbers: Mapping[int, int]) -> dict[int, int]:
        """Return the numbers of the keys of routers that the commit leaves alone: those that they had before."""
        return {
            id(key): numbers[id(key)]
            for router, held in zip(ROUTERS, keys, strict=True)
            if router not in self.routers
            for key in held
        }


def points(before: Meant, after: Meant) -> bool:
    """Say whether sessions are on other key-chains after a commit than before it, on one router at least."""
    return any(old.name != new.name for old, new in zip(before.chains, after.chains, strict=True))


def split(meant: Sequence[Meant], after: Sequence[Configuration]) -> tuple[Meant, ...]:
    """Return the sessions parted by the key-chains that they have before and after a commit."""
    return tuple(part for one in meant for part in _parts(one, after))


def _parts(meant: Meant, after: Sequence[Configuration]) -> list[Meant]:
    found: dict[tuple[str | None, ...], list[int]] = {}
    for index, ends in enumerate(meant.sessions):
        chains = tuple(_chain_name(one, end) for one, end in zip(after, ends, strict=True))
        found.setdefault(chains, []).append(index)
    if len(found) == 1:
        return [meant]
    return [
        replace(
            meant,
            sessions=tuple(meant.sessions[index] for index in part),
            judged=tuple(meant.judged[index] for index in part),
            # At one level that they share, another key-chain for one would be that of all.
            played=tuple(meant.played[index].at_neighbor() for index in part),
        )
        for part in found.values()
    ]


def _chain_name(configuration: Configuration, end: Session) -> str | None:
    session = session_in(configuration, end)
    chain = None if session is None else session.authentication.chain
    return None if chain is None else chain.value


def former(before: Sequence[Configuration], meant: Sequence[Meant]) -> Former | None:
    """Return what all sessions have at both ends before a commit that turns TCP-AO on; None: not the same, or no end.

    Args:
        before: R1's and R2's configuration before it.
        meant: the sessions after it.
    """
    pairs = [
        tuple(session_in(configuration, end) for configuration, end in zip(before, ends, strict=True))
        for group in meant
        for ends in group.sessions
    ]
    found = {_former(end) for ends in pairs for end in ends}
    return found.pop() if len(found) == 1 and not any(_differ(*ends) for ends in pairs) else None


def _differ(one: Session | None, other: Session | None) -> bool:
    """Say whether two ends have passwords that are known to be different: such a session is down before the commit."""
    if one is None or other is None or one.authentication.md5 is None or other.authentication.md5 is None:
        return False
    return one.authentication.md5.value.compare(other.authentication.md5.value) is Likeness.DIFFERENT


def _former(session: Session | None) -> Former | None:
    if session is None or session.authentication.ao or session.authentication.chain is not None:
        return None
    return Former.MD5 if session.authentication.md5 else Former.NOTHING
