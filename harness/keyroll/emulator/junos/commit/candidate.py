"""A candidate configuration and its edits. It is shared, or belongs to one session (`configure private`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from keyroll.emulator.junos.configuration.faults import JunosFault, SyntaxFault
from keyroll.emulator.junos.configuration.login_values import PLAIN_TEXT
from keyroll.emulator.junos.configuration.schema import Kind, Statement
from keyroll.emulator.junos.configuration.tree import Node, Path, text_of
from keyroll.emulator.junos.configuration.values import SecretText, reveal


def empty(root: Statement) -> Node:
    """Return a configuration with nothing in it."""
    return Node(root)


class ReadWriteLock:
    """A lock on a tree, held by any number of readers or by one writer.

    Readers do not wait for each other: a comparison of a large candidate takes seconds.
    """

    def __init__(self) -> None:
        self._entry = asyncio.Lock()
        self._readers = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Hold the lock for reading: meanwhile the tree does not change."""
        async with self._entry:
            self._readers += 1
            self._idle.clear()
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers:
                self._idle.set()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Hold the lock for a change. Later readers wait, else overlapping readers could block a writer forever."""
        async with self._entry:
            await self._idle.wait()
            yield


class Candidate:
    """A configuration tree that is edited; `root` is the schema of its statements."""

    def __init__(self, root: Statement, candidate: Node | None = None) -> None:
        self.root = root
        self.candidate = candidate or empty(root)
        self.tree_lock = ReadWriteLock()

    def apply_set(self, paths: Iterable[Path]) -> None:
        """Add the statements `paths`. A secret that is already set keeps its stored text.

        Raises SyntaxFault for `plain-text-password`, which needs a prompt on a terminal.
        """
        for path in paths:
            if path and path[-1].statement.name == PLAIN_TEXT:
                raise SyntaxFault(f"{PLAIN_TEXT} prompts for the password: enter it as a command of its own", 0)
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
        """Remove the statements that `path` names; return whether there were any."""
        named = self._named(path)
        for found in named:
            self.candidate.remove(found)
        return bool(named)

    def mark(self, path: Path, *, inactive: bool) -> bool:
        """Deactivate or activate the statements that `path` names; return whether there are any.

        For a value without a name (`as-path a VALUE`), the statement that it belongs to is marked.
        """
        there = [found for found in self._named(path) if self.candidate.at(found) is not None]
        whole = [found[:-1] if found and _is_nameless(found[-1].statement) else found for found in there]
        nodes = [node for found in whole if (node := self.candidate.at(found)) is not None]
        for node in nodes:
            node.inactive = inactive
        return bool(nodes)

    def rename(self, path: Path, to: Path) -> bool:
        """Rename an entry, which keeps its position; return whether it existed. Raises JunosFault if `to` exists."""
        parent = self.candidate.at(path[:-1])
        if parent is None or path[-1].id not in parent.children:
            return False
        self._check_free(parent, to)
        node = parent.children[path[-1].id]
        node.key = to[-1].key
        parent.children = {to[-1].id if name == path[-1].id else name: child for name, child in parent.children.items()}
        return True

    def duplicate(self, path: Path, to: Path) -> bool:
        """Copy an entry to another name; return whether it existed. Raises JunosFault if `to` exists."""
        parent = self.candidate.at(path[:-1])
        if parent is None or path[-1].id not in parent.children:
            return False
        self._check_free(parent, to)
        node = parent.children[path[-1].id].copy()
        node.key = to[-1].key
        parent.children[to[-1].id] = node
        return True

    def _check_free(self, parent: Node, to: Path) -> None:
        if to[-1].id in parent.children:
            raise JunosFault(f"'{' '.join(to[-1].words)}' already exists")

    def _named(self, path: Path) -> list[Path]:
        """Return the existing paths that `path` names: itself, or all values of a statement named without a value."""
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
