"""The paths, links, symbols, scenarios, assumptions and sections of docs/junos.md that documents name exist.

`test_documented_commands.py` checks commands, options and make targets.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from pathlib import Path

from tests.unit.documents import (
    ASSUMPTIONS,
    DOCUMENTS,
    FOLDERS,
    LIBRARY,
    ROOT,
    SOURCES,
    assumption_ids,
    classes,
    entries,
    is_there,
    name_of,
    no_fault_in,
    prose,
    spans,
    symbols,
    text_of,
)

# Labels of a topology's nodes, not modules.
LABELS = {
    f"keyroll.{name}"
    for name in ("sending", "receiving", "repoint", "alteration", "deletion", "folder", "host", "lab", "owner", "run")
}
FIELDS = ("Assumed", "Code", "Scenario")
TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)


def scenario_of(span: str) -> str | None:
    """Return the file of a scenario that a span names (`rollover/two-keys`); None if it names none."""
    found = re.fullmatch(r"([a-z]+)/([a-z0-9*-]+?)(?:\.yaml)?", span)
    if found is None or not (LIBRARY / found[1]).is_dir():
        return None
    return f"{found[1]}/{found[2]}.yaml"


@no_fault_in(DOCUMENTS)
def test_every_path_that_is_named_exists(path: Path) -> Collection[object]:
    named = [
        (line, span)
        for line, span in spans(path)
        if re.fullmatch(r"\.?[\w.*-]+(?:/[\w.*:-]+)*/?", span) and span.split("/")[0] in FOLDERS and "/" in span
    ]
    return [(line, span) for line, span in named if not is_there(span)]


@no_fault_in(DOCUMENTS)
def test_every_link_leads_somewhere(path: Path) -> Collection[object]:
    targets = re.findall(r"\]\(([^)\s]+)\)", text_of(path))
    broken = []
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)
    return broken


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@no_fault_in(DOCUMENTS)
def test_every_module_and_symbol_that_is_named_exists(path: Path) -> Collection[object]:
    dotted = [(line, span) for line, span in spans(path) if re.fullmatch(r"(?:keyroll|pytest_keyroll)(?:\.\w+)+", span)]
    return [(line, span) for line, span in dotted if span not in LABELS and not resolves(span)]


def resolves(dotted: str) -> bool:
    parts = dotted.split(".")
    base = ROOT / ("harness" if parts[0] == "keyroll" else "fixtures")
    for length in range(len(parts), 0, -1):
        place = base.joinpath(*parts[:length])
        module = place.with_suffix(".py") if place.with_suffix(".py").exists() else place / "__init__.py"
        if module.exists():
            rest = ".".join(parts[length:])
            return not rest or rest in symbols(module)
    return False


@no_fault_in(DOCUMENTS)
def test_every_scenario_that_is_named_exists(path: Path) -> Collection[object]:
    named = [(line, found) for line, span in spans(path) if (found := scenario_of(span)) is not None]
    return [(line, found) for line, found in named if not any(LIBRARY.glob(found))]


def test_the_table_of_rooms_has_every_room() -> None:
    table = (ROOT / "docs/architecture.md").read_text().partition("## The rooms")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`harness/keyroll/([\w.]+?)/?`", table))
    places = (ROOT / "harness/keyroll").iterdir()
    there = {place.name for place in places if place.suffix == ".py" or (place / "__init__.py").exists()}
    assert listed == there - {"__init__.py", "_version.py"}


def test_sections_of_the_page_about_junos_exist() -> None:
    rows = re.findall(r"^\| ([\d., ]+) \|", (ROOT / "docs/junos.md").read_text(), re.MULTILINE)
    sections = {section.strip() for row in rows for section in row.split(",")}
    named = [
        (name_of(path), section)
        for path in [*DOCUMENTS, *SOURCES]
        for section in re.findall(r"docs/junos\.md\)? \(?(\d+(?:\.\d+)?)", text_of(path))
    ]
    assert [(name, section) for name, section in named if section not in sections] == []


# -- assumptions -------------------------------------------------------------------------------------------------------


def field(text: str, name: str) -> str | None:
    match = re.search(rf"^- {name}: (.*?)(?=^- |\Z)", text, re.MULTILINE | re.DOTALL)
    return None if match is None else " ".join(match[1].split())


def test_every_list_of_assumptions_is_in_the_overview_with_its_letter() -> None:
    overview = (ROOT / "docs/assumptions.md").read_text()
    rows = dict(re.findall(r"^\| ([A-Z]) \| \[[\w-]+\]\(assumptions/([\w-]+\.md)\)", overview, re.MULTILINE))
    assert {path.name: {key[0] for key in entries(path)} for path in ASSUMPTIONS} == {
        file: {letter} for letter, file in rows.items()
    }


@no_fault_in(ASSUMPTIONS)
def test_assumptions_are_numbered_and_have_every_field(path: Path) -> Collection[object]:
    numbers = [int(key[1:]) for key in entries(path)]
    assert numbers == sorted(set(numbers)), path
    text = text_of(path)
    assert len(re.findall(r"^### ", text, re.MULTILINE)) == len(numbers), path
    return [(key, name) for key, (_, body) in entries(path).items() for name in FIELDS if field(body, name) is None]


@no_fault_in(ASSUMPTIONS)
def test_the_code_that_an_assumption_names_exists(path: Path) -> Collection[object]:
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
    return wrong


@no_fault_in(ASSUMPTIONS)
def test_the_scenario_or_test_that_an_assumption_names_exists(path: Path) -> Collection[object]:
    wrong: list[tuple[object, ...]] = []
    for key, (_, body) in entries(path).items():
        text = field(body, "Scenario") or ""
        named = re.findall(r"`([^`]+)`", text)
        known = [span for span in named if scenario_of(span) or (span.split("/")[0] in FOLDERS and is_there(span))]
        if not text.startswith(("none", "all")) and not known:
            wrong.append((key, text))
    return wrong


def test_every_assumption_that_is_named_exists() -> None:
    known = assumption_ids()
    missing = []
    for path in [*DOCUMENTS, *SOURCES]:
        for listed in re.findall(r"\bassumptions? ([A-Z]\d+(?:(?:, | and )[A-Z]\d+)*)", text_of(path)):
            missing += [(name_of(path), key) for key in re.findall(r"[A-Z]\d+", listed) if key not in known]
    assert missing == []


@no_fault_in(DOCUMENTS)
def test_every_id_of_an_assumption_that_is_named_exists(path: Path) -> Collection[object]:
    # docs/junos.md numbers its sources S1 to S10; elsewhere the letter of a list with a number is an assumption.
    letters = "".join(sorted({key[0] for key in assumption_ids()} - ({"S"} if path.name == "junos.md" else set())))
    named = re.findall(rf"(?<![\w-])([{letters}]\d+)(?![\w-])", re.sub(r"`[^`]+`", "", prose(path)))
    return [key for key in named if key not in assumption_ids()]


@no_fault_in(DOCUMENTS)
def test_every_decision_that_is_named_by_its_number_exists(path: Path) -> Collection[object]:
    named = re.findall(r"\bdecisions? (\d{4})", prose(path))
    return [number for number in named if not any((ROOT / "docs/decisions").glob(f"{number}-*.md"))]


@no_fault_in(DOCUMENTS)
def test_every_section_that_is_named_beside_its_page_exists(path: Path) -> Collection[object]:
    named = re.findall(r'\]\(([^)#\s]+\.md)\),? "([^"]+)"', re.sub(r"\s+", " ", prose(path)))
    return [
        (page, title)
        for page, title in named
        if not re.search(rf"^#+ .*{re.escape(title)}", (path.parent / page).read_text(), re.MULTILINE)
    ]


@no_fault_in(DOCUMENTS)
def test_every_python_file_and_room_that_is_named_without_its_folder_exists(path: Path) -> Collection[object]:
    named = [
        (line, span)
        for line, span in spans(path)
        if re.fullmatch(r"(?:[\w-]+/)*\w+\.py", span)
        or (re.fullmatch(r"(?:\w+/)+", span) and span.partition("/")[0] in rooms())
    ]
    return [(line, span) for line, span in named if not anywhere(span)]


@cache
def rooms() -> set[str]:
    return {place.name for place in (ROOT / "harness/keyroll").iterdir() if place.is_dir()}


def anywhere(text: str) -> bool:
    wanted = "/" + text.rstrip("/")
    return any(file.endswith(wanted) or (text.endswith("/") and f"{wanted}/" in file) for file in python_files())


@cache
def python_files() -> list[str]:
    return [f"/{name_of(file)}" for file in [*SOURCES, *(ROOT / "bench").glob("*.py"), *(ROOT / "docs").rglob("*.py")]]


@no_fault_in(DOCUMENTS)
def test_every_member_of_a_class_that_is_named_exists(path: Path) -> Collection[object]:
    named = [(line, span) for line, span in spans(path) if re.fullmatch(r"[A-Z]\w*[a-z]\w*\.\w+", span)]
    return [(line, span) for line, span in named if not is_member(span)]


def is_member(text: str) -> bool:
    # Only the files that define the class are parsed: parsing all of them takes seconds.
    return any(text in symbols(file) for file in classes().get(text.partition(".")[0], ()))


@no_fault_in(DOCUMENTS)
def test_every_test_that_is_named_exists(path: Path) -> Collection[object]:
    named = [(line, span) for line, span in spans(path) if re.fullmatch(r"test_\w+…?", span)]
    return [(line, span) for line, span in named if not is_test(span)]


def is_test(text: str) -> bool:
    return any(one.startswith(text[:-1]) for one in known_tests()) if text.endswith("…") else text in known_tests()


@cache
def known_tests() -> set[str]:
    return {test for file in SOURCES for test in TEST.findall(text_of(file))}
