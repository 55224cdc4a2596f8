"""The commit checks of the schema: undefined groups, refused statements, constraints (docs/junos.md 1.1, 2.1)."""

from __future__ import annotations

from collections.abc import Iterator

from keyroll.emulator.contract.errors import NOT_EMULATED
from keyroll.emulator.junos.configuration.compare import edit_line
from keyroll.emulator.junos.configuration.faults import block
from keyroll.emulator.junos.configuration.inherit import APPLY, undefined_groups
from keyroll.emulator.junos.configuration.render import header
from keyroll.emulator.junos.configuration.schema import Effect
from keyroll.emulator.junos.configuration.tree import Node, Path

FAILED = "statements constraint check failed"


def violations(candidate: Node, expanded: Node) -> list[str]:
    """Return the lines of every violated constraint, as Junos prints them; empty when all hold.

    `expanded` is `candidate` with its groups inherited; undefined groups can only be found before that.
    """
    lines: list[str] = []
    for path, group in undefined_groups(candidate):
        lines += block(edit_line(path), f"{APPLY} {group}", f"group '{group}' is not defined")
    for path, node, message in _violated(expanded, expanded, ()):
        lines += block(edit_line(path), header(node).replace('"', ""), message)
    return lines


def _violated(root: Node, node: Node, path: Path) -> Iterator[tuple[Path, Node, str]]:
    """Yield (path of the parent, statement, message) for each violated constraint below `node`."""
    for child in node.shown():
        if child.statement.effect is Effect.REFUSED:
            yield path, child, f"{NOT_EMULATED}{child.statement.note}"
        for constraint in child.statement.constraints:
            if not constraint.holds(root, node, child):
                yield path, child, constraint.message
        yield from _violated(root, child, (*path, child.step))
