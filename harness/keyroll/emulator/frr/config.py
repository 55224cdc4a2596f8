"""Configuration lines for FRR as data, and the steps that turn one set of lines into another.

A line has a key, so that a changed value replaces the former one in place, and may depend on a parent (a neighbour's
timers on the neighbour): it is removed with the parent. This module does not know what the lines mean.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field


class Daemon(enum.Enum):
    """FRR's daemons, in the order in which they may be started."""

    MGMTD = "mgmtd"
    """Since FRR 10: takes the configuration of zebra and staticd in their place."""
    ZEBRA = "zebra"
    STATICD = "staticd"
    BGPD = "bgpd"
    LDPD = "ldpd"


@dataclass(frozen=True, slots=True)
class Line:
    """One configuration line.

    `node` are the lines that lead to the node where it is entered; `undo` removes it there. With `replace` false a
    changed text needs the undo first. `clears_children`: after a change all lines that depend on it have to be set
    again.
    """

    daemon: Daemon
    key: str
    text: str
    undo: str
    node: tuple[str, ...] = ()
    parent: str | None = None
    replace: bool = True
    clears_children: bool = False
    secret: bool = False
    """Whether `text` holds a secret: it is then never shown."""
    batch: str = ""
    """Consecutive lines with the same word here are sent together, so that the daemon does nothing between them."""


@dataclass(frozen=True, slots=True)
class VtyCommand:
    """One configuration command for a daemon. `text` may hold a secret; `shown` never does."""

    daemon: Daemon
    node: tuple[str, ...]
    text: str = field(repr=False)
    shown: str = ""
    batch: str = ""


def steps(old: Sequence[Line], new: Sequence[Line]) -> list[VtyCommand]:
    """Return the commands that lead from `old` to `new`: first removals, in reverse order.

    Then additions and changes.
    """
    former = {line.key: line for line in old}
    wanted = {line.key: line for line in new}
    gone = {key for key in former if key not in wanted}
    renewed = {
        line.key for line in new if line.key in former and line.clears_children and _differs(line, former[line.key])
    }
    result = []
    for line in reversed(old):
        if _depends_on(line, former, gone | renewed):
            continue  # FRR removes it with its parent
        replacement = wanted.get(line.key)
        if replacement is None or line.key in renewed or (_differs(line, replacement) and not replacement.replace):
            result.append(VtyCommand(line.daemon, line.node, line.undo, line.undo))
    for line in new:
        before = former.get(line.key)
        if before is None or _differs(line, before) or line.key in renewed or _depends_on(line, wanted, renewed):
            shown = f"{line.key} <secret>" if line.secret else line.text
            result.append(VtyCommand(line.daemon, line.node, line.text, shown, line.batch))
    return result


def batches(commands: Sequence[VtyCommand]) -> list[tuple[VtyCommand, ...]]:
    """Return the commands in tuples: those of one batch in one tuple."""
    found: list[tuple[VtyCommand, ...]] = []
    for step in commands:
        last = found[-1][-1] if found else None
        if last is not None and step.batch and (step.batch, step.daemon) == (last.batch, last.daemon):
            found[-1] += (step,)
        else:
            found.append((step,))
    return found


def _differs(one: Line, other: Line) -> bool:
    return (one.text, one.node, one.daemon) != (other.text, other.node, other.daemon)


def _depends_on(line: Line, lines: dict[str, Line], keys: set[str]) -> bool:
    parent = line.parent
    while parent is not None:
        if parent in keys:
            return True
        found = lines.get(parent)
        parent = found.parent if found is not None else None
    return False
