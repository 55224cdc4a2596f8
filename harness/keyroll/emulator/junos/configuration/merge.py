"""Three-way merge of configuration trees, for a private candidate whose original has changed meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from keyroll.emulator.junos.configuration.tree import Id, Node, Path


@dataclass(frozen=True, slots=True)
class Conflict:
    """A statement changed on both sides: the path of its parent, and its node on each side (None: not present)."""

    place: Path
    mine: Node | None
    theirs: Node | None


def merge(base: Node, mine: Node, theirs: Node) -> list[Conflict]:
    """Apply the changes from `base` to `mine` to `theirs`, in place; return the conflicts, where `theirs` is unchanged.

    All three nodes stand at the same path.
    """
    conflicts: list[Conflict] = []
    _merge(base, mine, theirs, (), conflicts)
    return conflicts


def _merge(base: Node, mine: Node, theirs: Node, place: Path, conflicts: list[Conflict]) -> None:
    in_order = list(theirs.children) == list(base.children)
    if mine.inactive != base.inactive:
        theirs.inactive = mine.inactive
    for name in [*mine.children, *(name for name in base.children if name not in mine.children)]:
        _merge_child(name, (base, mine, theirs), place, conflicts)
    if in_order:
        order = [name for name in mine.children if name in theirs.children]
        others = [name for name in theirs.children if name not in mine.children]
        theirs.children = {name: theirs.children[name] for name in [*order, *others]}


def _merge_child(name: Id, trees: tuple[Node, Node, Node], place: Path, conflicts: list[Conflict]) -> None:
    base, mine, theirs = (tree.children.get(name) for tree in trees)
    if _equal(base, mine) or _equal(mine, theirs):
        return
    if _equal(base, theirs):
        if mine is None:
            del trees[2].children[name]
        else:
            trees[2].children[name] = mine.copy()
    elif mine is not None and theirs is not None and mine.statement.has_body:
        _merge(base or Node(mine.statement, mine.key), mine, theirs, (*place, mine.step), conflicts)
    else:
        conflicts.append(Conflict(place, mine, theirs))


def _equal(one: Node | None, other: Node | None) -> bool:
    return one is other if one is None or other is None else one.same(other)
