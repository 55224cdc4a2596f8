"""Three trees into one: what was changed in a copy, made in what the original has become meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from keyroll.emulator.junos.configuration.tree import Id, Node, Path


@dataclass(frozen=True, slots=True)
class Conflict:
    """A statement that was changed on both sides: where it stands, and what each side has (None: it is not there)."""

    place: Path
    mine: Node | None
    theirs: Node | None


def merge(base: Node, mine: Node, theirs: Node) -> list[Conflict]:
    """Make in `theirs` what leads from `base` to `mine`; return what was changed on both sides, which is left as it is.

    All three stand at the same place.
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
        left = [name for name in theirs.children if name not in mine.children]
        theirs.children = {name: theirs.children[name] for name in [*order, *left]}


def _merge_child(name: Id, trees: tuple[Node, Node, Node], place: Path, conflicts: list[Conflict]) -> None:
    base, mine, theirs = (tree.children.get(name) for tree in trees)
    if _alike(base, mine) or _alike(mine, theirs):
        return
    if _alike(base, theirs):
        if mine is None:
            del trees[2].children[name]
        else:
            trees[2].children[name] = mine.copy()
    elif mine is not None and theirs is not None and mine.statement.has_body:
        _merge(base or Node(mine.statement, mine.key), mine, theirs, (*place, mine.step), conflicts)
    else:
        conflicts.append(Conflict(place, mine, theirs))


def _alike(one: Node | None, other: Node | None) -> bool:
    return one is other if one is None or other is None else one.same(other)
