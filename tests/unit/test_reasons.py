"""Each constant that is a number (a time, a size, a number of tries) has its reason or its source beside it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.unit.documents import ROOT, no_fault_in, text_of

MODULES = [path for folder in ("harness", "fixtures") for path in sorted((ROOT / folder).rglob("*.py"))]
# A module without such a line has no number at its top level and is not parsed, because parsing takes time. After an
# open parenthesis a number may follow on the next lines.
MAY_BE_NUMBER = re.compile(r"^\w+ = (?:.*\d|.*\($)", re.MULTILINE)
# Names that need no reason: the version of a format, a mask of all bits, a unit of time.
SELF_EVIDENT = ("VERSION", "FORMAT", "MASK", "MICROSECOND", "SECOND", "SECONDS", "NANOSECONDS", "MINUTE", "EPOCH", "NS")


def is_number(node: ast.AST) -> bool:
    """Return whether an expression contains a number other than 0 and 1, alone or in a `timedelta` or `range`."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool) and node.value not in (0, 1)
    if isinstance(node, ast.Call):
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        return ast.unparse(node.func) in {"timedelta", "range"} and any(map(is_number, given))
    if isinstance(node, ast.BinOp):
        return is_number(node.left) or is_number(node.right)
    return False


def lacking(text: str) -> list[str]:
    """Return the numeric constants at the top level of a module that have no reason beside them.

    A reason is a docstring directly below, or a comment on the line or above its group (lines without an empty line).
    """
    lines = text.splitlines()
    body = ast.parse(text).body
    explained = {node.lineno for node in body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    found = []
    for node in body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name) or not is_number(node.value):
            continue
        name = node.targets[0].id.strip("_")
        if name.endswith(SELF_EVIDENT) and not (name.endswith(("SECOND", "SECONDS")) and "_" in name):
            continue
        at, below = node.lineno - 1, node.end_lineno or node.lineno
        while at > 0 and lines[at - 1].strip() and "#" not in lines[at]:
            at -= 1
        if "#" not in lines[at] and below + 1 not in explained:
            found.append(f"{node.lineno}: {name}")
    return found


def test_a_number_without_its_reason_is_found() -> None:
    assert lacking("from x import y\n\n_TRIES = 3\n") == ["3: TRIES"]
    assert lacking("from x import y\n\n_WAIT = timedelta(seconds=2)\n\n\ndef f(): ...\n") == ["3: WAIT"]
    assert lacking("# The router reboots once.\n_TRIES = 3\n_WAIT_SECONDS = 4.0\n") == []
    assert lacking('_TRIES = 3\n"""The router reboots once."""\n') == []
    assert lacking("_FORMAT_VERSION = 3\n_SECOND = 1_000\n") == []


@no_fault_in(MODULES)
def test_each_number_has_its_reason_beside_it(path: Path) -> list[str]:
    text = text_of(path)
    return lacking(text) if MAY_BE_NUMBER.search(text) else []
