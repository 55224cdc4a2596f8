"""Several routers driven together: at once where order does not matter, in the stated order where it does.

A change of configuration is made on all of them or on none: what one refuses is taken back from the others, also where
they had committed it already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from harness.errors import KeyrollError
from harness.junos.exchange import Exchange
from harness.junos.session import RouterSession

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit changed on one router: the (redacted) difference before it, and the commit's exchange."""

    diff: str
    commit: Exchange


class Pair:
    """Sessions by router name (two, as a rule). A context manager: logs in to all at once, and logs out.

    When several routers fail at once, the first one's error (in the mapping's order) is raised; the others are added to
    it as notes.
    """

    def __init__(self, sessions: Mapping[str, RouterSession]) -> None:
        self.sessions = dict(sessions)
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
        """Log out everywhere, taking back what was not committed."""
        for session in self.sessions.values():
            session.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def at_once(self, work: Callable[[RouterSession], T], names: Sequence[str] | None = None) -> dict[str, T]:
        """Do `work` with every named router (all without `names`) at the same time; returns when all have ended."""
        chosen = self._names(names)
        futures = {name: self._pool.submit(work, self.sessions[name]) for name in chosen}
        errors = [error for future in futures.values() if (error := future.exception()) is not None]
        if errors:
            for other in errors[1:]:
                errors[0].add_note(f"and at the same time: {other}")
            raise errors[0]
        return {name: future.result() for name, future in futures.items()}

    def in_order(self, work: Callable[[RouterSession], T], names: Sequence[str]) -> dict[str, T]:
        """Do `work` with the named routers, one after the other; the first error ends it."""
        return {name: work(self.sessions[name]) for name in self._names(names)}

    def change(
        self, lines: Mapping[str, Sequence[str]], *, order: Sequence[str] | None = None, comment: str | None = None
    ) -> dict[str, Change]:
        """Configure, check and commit, on all named routers or on none.

        Args:
            lines: set (and other) lines by router name; routers not named are left alone.
            order: commit in this order, one after the other; at once without it. Candidates are always made at once.
            comment: kept with each commit on the routers.

        Raises:
            ConfigurationError, CommitError, SessionError, SessionDeadlineError: the first router's that could not do
                its part. Candidates have been put back; what other routers had committed has been rolled back, or the
                error's notes say where it could not be.
        """
        names = self._names(order if order is not None else list(lines))
        committed: list[str] = []

        def commit(session: RouterSession) -> Exchange:
            done = session.commit(comment)
            committed.append(session.name)
            return done

        try:
            self.at_once(lambda session: session.configure(lines[session.name]), names)
            diffs = self.at_once(lambda session: session.compare(), names)
            self.at_once(lambda session: session.commit_check(), names)
            done = self.at_once(commit, names) if order is None else self.in_order(commit, names)
        except KeyrollError as error:
            self._take_back(names, committed, error)
            raise
        return {name: Change(diffs[name], done[name]) for name in names}

    def _take_back(self, names: Sequence[str], committed: Sequence[str], error: KeyrollError) -> None:
        def undo(session: RouterSession) -> None:
            try:
                if session.name in committed:
                    session.rollback(1)
                    session.commit("taken back: the change failed on another router")
                else:
                    session.discard()
            except KeyrollError as problem:
                error.add_note(f"{session.name} could not be put back: {problem}")

        self.at_once(undo, names)

    def _names(self, names: Sequence[str] | None) -> list[str]:
        chosen = list(self.sessions) if names is None else list(names)
        unknown = [name for name in chosen if name not in self.sessions]
        if unknown:
            raise KeyError(f"no session to {', '.join(unknown)}; there are {', '.join(self.sessions)}")
        return chosen
