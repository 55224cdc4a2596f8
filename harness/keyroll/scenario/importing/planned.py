"""A planned commit between two configurations: how it changes the sessions, and which of them it resets."""

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
from keyroll.scenario.importing.session_groups import SessionGroup, session_in


class FormerAuthentication(StrEnum):
    """The authentication of sessions before a commit that turns TCP-AO on, as a scenario file writes it."""

    MD5 = "md5"
    NOTHING = "none"


@dataclass(frozen=True, slots=True)
class TurnedOn:
    """A planned commit that turns TCP-AO on: all that is played before the first rollover."""

    former: FormerAuthentication
    routers: tuple[str, ...]
    pause: timedelta
    words: tuple[str, ...]
    """What is predicted of each state on the way, by its name."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A planned commit, and the routers' state after it."""

    after: tuple[Configuration, ...]
    """R1's and R2's configuration after it."""
    groups: tuple[SessionGroup, ...]
    """Each group of sessions after it: the same sessions, with their chains and what `check` says of them."""
    report: Report
    routers: tuple[str, ...]
    """The routers that are changed."""
    pause: timedelta
    words: tuple[str, ...]
    """What is predicted of each state on the way, by its name."""
    down: tuple[str, ...] = ()
    """The names of those states in which a session that is played is down."""

    def points(self, before: SessionGroup, after: SessionGroup) -> bool:
        """Say whether the commit points sessions to another key-chain, on one router at least."""
        return points(before, after)

    def staying(self, keys: Sequence[Sequence[Key]], numbers: Mapping[int, int]) -> dict[int, int]:
        """Return the numbers of the keys of routers that the commit does not change: the same as before it."""
        return {
            id(key): numbers[id(key)]
            for router, held in zip(ROUTERS, keys, strict=True)
            if router not in self.routers
            for key in held
        }


def points(before: SessionGroup, after: SessionGroup) -> bool:
    """Say whether sessions are on other key-chains after a commit than before it, on one router at least."""
    return any(old.name != new.name for old, new in zip(before.chains, after.chains, strict=True))


def split(groups: Sequence[SessionGroup], after: Sequence[Configuration]) -> tuple[SessionGroup, ...]:
    """Return the sessions grouped by the key-chains that they have before and after a commit."""
    return tuple(part for one in groups for part in _parts(one, after))


def _parts(group: SessionGroup, after: Sequence[Configuration]) -> list[SessionGroup]:
    found: dict[tuple[str | None, ...], list[int]] = {}
    for index, ends in enumerate(group.sessions):
        chains = tuple(_chain_name(one, end) for one, end in zip(after, ends, strict=True))
        found.setdefault(chains, []).append(index)
    if len(found) == 1:
        return [group]
    return [
        replace(
            group,
            sessions=tuple(group.sessions[index] for index in part),
            judged=tuple(group.judged[index] for index in part),
            # At a level that sessions share, a new key-chain for one of them would be that of all.
            played=tuple(group.played[index].at_neighbor() for index in part),
        )
        for part in found.values()
    ]


def _chain_name(configuration: Configuration, end: Session) -> str | None:
    session = session_in(configuration, end)
    chain = None if session is None else session.authentication.chain
    return None if chain is None else chain.value


def former(before: Sequence[Configuration], groups: Sequence[SessionGroup]) -> FormerAuthentication | None:
    """Return all sessions' authentication before a commit that turns TCP-AO on; None: they differ, or lack an end.

    Args:
        before: R1's and R2's configuration before it.
        groups: the sessions after it.
    """
    pairs = [
        tuple(session_in(configuration, end) for configuration, end in zip(before, ends, strict=True))
        for group in groups
        for ends in group.sessions
    ]
    found = {_former(end) for ends in pairs for end in ends}
    return found.pop() if len(found) == 1 and not any(_differ(*ends) for ends in pairs) else None


def _differ(one: Session | None, other: Session | None) -> bool:
    """Say whether two ends have passwords that are known to be different: such a session is down before the commit."""
    if one is None or other is None or one.authentication.md5 is None or other.authentication.md5 is None:
        return False
    return one.authentication.md5.value.compare(other.authentication.md5.value) is Likeness.DIFFERENT


def _former(session: Session | None) -> FormerAuthentication | None:
    if session is None or session.authentication.ao or session.authentication.chain is not None:
        return None
    return FormerAuthentication.MD5 if session.authentication.md5 else FormerAuthentication.NOTHING
