"""The statements that this router accepts, as data: one module for each part of the configuration.

Names, ranges, help and messages are those of Juniper's YANG models of Junos 24.4 (docs/junos.md 1.1 and 2.1); what
these do not cover is written from memory of Junos' help. To add a statement, add a line.
"""

from __future__ import annotations

from dataclasses import replace

from keyroll.emulator.junos.configuration.schema import Effect, Kind, Statement, container, entry, values
from keyroll.emulator.junos.configuration.statements.interfaces import INTERFACES
from keyroll.emulator.junos.configuration.statements.kept import hierarchies
from keyroll.emulator.junos.configuration.statements.policy import POLICY_OPTIONS
from keyroll.emulator.junos.configuration.statements.protocols import PROTOCOLS
from keyroll.emulator.junos.configuration.statements.routing import ROUTING_OPTIONS
from keyroll.emulator.junos.configuration.statements.security import SECURITY
from keyroll.emulator.junos.configuration.statements.system import SYSTEM
from keyroll.emulator.junos.configuration.values import Word

_PARTS = (
    SYSTEM,
    *hierarchies.BEFORE_SECURITY,
    SECURITY,
    INTERFACES,
    *hierarchies.AFTER_INTERFACES,
    POLICY_OPTIONS,
    *hierarchies.AFTER_POLICY,
    ROUTING_OPTIONS,
    PROTOCOLS,
    *hierarchies.AFTER_PROTOCOLS,
)
"""The hierarchies, in the order in which Junos shows them."""
_APPLY = values("apply-groups", "Groups from which to inherit configuration data", Word())
_EXCEPT = values("apply-groups-except", "Don't inherit configuration data from these groups", Word())


def _with_apply(statement: Statement) -> Statement:
    """Return the statement with `apply-groups` wherever Junos accepts it: in every container and entry with a body."""
    if not statement.has_body or statement.kind is Kind.OPAQUE:
        return statement
    children = tuple(_with_apply(child) for child in statement.children)
    if not _may_inherit(statement):
        return replace(statement, children=children, _by_name={}, order={})
    return replace(statement, children=(_APPLY, _EXCEPT, *hierarchies.EVERYWHERE, *children), _by_name={}, order={})


def _may_inherit(statement: Statement) -> bool:
    """Return whether a body accepts `apply-groups`: only if it is shown in braces."""
    return not statement.one_line and not statement.joined


_INHERITING = tuple(_with_apply(part) for part in _PARTS)

ROOT = container(
    "",
    "",
    hierarchies.VERSION,
    container("groups", "Configuration groups", entry("", "Group name", Word(), *_INHERITING)),
    _APPLY,
    *_INHERITING,
)
"""The top of the configuration: everything that may be configured."""


def without_effect() -> list[str]:
    """Return the paths of the statements kept without effect, such as `system login class *`; the topmost ones only."""
    found: list[str] = []

    def visit(statement: Statement, words: tuple[str, ...]) -> None:
        for child in statement.children:
            path = (*words, child.name or "*")
            if child.effect is Effect.KEPT:
                found.append(" ".join(path))
            elif child.name != "groups":
                visit(child, path)

    visit(ROOT, ())
    return found
