"""Reads the project's documents, for the tests that resolve the names in them."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache, wraps
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The changelog and the notes for upgrading name things that no longer exist.
HISTORY = {"CHANGELOG.md", "docs/upgrade.md"}
EVERY_DOCUMENT = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
DOCUMENTS = [path for path in EVERY_DOCUMENT if str(path.relative_to(ROOT)) not in HISTORY]
SOURCES = [path for folder in ("harness", "fixtures", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
ASSUMPTIONS = sorted((ROOT / "docs/assumptions").glob("*.md"))
FOLDERS = ("harness", "fixtures", "tests", "docs", "topologies", "image", "bench", ".ci", ".github")
LIBRARY = ROOT / "tests/scenarios"
_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_ENTRY = re.compile(r"^### ([A-Z])(\d+) (.+)$", re.MULTILINE)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def no_fault_in(paths: Iterable[Path]) -> Callable[[Callable[..., Collection[object]]], Callable[..., None]]:
    """Make a test from a function that returns the faults of one file; the test lists the faults of all files.

    It is one test, not one for each file: otherwise every process of pytest-xdist would collect a thousand tests.
    """

    def decorate(wrong_in: Callable[..., Collection[object]]) -> Callable[..., None]:
        @wraps(wrong_in)
        def test(**fixtures: object) -> None:
            wrong = [f"{name_of(path)}: {one}" for path in paths for one in wrong_in(path, **fixtures)]
            if wrong:
                pytest.fail("\n".join(wrong), pytrace=False)

        _, *given = inspect.signature(wrong_in).parameters.values()
        test.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]
        return test

    return decorate


@cache
def text_of(path: Path) -> str:
    """Return the text of a file, cached because many tests read every file."""
    return path.read_text()


@cache
def classes() -> dict[str, list[Path]]:
    """Return {name of a class: files that define it}."""
    found: dict[str, list[Path]] = {}
    for path in SOURCES:
        for name in re.findall(r"^class (\w+)", text_of(path), re.MULTILINE):
            found.setdefault(name, []).append(path)
    return found


@cache
def prose(path: Path) -> str:
    """Return the text of a document outside of fenced blocks, with its line breaks."""
    return _FENCED.sub(lambda block: "\n" * block[0].count("\n"), text_of(path))


@cache
def spans(path: Path) -> list[tuple[int, str]]:
    """Return (line, text) of every code span outside of fenced blocks, with the line where it begins."""
    text = prose(path)
    found = re.finditer(r"`([^`\n]+(?:\n[^`\n]+)?)`", text)
    return [(text.count("\n", 0, one.start()) + 1, re.sub(r"\s+", " ", one[1])) for one in found]


@cache
def command_lines(path: Path) -> list[tuple[int, str]]:
    """Return (line, text) of every command shown: code spans, and lines of fenced or indented blocks."""
    lines = text_of(path).splitlines()
    blocks, fenced = [], False
    for number, line in enumerate(lines, 1):
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            blocks.append((number, re.sub(r"^\s*(?:\$ )?(?:sudo )?(?:\.venv/bin/)?", "", line)))
    return [*spans(path), *blocks]


@cache
def symbols(path: Path) -> set[str]:
    """Return the names that a Python file defines: functions, classes, constants, `Class.member`."""
    found = set()

    def visit(body: Sequence[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(prefix + node.name)
                if isinstance(node, ast.ClassDef):
                    visit(node.body, f"{prefix}{node.name}.")
                    found.update(
                        f"{prefix}{node.name}.{one.attr}"
                        for one in ast.walk(node)
                        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "self"
                    )
            elif isinstance(node, ast.Assign):
                found.update(prefix + one.id for one in node.targets if isinstance(one, ast.Name))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(prefix + node.target.id)

    visit(ast.parse(text_of(path)).body, "")
    return found


def is_there(text: str) -> bool:
    """Return whether a path, a test of a file (`path::test`) or a pattern of paths exists below the root."""
    place = ROOT / text.partition("::")[0]
    return place.exists() or ("*" in text and any(ROOT.glob(text)))


@cache
def entries(path: Path) -> dict[str, tuple[str, str]]:
    """Return {id: (title, text)} of a list of assumptions, in order."""
    text = text_of(path)
    found = list(_ENTRY.finditer(text))
    ends = [*(match.start() for match in found[1:]), len(text)]
    return {
        match[1] + match[2]: (match[3], text[match.end() : end].split("\n## ")[0])
        for match, end in zip(found, ends, strict=True)
    }


@cache
def assumption_ids() -> set[str]:
    return {key for path in ASSUMPTIONS for key in entries(path)}
