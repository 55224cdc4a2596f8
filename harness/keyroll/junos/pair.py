"""Operate several routers together: in parallel, or one after the other if an order is given.

A change of configuration is made on all of them or on none: if one refuses, the others are rolled back, even after a
commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from keyroll.errors import KeyrollError
from keyroll.instants import SYSTEM, Clock
from keyroll.junos.exchange import Exchange
from keyroll.junos.session import RouterSession

T = TypeVar("T")
Name = TypeVar("Name", bound=str)
Noted = Callable[[Name, int, int], None]
"""Called after each commit with the router and the instants (ns since 1970) between which it took place."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A planned change of one router's configuration: how to build its candidate, and how to commit it."""

    load: Callable[[RouterSession], object]
    comment: str | None = None
    """Commit comment, stored on the router."""
    confirmed_minutes: int | None = None
    """`commit confirmed`: the router rolls back after so many minutes unless another commit follows."""

    @classmethod
    def of(cls, lines: Sequence[str], *, comment: str | None = None, confirmed_minutes: int | None = None) -> Self:
        """Return a draft that builds its candidate from set (and other) lines."""
        return cls(lambda session: session.configure(lines), comment, confirmed_minutes)


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit changed on one router: the (redacted) difference before it, and the commit's exchange."""

    diff: str
    commit: Exchange


class Pair(Generic[Name]):
    """Sessions by router name (usually two). A context manager: logs in to all in parallel, and logs out.

    If several routers fail together, the error of the first one (in the mapping's order) is raised; the other errors
    are its notes.
    """

    def __init__(self, sessions: Mapping[Name, RouterSession], *, clock: Clock = SYSTEM) -> None:
        self.sessions = dict(sessions)
        self._clock = clock
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(self.sessions)), thread_name_prefix="router")

    def __enter__(self) -> Self:
        try:
            self.at_once(lambda session: session.connect())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Discard uncommitted changes and log out on all routers."""
        for session in self.sessions.values():
            session.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def at_once(self, work: Callable[[RouterSession], T], names: Sequence[Name] | None = None) -> dict[Name, T]:
        """Run `work` for every named router (all without `names`) in parallel; returns when all have ended."""
        return self._at_once(lambda name: work(self.sessions[name]), self._names(names))

    def in_order(self, work: Callable[[RouterSession], T], names: Sequence[Name]) -> dict[Name, T]:
        """Run `work` for the named routers, one after the other; the first error ends it."""
        return {name: work(self.sessions[name]) for name in self._names(names)}

    def show(self, command: str, names: Sequence[Name] | None = None) -> dict[Name, Exchange]:
        """Send an operational command to every named router (all without `names`) at the same time."""
        return self.at_once(lambda session: session.show(command), names)

    def change(
        self,
        drafts: Mapping[Name, Draft],
        *,
        order: Sequence[Name] | None = None,
        between: Callable[[], None] | None = None,
        committed: Noted[Name] | None = None,
        taken_back: Noted[Name] | None = None,
    ) -> dict[Name, Change]:
        """Build candidates, check and commit them, on all named routers or on none.

        Args:
            drafts: by router name; other routers stay unchanged.
            order: commit in this order, one after the other; without it in parallel. Candidates are built in parallel.
            between: called between two commits, if there is an order.
            committed: called after each commit (in the thread that made it, if there is no order).
            taken_back: called, in the same way, after a commit was rolled back.

        Raises:
            ConfigurationError, CommitError, SessionError, SessionDeadlineError: the error of the first router that
                failed. Candidates are restored and commits of other routers are rolled back; the error's notes name
                routers on which that failed.
        """
        names = self._names(order if order is not None else list(drafts))
        there: list[Name] = []

        def commit(name: Name) -> Exchange:
            draft = drafts[name]
            begun = self._clock.now().ns
            done = self.sessions[name].commit(draft.comment, confirmed_minutes=draft.confirmed_minutes)
            there.append(name)
            if committed is not None:
                committed(name, begun, self._clock.now().ns)
            return done

        try:
            self._at_once(lambda name: drafts[name].load(self.sessions[name]), names)
            diffs = self.at_once(lambda session: session.compare(), names)
            if len(names) > 1:  # a single router: after a refused commit there is nothing to roll back
                self.at_once(lambda session: session.commit_check(), names)
            done = self._at_once(commit, names) if order is None else _in_turn(commit, names, between)
        except KeyrollError as error:
            self._take_back(names, there, error, taken_back)
            raise
        return {name: Change(diffs[name], done[name]) for name in names}

    def _at_once(self, work: Callable[[Name], T], names: Sequence[Name]) -> dict[Name, T]:
        futures = {name: self._pool.submit(work, name) for name in names}
        errors = [error for future in futures.values() if (error := future.exception()) is not None]
        if errors:
            for other in errors[1:]:
                errors[0].add_note(f"another router failed too: {other}")
            raise errors[0]
        return {name: future.result() for name, future in futures.items()}

    def _take_back(
        self, names: Sequence[Name], there: Sequence[Name], error: KeyrollError, taken_back: Noted[Name] | None
    ) -> None:
        def undo(name: Name) -> None:
            session = self.sessions[name]
            try:
                if name not in there:
                    session.discard()
                    return
                session.rollback(1)
                begun = self._clock.now().ns
                session.commit("taken back: the change failed on another router")
                if taken_back is not None:
                    taken_back(name, begun, self._clock.now().ns)
            except KeyrollError as problem:
                error.add_note(f"{name} could not be rolled back: {problem}")

        self._at_once(undo, names)

    def _names(self, names: Sequence[Name] | None) -> list[Name]:
        chosen = list(self.sessions) if names is None else list(names)
        unknown = [name for name in chosen if name not in self.sessions]
        if unknown:
            raise KeyError(f"no session to {', '.join(unknown)}; there are {', '.join(self.sessions)}")
        return chosen


def _in_turn(work: Callable[[Name], T], names: Sequence[Name], between: Callable[[], None] | None) -> dict[Name, T]:
    done: dict[Name, T] = {}
    for name in names:
        if done and between is not None:
            between()
        done[name] = work(name)
    return done
