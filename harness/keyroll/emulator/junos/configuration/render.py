"""A tree as text: the curly form of `show`, and `set` lines of `| display set` (docs/junos.md 1.5, 1.7)."""

from __future__ import annotations

from collections.abc import Iterator

from keyroll.emulator.junos.configuration.schema import Kind
from keyroll.emulator.junos.configuration.tokens import quote
from keyroll.emulator.junos.configuration.tree import Node, Path

INDENT = "    "
SECRET_MARK = " ## SECRET-DATA"  # noqa: S105 - the mark behind a secret, not one
INACTIVE = "inactive: "


def curly(node: Node, depth: int = 0) -> list[str]:
    """Return the lines of everything below `node`."""
    return list(_body(node, INDENT * depth, ""))


def statement_lines(node: Node, depth: int = 0, prefix: str = "") -> list[str]:
    """Return the lines of `node` itself with everything below it; `prefix` is the word of a joined parent."""
    return list(_lines(node, INDENT * depth, prefix))


def _body(node: Node, indent: str, prefix: str) -> Iterator[str]:
    run: list[Node] = []
    for child in node.shown():
        if run and not _together(run[0], child):
            yield _values_line(run, indent, prefix)
            run = []
        if child.statement.kind is Kind.VALUES:
            run.append(child)
        else:
            yield from _lines(child, indent, prefix)
    if run:
        yield _values_line(run, indent, prefix)


def _together(first: Node, other: Node) -> bool:
    return first.statement is other.statement and first.inactive == other.inactive


def _values_line(run: list[Node], indent: str, prefix: str) -> str:
    """Return the line of values that follow each other and are all active, or all inactive."""
    words = [quote(node.key or "") for node in run]
    text = words[0] if len(words) == 1 else f"[ {' '.join(words)} ]"
    return f"{indent}{INACTIVE if run[0].inactive else ''}{prefix}{run[0].statement.name} {text};"


def _lines(node: Node, indent: str, prefix: str) -> Iterator[str]:
    statement = node.statement
    mark = INACTIVE if node.inactive else ""
    head = prefix + header(node)
    if statement.kind in (Kind.LEAF, Kind.FLAG) or not node.children:
        yield f"{indent}{mark}{head};{SECRET_MARK if statement.secret else ''}"
    elif statement.joined and not node.inactive:
        yield from _body(node, indent, head + " ")
    elif statement.one_line and _fits_one_line(node):
        yield from (f"{indent}{mark}{line}" for line in _body(node, "", head + " "))
    else:
        yield f"{indent}{mark}{head} {{"
        yield from _body(node, indent + INDENT, "")
        yield f"{indent}}}"


def _fits_one_line(node: Node) -> bool:
    names = {name for name, _ in node.children}
    children = list(node.children.values())
    if len(names) != 1 or any(child.inactive for child in children):
        return False
    if children[0].statement.kind is Kind.ENTRY:
        return False
    return len(children) == 1 or children[0].statement.kind is Kind.VALUES


def header(node: Node) -> str:
    """Return the words of the statement itself: name and key or value."""
    name, key = node.statement.name, node.key
    if key is None:
        return name
    text = quote(key, always=node.statement.quoted)
    return f"{name} {text}" if name else text


def set_lines(root: Node, base: Path = ()) -> list[str]:
    """Return the `set` (and `deactivate`) lines that make everything below `base`."""
    node = root.at(base)
    if node is None:
        return []
    words = [word for step in base for word in _words(step.statement.name, step.key)]
    lines = list(_sets(node, words))
    return [*lines, *_deactivations(node, words)]


def _words(name: str, key: str | None, *, quoted: bool = False) -> list[str]:
    return [*([name] if name else []), *([quote(key, always=quoted)] if key is not None else [])]


def _sets(node: Node, words: list[str]) -> Iterator[str]:
    if not node.children:
        if words:
            yield " ".join(["set", *words])
        return
    for child in node.shown():
        below = [*words, *_words(child.statement.name, child.key, quoted=child.statement.quoted)]
        yield from _sets(child, below)


def _deactivations(node: Node, words: list[str]) -> Iterator[str]:
    if node.inactive:
        yield " ".join(["deactivate", *words])
    for child in node.shown():
        named = child.key if child.statement.kind is not Kind.LEAF else None
        yield from _deactivations(child, [*words, *_words(child.statement.name, named)])
