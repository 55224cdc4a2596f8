"""The shared and private candidates, the running configuration and the rollbacks of one router; `commit`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any, TypeVar

from keyroll.emulator.contract.model import Backend, BackendError, CheckBackend, Intent
from keyroll.emulator.junos.commit.candidate import Candidate, empty
from keyroll.emulator.junos.configuration import constraints
from keyroll.emulator.junos.configuration.faults import CommitFault, JunosFault
from keyroll.emulator.junos.configuration.inherit import expand, expand_part
from keyroll.emulator.junos.configuration.merge import Conflict, merge
from keyroll.emulator.junos.configuration.schema import Statement
from keyroll.emulator.junos.configuration.tree import Node
from keyroll.emulator.junos.configuration.values import zone_named
from keyroll.emulator.junos.effect import accounts, intent
from keyroll.emulator.junos.effect.keys_in_use import Runtime, SessionId

T = TypeVar("T")
NOT_APPLIED = "configuration could not be applied"
LARGE = 2000
"""Number of statements above which work runs in a thread: checking 2000 takes 0.1 s, and other sessions wait for it."""
ROLLBACKS = 50
"""Number of commits kept, as in Junos: the running configuration and 49 before it."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: its configuration, when (router's clock, UTC), by whom, how, and with which comment."""

    tree: Node
    when: datetime
    user: str
    via: str = "cli"
    comment: str | None = None


async def in_thread_if_large(tree: Node, work: Callable[[], T]) -> T:
    """Return `work()`, run in a thread if `tree` is LARGE, so that the router answers other sessions meanwhile."""
    if not tree.is_larger_than(LARGE):
        return work()
    return await asyncio.to_thread(work)


class Datastore(Candidate):
    """The configurations of one router. Its candidate is shared by all sessions without a private one."""

    def __init__(self, root: Statement, backend: Backend, *, host_name: str, runtime: Runtime | None = None) -> None:
        super().__init__(root)
        self.runtime = runtime or Runtime(backend)
        self._backend = backend
        self._default_host_name = host_name
        self._lock = asyncio.Lock()
        self.commits: list[Commit] = [Commit(empty(root), backend.now(), "root", "other")]
        self.in_force: Intent = intent.build(empty(root), host_name=host_name)
        self.on_commit: Callable[[Commit], None] | None = None
        self.keep: Callable[[], str | None] | None = None
        """Saves the commits for a reboot; called after each commit. Returns the log text of a failure, or None."""
        self.log: Callable[[str], None] | None = None
        self.broadcast: Callable[[str], None] | None = None
        """Prints a text on every terminal that is logged in."""
        self._logins_of: Node | None = None
        """The configuration that `_logins` was computed from; it is computed again only after a commit."""
        self._logins: Mapping[str, accounts.Login] = {}
        self._deadline: asyncio.TimerHandle | None = None
        self._rolling_back: asyncio.Task[None] | None = None
        """Stored, because the event loop holds tasks only by weak references."""
        self._unfinished: set[asyncio.Task[Any]] = set()
        """Tasks that are completed even if their user disconnects."""

    @property
    def running(self) -> Node:
        """The configuration in force."""
        return self.commits[0].tree

    async def changed(self) -> bool:
        """Return whether the candidate differs from the running configuration, without blocking the event loop."""
        async with self.tree_lock.reading():
            return not await in_thread_if_large(self.candidate, partial(self.candidate.same, self.running))

    @property
    def host_name(self) -> str:
        """The router's name in the configuration in force."""
        return self.in_force.host_name

    @property
    def zone(self) -> tzinfo:
        """The router's time zone in the running configuration."""
        system = self.running.find("system")
        name = system.value_of("time-zone") if system else None
        return zone_named(name) if name else UTC

    @property
    def logins(self) -> Mapping[str, accounts.Login]:
        """The users of the running configuration, by name."""
        if self._logins_of is not self.running:
            self._logins_of, self._logins = self.running, accounts.configured(expand_part(self.running, "system"))
        return self._logins

    async def checked(self) -> None:
        """Check the candidate as `commit check` does, without blocking the event loop. Raises CommitFault.

        A check that succeeds confirms an unconfirmed commit (assumption J97).
        """
        async with self.tree_lock.reading():
            await in_thread_if_large(self.candidate, self.check)
        self.confirm()

    def check(self, tree: Node | None = None) -> Intent:
        """Return the intent of a configuration, by default the candidate. Raises CommitFault with all reasons."""
        tree = tree or self.candidate
        expanded = expand(tree)
        broken = constraints.violations(tree, expanded)
        if broken:
            raise CommitFault(tuple(broken), constraints.FAILED)
        wanted = intent.build(expanded, host_name=self._default_host_name)
        if isinstance(self._backend, CheckBackend):
            try:
                self._backend.check(self.runtime.without_sessions(wanted))
            except BackendError as error:
                raise CommitFault((f"error: {error}",), NOT_APPLIED) from error
        return wanted

    async def commit(
        self,
        user: str,
        *,
        tree: Node | None = None,
        edits: tuple[Node, Node] | None = None,
        comment: str | None = None,
        via: str = "cli",
        confirm_minutes: int | None = None,
    ) -> Commit:
        """Put the candidate, or `tree`, into force as a whole. Raises CommitFault; then nothing changes.

        `edits` are the trees before and after the changes of a private candidate: they are merged into the candidate.
        With `confirm_minutes` it is rolled back after that time (on the monotonic clock) unless another commit follows.
        A commit that has begun is completed even if its user presses Ctrl-C or disconnects, hence the shielded task.
        """
        work = self._commit(user, tree, edits=edits, comment=comment, via=via, confirm_minutes=confirm_minutes)
        return await asyncio.shield(self.to_the_end(work))

    def to_the_end(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task that is completed even if its user disconnects; `close` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._unfinished.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._unfinished.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as retrieved, else asyncio logs it when the caller has been cancelled

    async def _commit(
        self,
        user: str,
        tree: Node | None,
        *,
        edits: tuple[Node, Node] | None,
        comment: str | None,
        via: str,
        confirm_minutes: int | None,
    ) -> Commit:
        async with self._lock:
            if tree is None:
                async with self.tree_lock.reading():  # nothing edits the candidate while it is copied
                    tree = await in_thread_if_large(self.candidate, self.candidate.copy)
            else:
                tree = await in_thread_if_large(tree, tree.copy)
            wanted = await in_thread_if_large(tree, partial(self.check, tree))
            before = self.running
            await self._apply(wanted)
            self.confirm()
            made = Commit(tree, self._backend.now(), user, via, comment)
            if not await in_thread_if_large(tree, partial(tree.same, before)):
                self.commits = [made, *self.commits][:ROLLBACKS]
            self.in_force = wanted
            if edits is not None:
                # Under the lock: a commit of the candidate without these changes would undo them.
                async with self.tree_lock.writing():
                    await in_thread_if_large(self.candidate, partial(merge, *edits, self.candidate))
            if confirm_minutes is not None:
                self._expect_confirmation(confirm_minutes, before, user)
            problem = await in_thread_if_large(made.tree, self.keep) if self.keep is not None else None
        if problem is not None and self.log is not None:
            self.log(problem)
        if self.on_commit is not None:
            self.on_commit(made)
        return made

    async def _apply(self, wanted: Intent) -> None:
        try:
            await self.runtime.apply(wanted)
        except BackendError as error:
            raise CommitFault((f"error: {error}",), NOT_APPLIED) from error

    @property
    def minutes_to_rollback(self) -> int | None:
        """Minutes until an unconfirmed commit is rolled back, rounded up; None when there is none."""
        if self._deadline is None:
            return None
        left = self._deadline.when() - asyncio.get_running_loop().time()
        return max(0, -int(-left // 60))

    def _expect_confirmation(self, minutes: int, before: Node, user: str) -> None:
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(minutes * 60, self._start_rollback, before, user)

    def confirm(self) -> None:
        """Cancel the rollback of an unconfirmed commit."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _start_rollback(self, before: Node, user: str) -> None:
        self._deadline = None
        self._rolling_back = asyncio.get_running_loop().create_task(self._roll_back(before, user))

    async def _roll_back(self, before: Node, user: str) -> None:
        async with self.tree_lock.writing():
            self.candidate = await in_thread_if_large(before, before.copy)
        try:
            await self.commit(user, via="other", comment="commit confirmed was not confirmed: rolled back")
        except CommitFault as fault:
            if self.log is None:
                raise
            self.log(f"UI_COMMIT_NOT_CONFIRMED: automatic rollback failed: {' '.join(fault.lines(0))}")
            self._broadcast("Commit was not confirmed; automatic rollback failed.")
        else:
            self._broadcast("Commit was not confirmed; automatic rollback complete.")

    def _broadcast(self, text: str) -> None:
        if self.broadcast is not None:
            self.broadcast(text)

    def adopt(self, commits: list[Commit]) -> None:
        """Replace the commits with those saved before a reboot; `enforce` then puts the first into force."""
        if commits:
            self.commits = commits[:ROLLBACKS]
            self.candidate = self.running.copy()

    async def enforce(self) -> None:
        """Put the running configuration, as adopted at boot, into force. Raises CommitFault."""
        async with self._lock:
            wanted = await in_thread_if_large(self.candidate, self.check)
            await self._apply(wanted)
            self.in_force = wanted

    async def session_ended(self, session: SessionId) -> None:
        """Apply the changes that a session deferred, now that it has ended. Raises BackendError.

        An LDP event names the peer by its LSR id, which may differ from the session's address, so it applies the
        changes that any LDP session deferred, as far as these sessions have ended.
        """
        held = self.runtime.held
        if session not in held and not (session[0] == "ldp" and any(protocol == "ldp" for protocol, _ in held)):
            return
        async with self._lock:
            await self.runtime.apply(self.in_force)

    async def close(self) -> None:
        """Wait for the tasks that have begun, then cancel a pending rollback: the router stops."""
        await asyncio.gather(*self._unfinished, return_exceptions=True)
        self.confirm()

    def rollback(self, number: int) -> None:
        """Replace the candidate by the configuration of `number` commits ago. Raises JunosFault if there is none."""
        self.candidate = self.committed(number).tree.copy()

    async def rolled_back(self, number: int) -> None:
        """Do what `rollback` does, without blocking the event loop."""
        tree = self.committed(number).tree
        async with self.tree_lock.writing():
            self.candidate = await in_thread_if_large(tree, tree.copy)

    def committed(self, number: int) -> Commit:
        """Return the commit of `number` commits ago. Raises JunosFault if there is none."""
        if number >= len(self.commits):
            raise JunosFault(f"rollback configuration {number} not available")
        return self.commits[number]


class PrivateCandidate(Candidate):
    """The candidate of one session, copied from the running configuration and merged into it at commit."""

    def __init__(self, store: Datastore) -> None:
        self._store = store
        self._base = store.running
        super().__init__(store.root, self._base.copy())

    @classmethod
    async def copied(cls, store: Datastore) -> PrivateCandidate:
        """Return a new one, copied from the running configuration without blocking the event loop."""
        return await in_thread_if_large(store.running, partial(cls, store))

    async def changed(self) -> bool:
        """Return whether it differs from its original, the running configuration, without blocking the event loop."""
        async with self.tree_lock.reading():
            return not await in_thread_if_large(self.candidate, partial(self.candidate.same, self._base))

    async def rolled_back(self, number: int) -> None:
        """Replace it by the configuration of `number` commits ago. Raises JunosFault if there is none."""
        tree = self._store.committed(number).tree
        async with self.tree_lock.writing():
            self.candidate = await in_thread_if_large(tree, tree.copy)
            if number == 0:
                self._base = tree

    async def checked(self) -> None:
        """Do what `check` does, without blocking the event loop; confirms an unconfirmed commit. Raises CommitFault."""
        async with self.tree_lock.reading():
            await in_thread_if_large(self.candidate, self.check)
        self._store.confirm()

    def check(self) -> None:
        """Check the configuration that a commit would put into force. Raises CommitFault."""
        self._store.check(self._merged())

    def _merged(self) -> Node:
        merged = self._store.running.copy()
        conflicts = merge(self._base, self.candidate, merged)
        if conflicts:
            raise CommitFault(tuple(line for one in conflicts for line in _conflict_lines(one)), CONFLICT)
        return merged

    async def commit(self, user: str, *, comment: str | None = None, confirm_minutes: int | None = None) -> None:
        """Merge the changes into the running configuration, and put that into force.

        Raises CommitFault, also for a statement that another session has changed meanwhile; then nothing changes.
        """
        work = self._commit(user, comment=comment, confirm_minutes=confirm_minutes)
        await asyncio.shield(self._store.to_the_end(work))

    async def _commit(self, user: str, *, comment: str | None, confirm_minutes: int | None) -> None:
        async with self.tree_lock.writing():
            merged = await in_thread_if_large(self.candidate, self._merged)
            edits = (self._base, self.candidate)
            made = await self._store.commit(
                user, tree=merged, edits=edits, comment=comment, confirm_minutes=confirm_minutes
            )
            self._base = made.tree
            self.candidate = await in_thread_if_large(self._base, self._base.copy)


CONFLICT = "private edits conflict with a later commit"


def _conflict_lines(conflict: Conflict) -> list[str]:
    mine, theirs = (
        "nothing" if node is None else " ".join(node.step.words[:1] if node.statement.secret else node.step.words)
        for node in (conflict.mine, conflict.theirs)
    )
    node = conflict.mine or conflict.theirs
    subject = "" if node is None else node.statement.name or node.key or ""
    return [
        f"[{' '.join(['edit', *(word for step in conflict.place for word in step.words)])}]",
        f"  '{subject}'",
        f"    statement does not match patch; here '{mine}', committed meanwhile '{theirs}'",
    ]
