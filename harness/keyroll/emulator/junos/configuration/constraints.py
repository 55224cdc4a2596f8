"""What a commit refuses by the schema alone: the constraints that statements carry (docs/junos.md 1.1, 2.1)."""

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
    """Return the lines of every constraint that does not hold, as Junos prints them; empty when all hold."""
    lines: list[str] = []
    for path, group in undefined_groups(candidate):
        lines += block(edit_line(path), f"{APPLY} {group}", f"group '{group}' is not defined")
    for path, node, message in _broken(expanded, expanded, ()):
        lines += block(edit_line(path), header(node).replace('"', ""), message)
    return lines


def _broken(root: Node, node: Node, path: Path) -> Iterator[tuple[Path, Node, str]]:
    for child in node.shown():
        if child.statement.effect is Effect.REFUSED:
            yield path, child, f"{NOT_EMULATED}{child.statement.note}"
        for constraint in child.statement.constraints:
            if not constraint.holds(root, node, child):
                yield path, child, constraint.message
        yield from _broken(root, child, (*path, child.step))
