"""Candidate, running configuration and rollbacks of one router, and the commit that leads from one to the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from keyroll.emulator.contract.model import Backend, BackendError, CheckBackend, Intent
from keyroll.emulator.junos.configuration import constraints
from keyroll.emulator.junos.configuration.faults import CommitFault, JunosFault, SyntaxFault
from keyroll.emulator.junos.configuration.inherit import expand
from keyroll.emulator.junos.configuration.login_values import PLAIN_TEXT
from keyroll.emulator.junos.configuration.schema import Kind, Statement
from keyroll.emulator.junos.configuration.tree import Node, Path, text_of
from keyroll.emulator.junos.configuration.values import SecretText, reveal, zone_named
from keyroll.emulator.junos.effect import accounts, intent
from keyroll.emulator.junos.effect.keys_in_use import Runtime, SessionId

NOT_APPLIED = "configuration could not be applied"
ROLLBACKS = 50
"""The running configuration and 49 before it."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: its configuration, when (router's clock, UTC), by whom, how, and with which comment."""

    tree: Node
    when: datetime
    user: str
    via: str = "cli"
    comment: str | None = None


def empty(root: Statement) -> Node:
    """Return a configuration with nothing in it."""
    return Node(root)


class Datastore:
    """The configurations of one router. The candidate is shared by everyone who is in configuration mode."""

    def __init__(self, root: Statement, backend: Backend, *, host_name: str, runtime: Runtime | None = None) -> None:
        self.root = root
        self.runtime = runtime or Runtime(backend)
        self._backend = backend
        self._default_host_name = host_name
        self._lock = asyncio.Lock()
        self.editing = asyncio.Lock()
        """Held while a text is being loaded: others wait with their edits, and do not commit half of it."""
        self.candidate = empty(root)
        self.commits: list[Commit] = [Commit(empty(root), backend.now(), "root", "other")]
        self.in_force: Intent = intent.build(empty(root), host_name=host_name)
        self.on_commit: Callable[[Commit], None] | None = None
        self.log: Callable[[str], None] | None = None
        self._logins_of: Node | None = None
        self._logins: Mapping[str, accounts.Login] = {}
        self._deadline: asyncio.TimerHandle | None = None
        self._rolling_back: asyncio.Task[None] | None = None
        self._committing: set[asyncio.Task[Commit]] = set()

    @property
    def running(self) -> Node:
        """The configuration in force."""
        return self.commits[0].tree

    @property
    def dirty(self) -> bool:
        """Whether the candidate differs from what is in force."""
        return not self.candidate.same(self.running)

    @property
    def host_name(self) -> str:
        """The router's name by the configuration in force."""
        return self.in_force.host_name

    @property
    def zone(self) -> tzinfo:
        """The router's time zone by the configuration in force."""
        system = self.running.find("system")
        name = system.value_of("time-zone") if system else None
        return zone_named(name) if name else UTC

    @property
    def logins(self) -> Mapping[str, accounts.Login]:
        """Who may log in by the configuration in force."""
        if self._logins_of is not self.running:
            self._logins_of, self._logins = self.running, accounts.configured(expand(self.running))
        return self._logins

    def check(self) -> Intent:
        """Return what the candidate asks for. Raises CommitFault."""
        expanded = expand(self.candidate)
        broken = constraints.violations(self.candidate, expanded)
        if broken:
            raise CommitFault(tuple(broken), constraints.FAILED)
        wanted = intent.build(expanded, host_name=self._default_host_name)
        if isinstance(self._backend, CheckBackend):
            try:
                self._backend.check(self.runtime.closed(wanted))
            except BackendError as error:
                raise CommitFault((f"error: {error}",), NOT_APPLIED) from error
        return wanted

    async def commit(
        self, user: str, *, comment: str | None = None, via: str = "cli", confirm_minutes: int | None = None
    ) -> Commit:
        """Put the candidate into force, whole or not at all. Raises CommitFault; then the running one stays.

        With `confirm_minutes` it is taken back after that time (monotonic) unless another commit follows. Once begun a
        commit goes to its end, even if whoever asked for it presses Ctrl-C or hangs up.
        """
        work = asyncio.get_running_loop().create_task(
            self._commit(user, comment=comment, via=via, confirm_minutes=confirm_minutes), name="commit"
        )
        self._committing.add(work)
        work.add_done_callback(self._committed)
        return await asyncio.shield(work)

    def _committed(self, work: asyncio.Task[Commit]) -> None:
        self._committing.discard(work)
        if not work.cancelled():
            work.exception()  # whoever still waits gets it; nobody else has to

    async def _commit(self, user: str, *, comment: str | None, via: str, confirm_minutes: int | None) -> Commit:
        async with self._lock:
            wanted = self.check()
            tree = self.candidate.copy()
            before = self.running
            await self._apply(wanted)
            self._confirmed()
            made = Commit(tree, self._backend.now(), user, via, comment)
            if not tree.same(before):
                self.commits = [made, *self.commits][:ROLLBACKS]
            self.in_force = wanted
            if confirm_minutes is not None:
                self._expect_confirmation(confirm_minutes, before, user)
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
        """Whole minutes until an unconfirmed commit is taken back; None when none waits."""
        if self._deadline is None:
            return None
        left = self._deadline.when() - asyncio.get_running_loop().time()
        return max(0, -int(-left // 60))

    def _expect_confirmation(self, minutes: int, before: Node, user: str) -> None:
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(minutes * 60, self._not_confirmed, before, user)

    def _confirmed(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _not_confirmed(self, before: Node, user: str) -> None:
        self._deadline = None
        self._rolling_back = asyncio.get_running_loop().create_task(self._take_back(before, user))

    async def _take_back(self, before: Node, user: str) -> None:
        self.candidate = before.copy()
        try:
            await self.commit(user, via="other", comment="commit confirmed was not confirmed: rolled back")
        except CommitFault as fault:
            if self.log is None:
                raise
            self.log(f"UI_COMMIT_NOT_CONFIRMED: automatic rollback failed: {' '.join(fault.lines(0))}")

    def adopt(self, commits: list[Commit]) -> None:
        """Take over the configurations of before a reboot; `enforce` puts the first into force."""
        if commits:
            self.commits = commits[:ROLLBACKS]
            self.candidate = self.running.copy()

    async def enforce(self) -> None:
        """Put the running configuration into force, as at boot. Raises CommitFault."""
        async with self._lock:
            wanted = self.check()
            await self._apply(wanted)
            self.in_force = wanted

    async def session_ended(self, session: SessionId) -> None:
        """A session in use ended: what it held back takes hold now.

        LDP's events name a peer by its LSR id, which need not be the session's address: there all are looked at.
        """
        held = self.runtime.held
        if session not in held and not (session[0] == "ldp" and any(protocol == "ldp" for protocol, _ in held)):
            return
        async with self._lock:
            await self.runtime.apply(self.in_force)

    async def close(self) -> None:
        """Let a commit that has begun end, and forget an unconfirmed one's deadline: the router is going down."""
        await asyncio.gather(*self._committing, return_exceptions=True)
        self._confirmed()

    def rollback(self, number: int) -> None:
        """Make the candidate the configuration of `number` commits ago. Raises JunosFault if there is none."""
        if number >= len(self.commits):
            raise JunosFault(f"rollback configuration {number} not available")
        self.candidate = self.commits[number].tree.copy()

    def apply_set(self, paths: Iterable[Path]) -> None:
        """Make `paths` stand in the candidate. A secret that is already there keeps its stored text.

        Raises SyntaxFault for `plain-text-password`, which only a person at a terminal can answer.
        """
        for path in paths:
            if path and path[-1].statement.name == PLAIN_TEXT:
                raise SyntaxFault(f"{PLAIN_TEXT} asks for the password: type it by itself", 0)
            if not (path and self._is_known_secret(path)):
                self.candidate.put(path)

    def _is_known_secret(self, path: Path) -> bool:
        last = path[-1]
        there = self.candidate.at(path) if isinstance(last.statement.value, SecretText) else None
        return (
            there is not None
            and there.key is not None
            and last.key is not None
            and reveal(there.key) == reveal(last.key)
        )

    def delete(self, path: Path) -> bool:
        """Take what `path` names out of the candidate; say whether it was there."""
        named = self._named(path)
        for found in named:
            self.candidate.remove(found)
        return bool(named)

    def mark(self, path: Path, *, inactive: bool) -> bool:
        """Deactivate or activate what `path` names; say whether it is there.

        A value that has no name of its own (`as-path a VALUE`) goes with what it is the body of.
        """
        there = [found for found in self._named(path) if self.candidate.at(found) is not None]
        whole = [found[:-1] if found and _is_nameless(found[-1].statement) else found for found in there]
        nodes = [node for found in whole if (node := self.candidate.at(found)) is not None]
        for node in nodes:
            node.inactive = inactive
        return bool(nodes)

    def _named(self, path: Path) -> list[Path]:
        """Return the paths that are there of what is named: itself, or all values of a statement without a value."""
        last = path[-1] if path else None
        before, text = text_of(path)
        if text:
            holder = self.candidate.at(before)
            return [(*before, *found) for found in holder.texts(text)] if holder else []
        if last is not None and last.statement.kind is Kind.VALUES and last.key is None:
            parent = self.candidate.at(path[:-1])
            return [(*path[:-1], node.step) for node in parent.entries(last.statement.name)] if parent else []
        node = self.candidate.at(path)
        named_value = last is not None and last.statement.kind is Kind.LEAF and last.key is not None
        if node is None or (named_value and last is not None and node.key != last.key and not last.statement.secret):
            return []
        return [path]


def _is_nameless(statement: Statement) -> bool:
    return statement.kind is Kind.LEAF and not statement.name
