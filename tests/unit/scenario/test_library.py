"""Every scenario file of the library is valid, names its source, has mutations and is in the catalogue."""

from __future__ import annotations

import functools
import re
from collections import Counter
from pathlib import Path

import pytest

from keyroll.cli import catalogue
from keyroll.cli.catalogue import markdown, read_entries
from keyroll.scenario.file.read import Case, is_scenario, read_cases

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = ROOT / "tests" / "scenarios"
FILES = sorted(path for path in LIBRARY.rglob("*.y*ml"))
NO_MUTATION = re.compile(r"^# no mutation: \S.{20,}$", re.MULTILINE)
ASSUMPTION = re.compile(r"docs/assumptions/([a-z-]+)\.md(?: ([A-Z]\d+))?")


def _name(path: Path) -> str:
    """Return the name of a file in the library, such as `rollover/two-keys`."""
    return path.relative_to(LIBRARY).with_suffix("").as_posix()


@functools.cache
def cases_of(path: Path) -> tuple[Case, ...]:
    """Return the cases of a file, which is read once for all tests."""
    return read_cases(path)


def every() -> list[tuple[str, Path, Case]]:
    """Return each case with its name and file; a file that cannot be read is an error that names its line."""
    return [(f"{_name(path)} {case.variant or ''}".strip(), path, case) for path in FILES for case in cases_of(path)]


def test_every_file_is_read() -> None:
    assert [_name(path) for path in FILES if not is_scenario(path) or not cases_of(path)] == []


def test_every_file_names_its_source() -> None:
    """A source is a document, a section of an RFC or a public bug report."""
    assert [name for name, _, case in every() if not case.scenario.source] == []


def test_every_file_has_mutations_or_says_why_not() -> None:
    says_why = {path for path in FILES if NO_MUTATION.search(path.read_text(encoding="utf-8"))}
    assert [name for name, path, case in every() if bool(case.scenario.mutations) == (path in says_why)] == []


def test_every_file_names_assumptions_that_exist() -> None:
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "assumptions").glob("*.md")}
    named = [(_name(path), *found) for path in FILES for found in ASSUMPTION.findall(path.read_text(encoding="utf-8"))]
    missing = [one for one in named if one[1] not in pages or (one[2] and f"## {one[2]} " not in pages[one[1]])]
    assert missing == []


def test_every_file_checks_the_effect_of_its_last_step() -> None:
    """A last step without a check, in a file without invariants, would prove nothing."""
    assert [
        name for name, _, case in every() if not case.scenario.throughout and not case.scenario.steps[-1].checks()
    ] == []


def test_every_shipped_scenario_declares_mutations() -> None:
    assert [name for name, path, case in every() if path.suffix == ".yaml" and not case.scenario.mutations] == []


def test_ids_are_unique() -> None:
    counts = Counter(case.name for path in FILES for case in cases_of(path))
    assert [name for name, count in counts.items() if count > 1] == []


def test_there_are_forty_files_and_a_hundred_cases() -> None:
    assert len(FILES) >= 40
    assert sum(len(cases_of(path)) for path in FILES) >= 100


def test_the_catalogue_is_what_the_files_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(catalogue, "read_cases", lambda path: cases_of(ROOT / path))
    files = [path.relative_to(ROOT) for path in FILES]
    kept = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
    assert kept == markdown(read_entries(files), beside=Path("docs")), "keyroll list --markdown > docs/scenarios.md"


@pytest.mark.parametrize("page", ["scenarios.md", "field-bugs.md", "scenario-file.md"])
def test_links_of_a_page_lead_to_files_that_exist(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
