"""Prints a tree: the curly form of `show`, and the lines of `| display set` (docs/junos.md 1.5, 1.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from keyroll.emulator.contract.policy_expression import is_expression
from keyroll.emulator.junos.configuration.schema import Kind, Statement
from keyroll.emulator.junos.configuration.tokens import quote
from keyroll.emulator.junos.configuration.tree import Node, Path
from keyroll.emulator.junos.configuration.values import PolicyName

INDENT = "    "
SECRET_MARK = " ## SECRET-DATA"  # noqa: S105 - the mark after a secret, not a secret
INACTIVE = "inactive: "


Comments = Callable[[Node], Sequence[str]]
"""Returns the texts of the comments before a statement, without their `##`."""


def curly(node: Node, depth: int = 0, comments: Comments | None = None) -> list[str]:
    """Return the lines of everything below `node`, indented by `depth` levels."""
    return list(_body(node, INDENT * depth, "", comments))


def statement_lines(node: Node, depth: int = 0, prefix: str = "") -> list[str]:
    """Return the lines of `node` and everything below it, indented by `depth` levels.

    `prefix` is the word of a joined parent (`family `).
    """
    return list(_lines(node, INDENT * depth, prefix, None))


def _body(node: Node, indent: str, prefix: str, comments: Comments | None) -> Iterator[str]:
    run: list[Node] = []
    for child in node.shown():
        if run and not _on_one_line(run[0], child):
            yield _values_line(run, indent, prefix)
            run = []
        if comments is not None and not run:
            yield from (f"{indent}## {text}".rstrip() for text in comments(child))
        if child.statement.kind is Kind.VALUES:
            run.append(child)
        else:
            yield from _lines(child, indent, prefix, comments)
    if run:
        yield _values_line(run, indent, prefix)


def _on_one_line(first: Node, other: Node) -> bool:
    return first.statement is other.statement and first.inactive == other.inactive


def _values_line(run: list[Node], indent: str, prefix: str) -> str:
    """Return the line of adjacent values of one statement, which are all active or all inactive."""
    words = [key_text(node.statement, node.key or "") for node in run]
    text = words[0] if len(words) == 1 else f"[ {' '.join(words)} ]"
    return f"{indent}{INACTIVE if run[0].inactive else ''}{prefix}{run[0].statement.name} {text};"


def _lines(node: Node, indent: str, prefix: str, comments: Comments | None) -> Iterator[str]:
    statement = node.statement
    mark = INACTIVE if node.inactive else ""
    head = prefix + header(node)
    if statement.kind in (Kind.LEAF, Kind.FLAG) or not node.children:
        yield f"{indent}{mark}{head};{SECRET_MARK if statement.secret else ''}"
    elif statement.joined and not node.inactive:
        yield from _body(node, indent, head + " ", comments)
    elif statement.one_line and _is_words(node):
        words = (header(child) for child in node.shown())
        yield f"{indent}{mark}{head} {' '.join(words)};"
    elif statement.one_line and _fits_one_line(node):
        yield from (f"{indent}{mark}{line}" for line in _body(node, "", head + " ", None))
    else:
        yield f"{indent}{mark}{head} {{"
        yield from _body(node, indent + INDENT, "", comments)
        yield f"{indent}}}"


def _is_words(node: Node) -> bool:
    """Return whether the children are words on the node's line: `route-filter 10.0.0.0/8 orlonger reject`.

    That is so after the key of an entry, and after a value without a name: `autonomous-system 64500 loops 2`.
    """
    return (node.statement.kind is Kind.ENTRY or node.statement.keyless is not None) and all(
        child.statement.kind in (Kind.FLAG, Kind.LEAF) and not child.inactive and not child.statement.secret
        for child in node.children.values()
    )


def _fits_one_line(node: Node) -> bool:
    """Return whether the body is one statement, or the values of one: `then accept;`, `members [ a b ];`."""
    names = {name for name, _ in node.children}
    children = list(node.children.values())
    if len(names) != 1 or any(child.inactive for child in children):
        return False
    if children[0].statement.kind is Kind.ENTRY:
        return False
    return len(children) == 1 or children[0].statement.kind is Kind.VALUES


def header(node: Node) -> str:
    """Return the words of the statement itself: name and key or value."""
    return " ".join(_words(node.statement, node.key))


def set_lines(root: Node, base: Path = ()) -> list[str]:
    """Return the `set` lines, then the `deactivate` lines, that produce everything below `base`."""
    node = root.at(base)
    if node is None:
        return []
    words = [word for step in base for word in _words(step.statement, step.key)]
    lines = list(_sets(node, words))
    return [*lines, *_deactivations(node, words)]


def _words(statement: Statement, key: str | None) -> list[str]:
    """Return the words of a statement as shown: its name, then its key or value, quoted where needed."""
    name = [statement.name] if statement.name else []
    if key is None:
        return name
    return [*name, key_text(statement, key)]


def key_text(statement: Statement, key: str) -> str:
    """Return a key or value as shown: quoted where needed; kept text and policy expressions never are."""
    if statement.kind is Kind.OPAQUE or (isinstance(statement.value, PolicyName) and is_expression(key)):
        return key
    return quote(key, always=statement.quoted)


def _sets(node: Node, words: list[str]) -> Iterator[str]:
    if not node.children:
        if words:
            yield " ".join(["set", *words])
        return
    for child in node.shown():
        yield from _sets(child, [*words, *_words(child.statement, child.key)])


def _deactivations(node: Node, words: list[str]) -> Iterator[str]:
    if node.inactive:
        yield " ".join(["deactivate", *words])
    for child in node.shown():
        named = child.key if child.statement.kind is not Kind.LEAF else None
        yield from _deactivations(child, [*words, *_words(child.statement, named)])
