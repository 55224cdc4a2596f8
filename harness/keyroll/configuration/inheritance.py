"""The configuration in force, with its groups: looked up level by level, without copies.

A `View` is one level of the configuration as Junos applies it: its own statements, and after them those that groups
contribute, in the order of precedence (Juniper, "Use Configuration Groups"):
- a statement of the configuration itself wins over one from a group;
- an inner `apply-groups` wins over an outer one, and in one statement the first group wins;
- `apply-groups-except` excludes a group at its level and all levels below;
- `<…>` in a group stands for existing names that match it, and adds no name.
Where Juniper's pages leave a question open and the answers give different values, the value is uncertain, with the
reason (docs/assumptions/configuration.md).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import translate
from typing import NamedTuple

from keyroll.configuration.findings import Path
from keyroll.configuration.hierarchy import META
from keyroll.configuration.tree import INACTIVE, Node
from keyroll.patterns import compiled

APPLY, EXCEPT = "apply-groups", "apply-groups-except"
_CONDITIONAL = r"re[0-9]+|node[0-9]+|member[0-9]+|\$\{node\}|fpc[0-9]+|backup-router"
"""Groups that apply only on the routing engine, node or member of their name."""
_BUILT_IN = "junos-"
"""How the names of groups begin that are built into Junos; no configuration text has them."""


class Layer(NamedTuple):
    """One source of a level: a node and the group that it comes from (None: the configuration itself).

    `doubt` says why it may not apply; None: it certainly applies.
    """

    node: Node
    group: str | None = None
    applied: int = 0
    """The line of the `apply-groups` that it comes from."""
    doubt: str | None = None
    pattern: bool = False
    """Whether a wildcard matched on the path to it."""


class Value(NamedTuple):
    """A statement's value in force, its line, and the group that it comes from."""

    text: str
    line: int
    group: str | None = None


class Lookup(NamedTuple):
    """The result of looking up a statement: its value or none, and what makes this uncertain."""

    value: Value | None
    doubts: tuple[str, ...] = ()
    doubt_line: int = 0


NOTHING = Lookup(None)


class Groups:
    """The configuration's groups, and the wildcards in them."""

    def __init__(self, root: Node, *, expanded: bool = False) -> None:
        groups = root.get("groups")
        self._groups: Mapping[str, Node] = (
            {}
            if groups is None or groups.inactive
            else {name: node for name, node in groups.items() if not node.inactive}
        )
        self.expanded = expanded
        """Whether the text shows groups expanded already."""
        self._mentioned: dict[str, bool] = {}
        self.missing: dict[str, tuple[int, Path]] = {}
        """Groups that are applied but not defined: line and path of the first `apply-groups`."""

    def applied(self, node: Node, path: Path, seen: frozenset[str] = frozenset()) -> Iterator[Layer]:
        """Yield the layers at `path` of the groups that `apply-groups` of `node` names, in order."""
        if self.expanded:
            return
        statement = node.get(APPLY)
        if statement is None or statement.inactive:
            return
        for name, value in statement.items():
            if not value.inactive and name not in seen:
                yield from self._sources(name, value.line or statement.line, path, seen | {name})

    def _sources(self, name: str, line: int, path: Path, seen: frozenset[str]) -> Iterator[Layer]:
        group = self._groups.get(name)
        if group is None:
            if not _is_conditional(name) and not name.startswith(_BUILT_IN):
                self.missing.setdefault(name, (line, path))
            return
        doubt = _condition(name, group)
        layers = [Layer(group, name, line, doubt)]
        nested = [self._nested(layers, path, seen)]
        for word in path:
            layers = [one for layer in layers for one in children(layer, word)]
            nested.append(self._nested(layers, path, seen))
        yield from layers
        # The innermost `apply-groups` first, as for groups that the configuration itself applies.
        for found in reversed(nested):
            yield from found

    def _nested(self, layers: list[Layer], path: Path, seen: frozenset[str]) -> list[Layer]:
        """Return the layers of groups that are applied inside a group; its doubt applies to them as well."""
        return [
            one if layer.doubt is None else one._replace(doubt=layer.doubt)
            for layer in layers
            for one in self.applied(layer.node, path, seen)
        ]

    def mention(self, word: str) -> bool:
        """Return whether a word occurs anywhere in the groups."""
        if word not in self._mentioned:
            self._mentioned[word] = any(_mentions(group, word) for group in self._groups.values())
        return self._mentioned[word]


def _mentions(node: Node, word: str) -> bool:
    return word in node or any(_mentions(child, word) for child in node.values())


def _is_conditional(name: str) -> bool:
    return compiled(_CONDITIONAL, re.IGNORECASE).fullmatch(name) is not None


def _condition(name: str, group: Node) -> str | None:
    if _is_conditional(name):
        return f"group {name} applies only on the routing engine or node of that name"
    when = group.get("when")
    return None if when is None or when.inactive else f"group {name} applies only under a condition (when)"


def children(layer: Layer, word: str) -> Iterator[Layer]:
    """Yield the layers one word further: the word itself, then wildcards that match it."""
    node = layer.node
    exact = node.get(word)
    if exact is not None and not exact.flags & INACTIVE:
        yield Layer(exact, layer.group, layer.applied, layer.doubt, layer.pattern)
    if layer.group is None or word in META:
        return
    for pattern, child in node.items():
        if pattern[:1] == "<" and not child.flags & INACTIVE and matches(pattern, word):
            yield Layer(child, layer.group, layer.applied, layer.doubt, pattern=True)


# The limit bounds the memory for any input. A pattern is compared with every node of its level, so most are used again.
@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern[1:-1] if pattern.endswith(">") else pattern[1:]))


def matches(pattern: str, word: str) -> bool:
    """Return whether a group's `<pattern>` matches `word`."""
    return _compiled(pattern).match(word) is not None


class View:
    """One level in force. Looking up a level that does not exist gives an empty view."""

    __slots__ = ("_groups", "layers", "path")

    def __init__(self, layers: tuple[Layer, ...], path: Path, groups: Groups) -> None:
        self.layers = layers
        self.path = path
        self._groups = groups

    @classmethod
    def top(cls, root: Node, groups: Groups) -> View:
        """Return the view of the whole configuration."""
        own = Layer(root)
        return cls((own, *_without(groups.applied(root, ()), root)), (), groups)

    def __bool__(self) -> bool:
        return bool(self.layers)

    @property
    def line(self) -> int:
        """The line where the level begins: in the configuration itself if it is there, else in its first group."""
        return self.layers[0].node.line if self.layers else 0

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that contribute to this level."""
        return tuple(dict.fromkeys(layer.group for layer in self.layers if layer.group is not None))

    def below(self, *words: str) -> View:
        """Return the view of the level at these words."""
        view = self
        if len(self.layers) == 1 and self.layers[0].group is None:
            # Fast path: most levels have no group, so all words can be followed in one step.
            node = self.layers[0].node
            for word in words:
                child = node.get(word)
                if child is None or child.flags & INACTIVE:
                    return View((), (*self.path, *words), self._groups)
                if APPLY in child:
                    break
                node = child
            else:
                return View((Layer(node),), (*self.path, *words), self._groups)
        for word in words:
            view = view._child(word)
        return view

    def entries(self) -> Iterator[tuple[str, View]]:
        """Yield the names that may follow here (`names`), each with its level."""
        if len(self.layers) == 1 and self.layers[0].group is None:
            # Fast path, as in `below`: thousands of routing instances and neighbors have no group.
            for word, node in self.layers[0].node.items():
                if word in META or node.flags & INACTIVE:
                    continue
                if APPLY in node:
                    yield word, self._child(word)
                else:
                    yield word, View((Layer(node),), (*self.path, word), self._groups)
            return
        for word in self.names():
            yield word, self.below(word)

    def _child(self, word: str, *, value: bool = False) -> View:
        """Return the view one word further; `value`: the word is a value, for which `leaf` handles deactivation."""
        path = (*self.path, word)
        own: Layer | None = None
        exact: list[Layer] = []
        brought: list[Layer] = []
        for layer in self.layers:
            for child in children(layer, word):
                if child.group is None:
                    own = child
                    continue
                if child.node is layer.node.get(word):
                    exact.append(child)
                brought.append(child)
                if APPLY in child.node:
                    brought += self._groups.applied(child.node, path, frozenset((child.group,)))
        if own is not None:
            inner = self._groups.applied(own.node, path) if APPLY in own.node else ()
            return View((own, *_without((*inner, *brought), own.node)), path, self._groups)
        if not exact:
            # Only wildcards match, and a wildcard adds no name: there is nothing here.
            return View((), path, self._groups)
        mine = self.own()
        if mine is not None and word in mine and not value:
            # It is deactivated here but comes from a group as well: Juniper does not document which applies.
            doubt = f"'{word}' is deactivated here, but group {exact[0].group} has it"
            return View(tuple(layer._replace(doubt=layer.doubt or doubt) for layer in brought), path, self._groups)
        # An exact match is certain; whether a wildcard applies to a name from a group is not documented.
        sure = {id(layer.node) for layer in exact}
        return View(
            tuple(layer if id(layer.node) in sure else _uncertain(layer) for layer in brought), path, self._groups
        )

    def names(self) -> list[str]:
        """Return the words below, the configuration's own first, without wildcards and `apply-groups`."""
        found: dict[str, None] = {}
        for layer in self.layers:
            for word, node in layer.node.items():
                if word in META or node.flags & INACTIVE or (layer.group is not None and word[:1] == "<"):
                    continue
                found.setdefault(word)
        return list(found)

    def those_of(self, words: frozenset[str]) -> list[str]:
        """Return those of the words that are below this level in any layer, in force or not."""
        if len(self.layers) == 1:
            node = self.layers[0].node
            return [word for word in node if word in words]
        return [word for word in words if any(word in layer.node for layer in self.layers)]

    def own(self) -> Node | None:
        """Return the level's node in the configuration itself, or None."""
        return next((layer.node for layer in self.layers if layer.group is None), None)

    def brought(self, word: str) -> bool:
        """Return whether a group may contribute a statement of that word; if not, no group contains the word."""
        return self._groups.mention(word)

    def has(self, word: str) -> bool:
        """Return whether `word` is below this level, certainly or not."""
        return self.mentions(word) and bool(self._child(word).layers)

    def mentions(self, word: str) -> bool:
        """Return whether `word` is below this level in any layer, in force or not; if not, nothing is below it."""
        layers = self.layers
        if len(layers) == 1:
            return word in layers[0].node
        return any(word in layer.node for layer in layers)

    def surely_here(self) -> bool:
        """Return whether the level certainly exists: on any routing engine, at any time, by any reading of rules."""
        return any(layer.doubt is None for layer in self.layers)

    def leaf(self, word: str) -> Lookup:
        """Return the value of a statement that has one."""
        # Wildcards match names, never a statement's keyword.
        if not self.mentions(word):
            return NOTHING
        if len(self.layers) == 1 and self.layers[0].group is None:
            # Fast path for most statements: one value, and no group.
            node = self.layers[0].node[word]
            if len(node) == 1 and not node.flags & INACTIVE and APPLY not in node:
                ((text, child),) = node.items()
                return NOTHING if child.flags & INACTIVE else Lookup(Value(text, child.line))
        inactive = self._inactive_own(word)
        found = [
            (layer, *_value_of(layer.node))
            for layer in self._child(word, value=True).layers
            if any(not node.flags & INACTIVE for node in layer.node.values())
        ]
        if not found:
            return NOTHING
        sure = next(((layer, text, line) for layer, text, line in found if layer.doubt is None), None)
        doubts = dict.fromkeys(self._doubts(found, sure, word))
        if inactive and found[0][0].group is not None:
            doubts[f"'{word}' is deactivated here, but group {found[0][0].group} has it"] = None
        line = found[0][0].applied or found[0][2]
        if sure is None:
            return Lookup(None, tuple(doubts), line)
        layer, text, at = sure
        return Lookup(Value(text, at, layer.group), tuple(doubts), line if doubts else 0)

    def _inactive_own(self, word: str) -> bool:
        own = next((layer.node.get(word) for layer in self.layers if layer.group is None), None)
        return own is not None and (own.inactive or any(node.inactive for node in own.values()))

    @staticmethod
    def _doubts(found: list[tuple[Layer, str, int]], sure: tuple[Layer, str, int] | None, word: str) -> Iterator[str]:
        for layer, text, _ in found:
            if sure is not None and layer is sure[0]:
                break
            if layer.doubt is not None and (sure is None or text != sure[1]):
                yield f"'{word}' may have another value: {layer.doubt}"
        if sure is None or sure[0].group is None:
            return
        for layer, text, _ in found:
            rival = layer is not sure[0] and layer.group == sure[0].group and layer.applied == sure[0].applied
            if rival and text != sure[1]:
                yield f"'{word}' has two values in group {layer.group} for this level, with and without a wildcard"

    def values(self, word: str) -> list[Value]:
        """Return the values of a statement that has a list, the configuration's own first."""
        found: dict[str, Value] = {}
        for layer in self._child(word, value=True).layers:
            for text, node in layer.node.items():
                if text not in META and not node.flags & INACTIVE:
                    found.setdefault(text, Value(text, node.line, layer.group))
        return list(found.values())


def _uncertain(layer: Layer) -> Layer:
    """Return a wildcard's layer for a name that comes only from groups: whether it applies is not documented."""
    if layer.doubt is not None or not layer.pattern:
        return layer
    return layer._replace(doubt=f"a wildcard of group {layer.group} matches a name that a group adds")


def _without(layers: Iterable[Layer], own: Node) -> list[Layer]:
    """Return the layers without those of groups that `apply-groups-except` names here."""
    statement = own.get(EXCEPT)
    if statement is None or statement.inactive:
        return list(layers)
    gone = {name for name, node in statement.items() if not node.inactive}
    return [layer for layer in layers if layer.group not in gone]


def _value_of(node: Node) -> tuple[str, int]:
    """Return the value in force: the last one that was set."""
    text, child = max(
        ((text, child) for text, child in node.items() if not child.flags & INACTIVE), key=lambda item: item[1].line
    )
    return text, child.line
