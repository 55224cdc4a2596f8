"""Checks the tree, level by level, against the words that Junos has.

Abbreviations are written in full, several statements on one line are separated, and words that are not statements
become findings. Only levels that determine sessions and chains are known (`hierarchy`); below other levels nothing
changes. The content of groups is checked like the configuration that it applies to, with wildcards in the place of
names.
"""

from __future__ import annotations

from keyroll.configuration.findings import Kind, Note, Path
from keyroll.configuration.hierarchy import META, ROOT
from keyroll.configuration.statements import Level, Shape, Statement
from keyroll.configuration.tree import OMITTED, TYPED, Node

PASTED: dict[str, Path] = {
    "authentication-key-chains": ("security",),
    "key-chain": ("security", "authentication-key-chains"),
    "bgp": ("protocols",),
    "ldp": ("protocols",),
}
"""The place of a level that is at the top because it was copied without the levels around it."""
HOMELESS = frozenset(("key", "group", "neighbor", "session", "session-group", "ao-attribute", "unit", "family"))
"""Levels that may belong to several places. Alone at the top, they are never abbreviations of another word."""
OPAQUE, FLAG, KEYED, LEVEL, LEAF = Shape.OPAQUE, Shape.FLAG, Shape.KEYED, Shape.LEVEL, Shape.LEAF
"""Members of the enum as variables: with 300,000 comparisons, looking them up in the class would double the time."""


def settle(root: Node, report: Note) -> int:
    """Expand, separate and check all known levels of `root`, in place.

    Return how many words were not understood at levels that do not affect sessions or chains.
    """
    _place_pasted(root, report)
    settler = _Settler(report)
    settler.level(root, ROOT, ())
    return settler.counted


def _place_pasted(root: Node, report: Note) -> None:
    # All set lines of a text begin at the same level: if others begin at the top, such a line lost its first words.
    whole = any(child.flags & TYPED for word, child in root.items() if word in ROOT.statements)
    for word, above in PASTED.items():
        node = root.pop(word, None)
        if node is not None:
            if whole and node.flags & TYPED:
                report(Kind.NOT_UNDERSTOOD, f"this line lacks '{' '.join(above)}' before '{word}'", node.line, above)
            parent = root.make(above, node.line, node.flags & TYPED)
            holder = Node(node.line)
            holder[word] = node
            parent.absorb(holder)


class _Settler:
    def __init__(self, report: Note) -> None:
        self._report = report
        self.counted = 0

    def level(self, node: Node, level: Level, path: Path) -> None:
        if node.flags & OMITTED:
            self._report(
                Kind.OMITTED, f"the content of '{path[-1] if path else 'the text'}' was left out", node.line, path
            )
        waiting = _waiting(node, level)
        for word in waiting:
            child = node.get(word)
            if child is None:
                continue
            statement, full = level.find(word), word
            if statement is None or (statement is level.names and word in META):
                if word in META:
                    self._meta(child, word, path)
                    continue
                statement, full = self._unknown(node, level, path, word, child)
                if statement is None:
                    continue
            # Words that follow a value on its line are moved to this level.
            waiting += self._statement(node, node[full], full, statement, path)

    def _meta(self, child: Node, word: str, path: Path) -> None:
        if not child and word != "apply-macro":
            self._report(Kind.NOT_UNDERSTOOD, f"'{word}' needs a value", child.line, path)

    def _unknown(self, node: Node, level: Level, path: Path, word: str, child: Node) -> tuple[Statement | None, str]:
        """Return the statement that an unknown word abbreviates, and correct the tree; report a word without one."""
        # `neighbor` below `protocols` is more likely a cut line than an abbreviation of neighbor-discovery.
        lone = word in HOMELESS
        full = level.abbreviated(word) if child.flags & TYPED and not lone else None
        if full is None and not level.judged:
            self.counted += 1
            return None, word
        if full is None:
            where = "at the top of the text" if level is ROOT else f"of {level.name}"
            if lone and level is ROOT:
                message = f"'{word}' is here without the levels around it, so its place is not known"
            elif lone:
                message = f"'{word}' does not belong in {level.name} itself: a level between them is missing"
            else:
                # The word itself is not quoted: it may be the second half of a secret.
                message = f"this is not a statement {where}"
            self._report(Kind.NOT_UNDERSTOOD, message, child.line or _first_line(child), path)
            return None, word
        del node[word]
        holder = Node(child.line)
        holder[full] = child
        node.absorb(holder)
        return level.statements[full], full

    def _statement(self, node: Node, child: Node, word: str, statement: Statement, path: Path) -> list[str]:
        """Check what is below one statement; return the words that belong to the level of the statement instead."""
        shape = statement.shape
        if shape is OPAQUE:
            return []
        if shape is FLAG:
            return self._hoisted(child, node, word, path)
        if shape is KEYED and statement.below is not None:
            if not child and not child.flags & OMITTED:
                self._report(Kind.NOT_UNDERSTOOD, f"'{word}' needs a name", child.line, path)
            if word == "key":
                _plain_numbers(child)
            for name, entry in list(child.items()):
                if not name:
                    self._report(Kind.NOT_UNDERSTOOD, f"'{word}' needs a name", entry.line, path)
                if name in META:
                    # Whether Junos accepts it as a name is not documented, so nothing below it is read.
                    self._report(Kind.NOT_UNDERSTOOD, f"'{word}' has the name of a statement", entry.line, path)
                    del child[name]
                    continue
                self.level(entry, statement.below, (*path, word, name))
            return []
        if shape is LEVEL and statement.below is not None:
            self.level(child, statement.below, (*path, word))
            return []
        return self._values(node, child, word, statement, path)

    def _hoisted(
        self, value: Node, node: Node, word: str, path: Path, *, keep: frozenset[str] = frozenset()
    ) -> list[str]:
        """Move what follows a value to the level; only set lines can have several statements on one line."""
        moved = _hoist(value, node, keep=keep)
        if moved and not value.flags & TYPED:
            self._report(Kind.NOT_UNDERSTOOD, f"'{word}' does not end: a ';' is missing", value.line, path)
        return moved

    def _values(self, node: Node, child: Node, word: str, statement: Statement, path: Path) -> list[str]:
        if not child:
            self._report(Kind.NOT_UNDERSTOOD, f"'{word}' needs a value", child.line, path)
            return []
        if word == "secret":
            _join_placeholder(child)
        if statement.options:
            _behind_value(child, statement.options)
        back: list[str] = []
        # A copy: where the same word follows its value, what is moved is a second value of this very statement.
        for text, value in list(child.items()):
            # A policy expression, `( A && B )`, is one value of many words.
            if value and text[:1] not in {"(", "!"}:
                back += self._hoisted(value, node, word, path, keep=statement.options)
        active = {name: value for name, value in child.items() if not value.inactive}
        twice = statement.shape is LEAF and len(active) > 1
        if twice and not any(value.flags & TYPED for value in active.values()):
            line = max(value.line for value in active.values())
            self._report(Kind.CONFLICT, f"'{word}' has more than one value here", line, path)
        return back


def _waiting(node: Node, level: Level) -> list[str]:
    """Return the words of a level that must be checked: neither a value alone, nor a level that is not judged."""
    statements = level.statements
    waiting: list[str] = []
    for word, child in node.items():
        statement = statements.get(word)
        if statement is not None:
            shape = statement.shape
            if shape is OPAQUE or (shape is FLAG and not child):
                continue
            if shape is LEAF and len(child) == 1 and word != "secret":
                (value,) = child.values()
                if not value:
                    continue
        waiting.append(word)
    return waiting


def _hoist(value: Node, level: Node, *, keep: frozenset[str] = frozenset()) -> list[str]:
    """Move what follows a value on its line to the level of the statement; return the moved words."""
    moved = [word for word in value if word not in keep]
    for word in moved:
        holder = Node(value.line)
        holder[word] = value.pop(word)
        level.absorb(holder)
    return moved


def _behind_value(child: Node, options: frozenset[str]) -> None:
    """Move options of a value below it: `local-as { 64500; loops 2; }` becomes `local-as 64500 loops 2`."""
    values = [text for text in child if text not in options]
    beside = [text for text in child if text in options]
    if len(values) == 1:
        for text in beside:
            holder = Node(child[text].line)
            holder[text] = child.pop(text)
            child[values[0]].absorb(holder)


def _join_placeholder(secret: Node) -> None:
    """Join the words of an unquoted placeholder to one value: `<secret hidden>`."""
    for word in [word for word in secret if word.startswith("<") and not word.endswith(">")]:
        node, words = secret[word], [word]
        line = node.line
        while not words[-1].endswith(">") and len(node) == 1:
            ((last, node),) = node.items()
            words.append(last)
        if words[-1].endswith(">"):
            del secret[word]
            node.line = line
            secret[" ".join(words)] = node


def _plain_numbers(keys: Node) -> None:
    """Merge the entries `key 1` and `key 01`, which are the same key."""
    for name in [name for name in keys if name[:1] == "0" and name.isascii() and name.isdecimal() and len(name) > 1]:
        holder = Node()
        holder[name.lstrip("0") or "0"] = keys.pop(name)
        keys.absorb(holder)


def _first_line(node: Node) -> int:
    while not node.line and node:
        node = next(iter(node.values()))
    return node.line
