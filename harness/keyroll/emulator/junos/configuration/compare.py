"""`show | compare`: the differences between two trees, as Junos prints them (docs/junos.md 3.6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from keyroll.emulator.junos.configuration.render import INACTIVE, header, statement_lines
from keyroll.emulator.junos.configuration.schema import Kind
from keyroll.emulator.junos.configuration.tokens import quote
from keyroll.emulator.junos.configuration.tree import Id, Node, Path

_TOP_SPACES = 2
"""Spaces after the sign (`-`, `+`, `!`) of a line directly below `[edit]` (golden/real/compare_places.txt)."""
_LEAVES = frozenset({Kind.LEAF, Kind.VALUES, Kind.FLAG})
_OBSERVED_SPACES = {"system root-authentication": 2}
"""Statements whose spaces on a real router differ from the rule of `_spaces` (golden/real/compare_places.txt)."""


def _spaces(path: Path, node: Node) -> str:
    """Return the spaces before a changed statement: 2, plus one for each level of its path, minus one for a leaf.

    `interfaces X` counts as two levels and `groups X` as one. `family` counts as a level only on an interface's unit,
    and there also when the changed statement is `family` itself.
    """
    names = [step.statement.name for step in path]
    on_unit = names[:1] == ["interfaces"]
    levels = sum(on_unit or not step.statement.joined for step in path) + (on_unit and node.statement.joined)
    levels -= names[:1] == ["groups"] and len(path) > 1
    leaf = node.statement.kind in _LEAVES or node.statement.is_value
    usual = _TOP_SPACES + levels - (bool(path) and leaf)
    return " " * _OBSERVED_SPACES.get(" ".join([*(name or "*" for name in names), node.statement.name]), usual)


def edit_line(path: Path) -> str:
    """Return `[edit protocols bgp]` for a path; `[edit]` for the top."""
    words = [
        word if step.statement.kind is Kind.OPAQUE else quote(word) for step in path for word in step.words
    ]  # the words of an opaque statement include their quotes
    return f"[{' '.join(['edit', *words])}]"


def differences(old: Node, new: Node, base: Path = ()) -> list[str]:
    """Return the lines of `show | compare` between two nodes at the same path `base`; empty when nothing changed.

    Below one `[edit …]` line for each changed body stand its removed lines (`-`), added lines (`+`), and lines moved or
    switched between active and inactive (`!`), in the order of `show`. The inner bodies follow the outer one.
    """
    return list(_differences(old, new, base))


@dataclass(slots=True)
class _Block:
    """The changed lines of one body (`own`), and the blocks of the bodies below it (`inner`)."""

    own: list[str] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)


def _differences(old: Node, new: Node, path: Path) -> Iterator[str]:
    block = _Block()
    _collect(block, old, new, path, "")
    if block.own:
        yield edit_line(path)
        yield from block.own
    yield from block.inner


def _collect(block: _Block, old: Node, new: Node, path: Path, prefix: str) -> None:
    moved = _moved(old, new)
    names = _merged_ids(old, new)
    for place, name in enumerate(names):
        before, after = old.children.get(name), new.children.get(name)
        if after is not None and _is_context(names, place, old, new, moved):
            block.own.append(f" {_spaces(path, after)}{prefix}{_brief(after)}")
        if before is None or after is None:
            block.own += _signed("-", before, path, prefix) + _signed("+", after, path, prefix)
            continue
        brief = f"{prefix}{_brief(after)}"
        if name in moved:
            block.own.append(f"!{_spaces(path, after)}{brief}")
        if before.same(after):  # skips the unchanged part of a large configuration: ten times faster
            continue
        if before.inactive != after.inactive:
            block.own.append(f"!{_spaces(path, after)}{'inactive' if after.inactive else 'active'}: {brief}")
        rewritten = after.statement.is_value and statement_lines(before) != statement_lines(after)
        if before.key != after.key or rewritten:
            block.own += _signed("-", before, path, prefix) + _signed("+", after, path, prefix)
        elif after.statement.is_value:
            continue
        elif after.statement.joined:
            _collect(block, before, after, (*path, after.step), f"{prefix}{after.statement.name} ")
        else:
            block.inner += _differences(before, after, (*path, after.step))


def _moved(old: Node, new: Node) -> set[Id]:
    """Return the children of both nodes that are outside the longest runs in the same order: Junos shows them moved."""
    before = [name for name in old.shown_ids() if name in new.children]
    after = [name for name in new.shown_ids() if name in old.children]
    if before == after:
        return set()
    steady = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return set(after) - {after[place] for block in steady for place in range(block.b, block.b + block.size)}


def _is_context(names: list[Id], place: int, old: Node, new: Node, moved: set[Id]) -> bool:
    """Return whether an unchanged ordered entry is next to an added or removed one: Junos shows it as context."""
    kept = old.children.keys() & new.children.keys() - moved
    statement = old.statement.child(names[place][0])
    if statement is None or not statement.ordered or names[place] not in kept:
        return False
    beside = names[max(0, place - 1) : place] + names[place + 1 : place + 2]
    return any(name[0] == names[place][0] and name not in kept for name in beside)


def _merged_ids(old: Node, new: Node) -> list[Id]:
    """Return the ids of both nodes' children: in the schema's order, then in the new order, then the removed ones.

    A removed ordered entry (`term`) follows the entry that it followed before.
    """
    order = {child.name: number for number, child in enumerate(old.statement.children)}
    ids = new.shown_ids()
    former = old.shown_ids()
    for place, name in enumerate(former):
        if name in new.children:
            continue
        statement = old.statement.child(name[0])
        before = former[place - 1] if place and former[place - 1][0] == name[0] else None
        if statement is not None and statement.ordered:
            ids.insert(ids.index(before) + 1 if before in ids else 0, name)
        else:
            ids.append(name)
    return sorted(ids, key=lambda name: order.get(name[0], 0))


def _signed(sign: str, node: Node | None, path: Path, prefix: str) -> list[str]:
    if node is None:
        return []
    return [f"{sign}{_spaces(path, node)}{line}" for line in statement_lines(node, 0, prefix)]


def _brief(node: Node) -> str:
    """Return a statement as one line, its body shortened to `{ ... }`."""
    if node.statement.is_value:
        return statement_lines(node)[0].removeprefix(INACTIVE)
    body = node.statement.has_body and node.children
    return header(node) + (" { ... }" if body else ";")
