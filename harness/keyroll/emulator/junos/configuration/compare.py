"""`show | compare`: what changed between two trees, as Junos prints it (docs/junos.md 3.6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from keyroll.emulator.junos.configuration.render import INACTIVE, header, statement_lines
from keyroll.emulator.junos.configuration.schema import Kind
from keyroll.emulator.junos.configuration.tokens import quote
from keyroll.emulator.junos.configuration.tree import Id, Node, Path

_LEAST = 2
"""Blanks behind the sign of a line that belongs to `[edit]`."""
_LEAVES = frozenset({Kind.LEAF, Kind.VALUES, Kind.FLAG})
_SEEN = {"system root-authentication": 2}
"""Where a router was seen to do otherwise than the rule (golden/real/compare_places.txt)."""


def _blanks(path: Path, node: Node) -> str:
    """Return the blanks before a changed statement: 2, one more a level of its place, one less for a leaf.

    `interfaces X` is two levels and `groups X` one. `family` is a level of an interface's unit alone, and there one of
    what it stands before, too.
    """
    names = [step.statement.name for step in path]
    on_unit = names[:1] == ["interfaces"]
    levels = sum(on_unit or not step.statement.joined for step in path) + (on_unit and node.statement.joined)
    levels -= names[:1] == ["groups"] and len(path) > 1
    leaf = node.statement.kind in _LEAVES or node.statement.is_value
    usual = _LEAST + levels - (bool(path) and leaf)
    return " " * _SEEN.get(" ".join([*(name or "*" for name in names), node.statement.name]), usual)


def edit_line(path: Path) -> str:
    """Return `[edit protocols bgp]` for a path; `[edit]` for the top."""
    words = [
        word if step.statement.kind is Kind.OPAQUE else quote(word) for step in path for word in step.words
    ]  # kept text has its quotes already
    return f"[{' '.join(['edit', *words])}]"


def differences(old: Node, new: Node, base: Path = ()) -> list[str]:
    """Return the lines that lead from `old` to `new`, two nodes at the same place; empty when nothing changed.

    Each changed body is named by its `[edit …]` line, then come its lines taken away (`-`), added (`+`), and moved or
    switched between active and inactive (`!`), in the order in which they are shown.
    """
    return list(_differences(old, new, base))


@dataclass(slots=True)
class _Block:
    """The changed lines of one body, and the blocks of the bodies below it."""

    own: list[str] = field(default_factory=list)
    deeper: list[str] = field(default_factory=list)


def _differences(old: Node, new: Node, path: Path) -> Iterator[str]:
    block = _Block()
    _collect(block, old, new, path, "")
    if block.own:
        yield edit_line(path)
        yield from block.own
    yield from block.deeper


def _collect(block: _Block, old: Node, new: Node, path: Path, prefix: str) -> None:
    moved = _moved(old, new)
    names = _merged_ids(old, new)
    for place, name in enumerate(names):
        before, after = old.children.get(name), new.children.get(name)
        if after is not None and _is_context(names, place, old, new, moved):
            block.own.append(f" {_blanks(path, after)}{prefix}{_brief(after)}")
        if before is None or after is None:
            block.own += _signed("-", before, path, prefix) + _signed("+", after, path, prefix)
            continue
        brief = f"{prefix}{_brief(after)}"
        if name in moved:
            block.own.append(f"!{_blanks(path, after)}{brief}")
        if before.same(after):  # nearly everything of a large configuration, told at a tenth of the time
            continue
        if before.inactive != after.inactive:
            block.own.append(f"!{_blanks(path, after)}{'inactive' if after.inactive else 'active'}: {brief}")
        rewritten = after.statement.is_value and statement_lines(before) != statement_lines(after)
        if before.key != after.key or rewritten:
            block.own += _signed("-", before, path, prefix) + _signed("+", after, path, prefix)
        elif after.statement.is_value:
            continue
        elif after.statement.joined:
            _collect(block, before, after, (*path, after.step), f"{prefix}{after.statement.name} ")
        else:
            block.deeper += _differences(before, after, (*path, after.step))


def _moved(old: Node, new: Node) -> set[Id]:
    """Return the children that both have and that stand in another order among them."""
    before = [name for name in old.shown_ids() if name in new.children]
    after = [name for name in new.shown_ids() if name in old.children]
    if before == after:
        return set()
    steady = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return set(after) - {after[place] for block in steady for place in range(block.b, block.b + block.size)}


def _is_context(names: list[Id], place: int, old: Node, new: Node, moved: set[Id]) -> bool:
    """Say whether an entry stays as it is beside one that comes or goes, where the order means something."""
    kept = old.children.keys() & new.children.keys() - moved
    statement = old.statement.child(names[place][0])
    if statement is None or not statement.ordered or names[place] not in kept:
        return False
    beside = names[max(0, place - 1) : place] + names[place + 1 : place + 2]
    return any(name[0] == names[place][0] and name not in kept for name in beside)


def _merged_ids(old: Node, new: Node) -> list[Id]:
    """Return both nodes' children, the schema's order first, then the new order, then what is gone.

    Where the order means something, what is gone stands behind what it stood behind.
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
    return [f"{sign}{_blanks(path, node)}{line}" for line in statement_lines(node, 0, prefix)]


def _brief(node: Node) -> str:
    if node.statement.is_value:
        return statement_lines(node)[0].removeprefix(INACTIVE)
    body = node.statement.has_body and node.children
    return header(node) + (" { ... }" if body else ";")
