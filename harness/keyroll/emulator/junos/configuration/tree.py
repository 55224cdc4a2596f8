"""A configuration as a tree of statements: edits, comparison, copies.

A tree does not depend on the text that it was read from. Its values are in stored form (see `values`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from keyroll.emulator.junos.configuration.schema import LINE, Kind, Statement

Id = tuple[str, str | None]
"""Identifies a child of a parent: the statement's name and, for an entry or one of many values, its key or value."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a path, with its key or value in stored form where it has one."""

    statement: Statement
    key: str | None = None

    @property
    def id(self) -> Id:
        """The id of this statement under its parent."""
        own = self.statement.kind in (Kind.ENTRY, Kind.VALUES, Kind.OPAQUE)
        return (self.statement.name, self.key if own else None)

    @property
    def words(self) -> list[str]:
        """Its words as in `[edit …]`, without quotes unless they are part of kept text."""
        if self.statement.kind is Kind.OPAQUE:
            return [*([self.statement.name] if self.statement.name else []), *_TEXT_WORD.findall(self.key or "")]
        return [word for word in (self.statement.name, self.key) if word]


Path = tuple[Step, ...]
_TEXT_WORD = re.compile(r'"(?:\\.|[^"\\])*"|\S+')


def above(path: Path) -> Path:
    """Return the path one level up; a joined statement (`family`) is not a level of its own."""
    path = path[:-1]
    while path and path[-1].statement.joined:
        path = path[:-1]
    return path


def text_of(path: Path) -> tuple[Path, list[str]]:
    """Return the part of a path before kept text, and the words of that text; no words if the path has none."""
    start = next((place for place, step in enumerate(path) if step.statement.kind is Kind.OPAQUE), len(path))
    return path[:start], [word for step in path[start:] for word in step.words]


@dataclass(eq=False, slots=True)
class Node:
    """A statement in a configuration. `children` keeps the order of entry; `shown` follows the schema's order."""

    statement: Statement
    key: str | None = None
    inactive: bool = False
    children: dict[Id, Node] = field(default_factory=dict)

    @property
    def step(self) -> Step:
        """This node as a step."""
        return Step(self.statement, self.key)

    def child(self, name: str, key: str | None = None) -> Node | None:
        """Return the child of that name (and key, for an entry or one of many values)."""
        return self.children.get((name, key))

    def entries(self, name: str) -> list[Node]:
        """Return the entries (or values) of that name, in order."""
        return [node for (found, _), node in self.children.items() if found == name]

    def value_of(self, name: str) -> str | None:
        """Return the value of the leaf of that name."""
        node = self.children.get((name, None))
        return node.key if node else None

    def values_of(self, name: str) -> tuple[str, ...]:
        """Return the values of a statement with many."""
        return tuple(node.key for node in self.entries(name) if node.key is not None)

    def find(self, *names: str) -> Node | None:
        """Return the node down these names, each a statement without a key; None where one is missing."""
        node: Node | None = self
        for name in names:
            node = node.child(name) if node else None
        return node

    def at(self, path: Sequence[Step]) -> Node | None:
        """Return the node at `path`, or None; the value of a leaf in the path is ignored."""
        node: Node | None = self
        for step in path:
            node = node.children.get(step.id) if node else None
        return node

    def copy(self) -> Node:
        """Return an independent copy."""
        return Node(
            self.statement, self.key, self.inactive, {name: node.copy() for name, node in self.children.items()}
        )

    def is_larger_than(self, count: int) -> bool:
        """Return whether the tree has more than `count` statements; stops counting there."""
        waiting = [self]
        while waiting and count >= 0:
            node = waiting.pop()
            count -= 1
            waiting += node.children.values()
        return bool(waiting)

    def active(self) -> Node:
        """Return a copy without inactive statements."""
        kept = {name: node.active() for name, node in self.children.items() if not node.inactive}
        return Node(self.statement, self.key, children=kept)

    def same(self, other: Node) -> bool:
        """Return whether two trees are equal, including the order in which children are shown."""
        return (
            self.key == other.key
            and self.inactive == other.inactive
            and self.children.keys() == other.children.keys()
            and self.shown_ids() == other.shown_ids()
            and all(node.same(other.children[name]) for name, node in self.children.items())
        )

    def shown_ids(self) -> list[Id]:
        """Return the children's ids in the order of `show`: the schema's, then the order of entry."""
        if len(self.children) < 2:  # noqa: PLR2004 - nothing to sort
            return list(self.children)
        order = self.statement.order
        return sorted(self.children, key=lambda name: order.get(name[0], 0))  # statements in kept text have no order

    def shown(self) -> Iterator[Node]:
        """Return an iterator over the children in the order of `show`."""
        return (self.children[name] for name in self.shown_ids())

    def texts(self, words: Sequence[str]) -> list[Path]:
        """Return the paths below this node of all kept text that begins with `words`, even across nested lines."""
        found: list[Path] = []
        for child in self.children.values():
            if child.statement.kind is not Kind.OPAQUE:
                continue
            own = child.step.words
            if own[: len(words)] == list(words):
                found.append((child.step,))
            elif list(words[: len(own)]) == own:
                found += [(child.step, *below) for below in child.texts(words[len(own) :])]
        return found

    def put(self, path: Path) -> None:
        """Add a statement; kept text goes into the bodies that its first words name, where these exist."""
        before, text = text_of(path)
        holder = self.ensure(before)
        if text:
            holder.ensure_text(path[len(before) :])

    def ensure_text(self, path: Path) -> None:
        """Add kept text. Where its first words name existing bodies, the other words go into the innermost one."""
        holder = self.ensure(path[:-1])
        node, rest = holder.deepest_text(path[-1].words)
        if node is holder:
            node.ensure(path[-1:])
        elif rest:
            node.ensure([Step(LINE, " ".join(rest))])

    def deepest_text(self, words: list[str]) -> tuple[Node, list[str]]:
        """Return the innermost node of kept text that the first of `words` name, and the remaining words."""
        node = self
        while words:
            inside = node.statement.kind is Kind.OPAQUE
            for length in range(len(words), 0, -1):
                name, key = ("", words[:length]) if inside else (words[0], words[1:length])
                child = node.children.get((name, " ".join(key) or None))
                if child is not None and child.statement.kind is Kind.OPAQUE:
                    node, words = child, words[length:]
                    break
            else:
                break
        return node, words

    def ensure(self, path: Sequence[Step]) -> Node:
        """Add the missing nodes of `path` and return its last one; a leaf gets the path's value."""
        node = self
        for step in path:
            node = node._ensure_child(step)
        return node

    def _ensure_child(self, step: Step) -> Node:
        found = self.children.get(step.id)
        if found is not None:
            if step.statement.kind is Kind.LEAF:
                found.key = step.key
            return found
        if step.statement.exclusive is not None:
            self._remove_excluded(step.statement)
        made = self.children[step.id] = Node(step.statement, step.key)
        return made

    def _remove_excluded(self, statement: Statement) -> None:
        for name in [name for name, node in self.children.items() if node.statement.exclusive == statement.exclusive]:
            del self.children[name]

    def move(self, name: Id, beside: Id, *, before: bool) -> None:
        """Move the child `name` directly before or after the child `beside`."""
        moved = self.children.pop(name)
        order: dict[Id, Node] = {}
        for other, node in self.children.items():
            if other == beside and before:
                order[name] = moved
            order[other] = node
            if other == beside and not before:
                order[name] = moved
        self.children = order

    def remove(self, path: Sequence[Step]) -> bool:
        """Remove the node at `path`, and its parents that become empty. Return whether the node existed."""
        trail = [self]
        for step in path:
            below = trail[-1].children.get(step.id)
            if below is None:
                return False
            trail.append(below)
        for depth in range(len(path) - 1, -1, -1):
            del trail[depth].children[path[depth].id]
            if trail[depth].children or not _is_removed_when_empty(trail[depth].statement):
                break
        return True


def _is_removed_when_empty(statement: Statement) -> bool:
    return statement.kind is Kind.OPAQUE or (statement.kind is Kind.CONTAINER and not statement.presence)


def narrowed(root: Node, path: Path) -> tuple[Node, Path]:
    """Return a tree and a path that show only what `path` names.

    A path to a statement with many values (`export`) is no node: for it, return a tree of these values alone, and the
    path of their parent. Any other path is returned as it is.
    """
    last = path[-1] if path else None
    if last is None or last.statement.kind is not Kind.VALUES or last.key is not None:
        return root, path
    parent, alone = root.at(path[:-1]), Node(root.statement)
    if parent is not None:
        children = {name: node for name, node in parent.children.items() if name[0] == last.statement.name}
        alone.ensure(path[:-1]).children = children
    return alone, path[:-1]
