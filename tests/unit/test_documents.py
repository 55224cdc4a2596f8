"""What the documents name is there: paths, links, symbols, scenarios, assumptions, sections of docs/junos.md."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The changelog and the notes for upgrading name what is gone.
HISTORY = {"CHANGELOG.md", "docs/upgrade.md"}
DOCUMENTS = [
    path
    for path in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
    if str(path.relative_to(ROOT)) not in HISTORY
]
SOURCES = [path for folder in ("harness", "fixtures", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
ASSUMPTIONS = sorted((ROOT / "docs/assumptions").glob("*.md"))
FOLDERS = ("harness", "fixtures", "tests", "docs", "topologies", "image", "bench", ".ci", ".github")
LIBRARY = ROOT / "tests/scenarios"
# Labels of a topology's nodes, not modules.
LABELS = {
    f"keyroll.{name}"
    for name in ("sending", "receiving", "repoint", "alteration", "deletion", "folder", "host", "lab", "owner", "run")
}
ENTRY = re.compile(r"^### ([A-Z])(\d+) (.+)$", re.MULTILINE)
FIELDS = ("Assumed", "Code", "Scenario")


def name_of(path):
    return str(path.relative_to(ROOT))


@cache
def spans(path):
    """Return (line, text) of every code span outside of fenced blocks."""
    fenced = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
    text = fenced.sub(lambda block: "\n" * block[0].count("\n"), path.read_text())
    return [
        (number, span) for number, line in enumerate(text.splitlines(), 1) for span in re.findall(r"`([^`]+)`", line)
    ]


def documents(test):
    return pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)(test)


@cache
def symbols(path):
    """Return the names that a Python file defines: functions, classes, constants, `Class.member`."""
    found = set()

    def visit(body, prefix):
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

    visit(ast.parse(path.read_text()).body, "")
    return found


def is_there(text):
    place = ROOT / text.partition("::")[0]
    return place.exists() or ("*" in text and any(ROOT.glob(text)))


def scenario_of(span):
    """Return the file of a scenario that a span names (`rollover/two-keys`); None where it names none."""
    found = re.fullmatch(r"([a-z]+)/([a-z0-9*-]+?)(?:\.yaml)?", span)
    if found is None or not (LIBRARY / found[1]).is_dir():
        return None
    return f"{found[1]}/{found[2]}.yaml"


@documents
def test_every_path_that_is_named_exists(path) -> None:
    named = [
        (line, span)
        for line, span in spans(path)
        if re.fullmatch(r"\.?[\w.*-]+(?:/[\w.*:-]+)*/?", span) and span.split("/")[0] in FOLDERS and "/" in span
    ]
    assert [(line, span) for line, span in named if not is_there(span)] == []


@documents
def test_every_link_leads_somewhere(path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", path.read_text())
    broken = []
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)
    assert broken == []


def anchors(path):
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@documents
def test_every_module_and_symbol_that_is_named_exists(path) -> None:
    dotted = [(line, span) for line, span in spans(path) if re.fullmatch(r"(?:keyroll|pytest_keyroll)(?:\.\w+)+", span)]
    assert [(line, span) for line, span in dotted if span not in LABELS and not resolves(span)] == []


def resolves(dotted):
    parts = dotted.split(".")
    base = ROOT / ("harness" if parts[0] == "keyroll" else "fixtures")
    for length in range(len(parts), 0, -1):
        place = base.joinpath(*parts[:length])
        module = place.with_suffix(".py") if place.with_suffix(".py").exists() else place / "__init__.py"
        if module.exists():
            rest = ".".join(parts[length:])
            return not rest or rest in symbols(module)
    return False


@documents
def test_every_scenario_that_is_named_exists(path) -> None:
    named = [(line, found) for line, span in spans(path) if (found := scenario_of(span)) is not None]
    assert [(line, found) for line, found in named if not any(LIBRARY.glob(found))] == []


@documents
def test_every_make_target_that_is_named_exists(path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = [(line, found[1]) for line, span in spans(path) if (found := re.match(r"make ([a-z-]+)", span))]
    assert [(line, target) for line, target in named if target not in targets] == []


@pytest.mark.parametrize("path", [*DOCUMENTS, *SOURCES], ids=name_of)
def test_sections_of_the_page_about_junos_exist(path) -> None:
    rows = re.findall(r"^\| ([\d., ]+) \|", (ROOT / "docs/junos.md").read_text(), re.MULTILINE)
    sections = {section.strip() for row in rows for section in row.split(",")}
    named = re.findall(r"docs/junos\.md\)? \(?(\d+(?:\.\d+)?)", path.read_text())
    assert [section for section in named if section not in sections] == []


# -- assumptions -------------------------------------------------------------------------------------------------------


@cache
def entries(path):
    """Return {id: (title, text)} of a list of assumptions, in order."""
    text = path.read_text()
    found = list(ENTRY.finditer(text))
    ends = [*(match.start() for match in found[1:]), len(text)]
    return {
        match[1] + match[2]: (match[3], text[match.end() : end].split("\n## ")[0])
        for match, end in zip(found, ends, strict=True)
    }


def field(text, name):
    match = re.search(rf"^- {name}: (.*?)(?=^- |\Z)", text, re.MULTILINE | re.DOTALL)
    return None if match is None else " ".join(match[1].split())


def test_every_list_of_assumptions_is_in_the_overview_with_its_letter() -> None:
    overview = (ROOT / "docs/assumptions.md").read_text()
    rows = dict(re.findall(r"^\| ([A-Z]) \| \[[\w-]+\]\(assumptions/([\w-]+\.md)\)", overview, re.MULTILINE))
    assert {path.name: {key[0] for key in entries(path)} for path in ASSUMPTIONS} == {
        file: {letter} for letter, file in rows.items()
    }


@pytest.mark.parametrize("path", ASSUMPTIONS, ids=name_of)
def test_assumptions_are_numbered_and_say_what_they_have_to(path) -> None:
    numbers = [int(key[1:]) for key in entries(path)]
    assert numbers == sorted(set(numbers))
    text = path.read_text()
    assert len(re.findall(r"^### ", text, re.MULTILINE)) == len(numbers)
    lacking = [(key, name) for key, (_, body) in entries(path).items() for name in FIELDS if field(body, name) is None]
    assert lacking == []


@pytest.mark.parametrize("path", ASSUMPTIONS, ids=name_of)
def test_the_code_of_an_assumption_is_where_it_says(path) -> None:
    wrong: list[tuple[object, ...]] = []
    for key, (_, body) in entries(path).items():
        named = re.findall(r"`([^`]+)`(?:\s\(((?:`[^`]+`(?:, | and )?)+)\))?", field(body, "Code") or "")
        files = [file for file, _ in named]
        wrong += [(key, file) for file in files if not is_there(file)]
        for file, listed in named:
            if file.endswith(".py") and is_there(file):
                wanted = re.findall(r"`([^`]+)`", listed)
                wrong += [(key, file, one) for one in wanted if one not in symbols(ROOT / file)]
        if not files:
            wrong.append((key, "no file"))
    assert wrong == []


@pytest.mark.parametrize("path", ASSUMPTIONS, ids=name_of)
def test_what_depends_on_an_assumption_can_be_found(path) -> None:
    wrong: list[tuple[object, ...]] = []
    for key, (_, body) in entries(path).items():
        text = field(body, "Scenario") or ""
        named = re.findall(r"`([^`]+)`", text)
        known = [span for span in named if scenario_of(span) or (span.split("/")[0] in FOLDERS and is_there(span))]
        if not text.startswith(("none", "all")) and not known:
            wrong.append((key, text))
    assert wrong == []


def test_every_assumption_that_is_named_exists() -> None:
    known = {key for path in ASSUMPTIONS for key in entries(path)}
    missing = []
    for path in [*DOCUMENTS, *SOURCES]:
        for listed in re.findall(r"\bassumptions? ([A-Z]\d+(?:(?:, | and )[A-Z]\d+)*)", path.read_text()):
            missing += [(name_of(path), key) for key in re.findall(r"[A-Z]\d+", listed) if key not in known]
    assert missing == []
