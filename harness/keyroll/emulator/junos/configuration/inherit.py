"""`groups` and `apply-groups`: inheritance of configuration groups.

Precedence, highest first: statements of the configuration itself; the innermost `apply-groups`; of several groups in
one `apply-groups`, the first (Junos CLI user guide, configuration groups).
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from keyroll.emulator.junos.configuration.paths import GROUPS
from keyroll.emulator.junos.configuration.schema import Kind
from keyroll.emulator.junos.configuration.tree import Node, Path

APPLY = "apply-groups"
EXCEPT = "apply-groups-except"
"""Names the groups of outer `apply-groups` that are not inherited here, nor below."""


def _is_pattern(key: str | None) -> bool:
    return key is not None and key.startswith("<") and key.endswith(">")


def _matches(pattern: str | None, key: str | None) -> bool:
    """Return whether `pattern` is a wildcard key (`<ge-*>`) that matches `key`."""
    return pattern is not None and _is_pattern(pattern) and fnmatchcase(key or "", pattern[1:-1])


def _groups(root: Node) -> list[Node]:
    body = root.child(GROUPS)
    return body.entries("") if body is not None else []


def undefined_groups(root: Node) -> list[tuple[Path, str]]:
    """Return every `apply-groups` whose group is not defined, as (path of its parent, name of the group)."""
    defined = {group.key for group in _groups(root)}
    found: list[tuple[Path, str]] = []

    def visit(node: Node, path: Path) -> None:
        found.extend((path, name) for name in node.values_of(APPLY) if name not in defined)
        for child in node.shown():
            visit(child, (*path, child.step))

    visit(root, ())
    return found


def inherited_from(root: Node) -> tuple[Node, dict[int, str]]:
    """Return a copy of `root` with all groups inherited, and the group of each inherited node by the node's `id()`.

    Inactive statements of `root` stay, as `| display inheritance` shows them; those of a group are not inherited.
    """
    whole = root.copy()
    groups = {group.key: group for group in _groups(whole.active())}
    whole.children.pop((GROUPS, None), None)
    origin: dict[int, str] = {}
    _inherit(whole, (), groups, origin)
    return whole, origin


def expand(root: Node) -> Node:
    """Return a copy of `root` with all groups inherited, without inactive statements and without `groups` itself."""
    whole = root.active()
    groups = {group.key: group for group in _groups(whole)}
    whole.children.pop((GROUPS, None), None)
    _inherit(whole, (), groups, {})
    return whole


def expand_part(root: Node, name: str) -> Node:
    """Return `expand(root)` with only the top-level statement `name`: a whole large configuration takes seconds."""
    groups = root.children.get((GROUPS, None))
    children = {one: node for one, node in root.children.items() if one[0] in (name, APPLY)}
    if groups is not None:
        held = {one: _only(node, name) for one, node in groups.children.items()}
        children[GROUPS, None] = Node(groups.statement, groups.key, groups.inactive, held)
    return expand(Node(root.statement, root.key, root.inactive, children))


def _only(group: Node, name: str) -> Node:
    kept = {one: node for one, node in group.children.items() if one[0] in (name, APPLY, EXCEPT)}
    return Node(group.statement, group.key, group.inactive, kept)


def _inherit(node: Node, path: Path, groups: dict[str | None, Node], origin: dict[int, str]) -> None:
    for child in list(node.children.values()):
        _inherit(child, (*path, child.step), groups, origin)
    for name in node.values_of(APPLY):
        for source in _sources(groups.get(name), path):
            _merge(node, source, name, origin)
        del node.children[(APPLY, name)]


def _sources(group: Node | None, path: Path) -> list[Node]:
    """Return the group's nodes at `path`: the one with the same keys, then those with wildcard keys that match."""
    found = [group] if group is not None else []
    for step in path:
        below: list[Node] = []
        for node in found:
            exact = node.children.get(step.id)
            below += [exact] if exact is not None else []
            if step.statement.kind is Kind.ENTRY:
                below += [entry for entry in node.entries(step.statement.name) if _matches(entry.key, step.key)]
        found = below
    return found


def _merge(node: Node, source: Node, group: str, origin: dict[int, str]) -> None:
    if group in node.values_of(EXCEPT):
        return
    for name, child in source.children.items():
        if child.statement.kind is Kind.ENTRY and _is_pattern(child.key):
            for own in node.entries(child.statement.name):
                if _matches(child.key, own.key):
                    _merge(own, child, group, origin)
            continue
        if name[0] == APPLY or _is_excluded(node, child):
            continue
        own_child = node.children.get(name)
        if own_child is None:
            made = node.children[name] = _without_wildcards(child)
            origin.update(dict.fromkeys(_ids(made), group))
        else:
            _merge(own_child, child, group, origin)


def _ids(node: Node) -> Iterator[int]:
    yield id(node)
    for child in node.children.values():
        yield from _ids(child)


def _is_excluded(node: Node, child: Node) -> bool:
    """Return whether a child of `node` excludes `child` (`accept` excludes `reject`), which is then not inherited."""
    group = child.statement.exclusive
    return group is not None and any(
        own.statement.exclusive == group and own.statement is not child.statement for own in node.children.values()
    )


def _without_wildcards(node: Node) -> Node:
    copy = node.copy()
    _strip(copy)
    return copy


def _strip(node: Node) -> None:
    for name in list(node.children):
        child = node.children[name]
        if name[0] == APPLY or (child.statement.kind is Kind.ENTRY and _is_pattern(child.key)):
            del node.children[name]
        else:
            _strip(child)
