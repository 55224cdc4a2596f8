"""The library of scenarios as a whole: readable, sourced, breakable, catalogued."""

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
    return path.relative_to(LIBRARY).with_suffix("").as_posix()


@functools.cache
def cases_of(path: Path) -> tuple[Case, ...]:
    """Return the cases of a file, which is read once for all tests."""
    return read_cases(path)


@pytest.mark.parametrize("path", FILES, ids=_name)
class TestEveryFile:
    def test_is_read(self, path):
        assert is_scenario(path)
        assert cases_of(path)

    def test_says_where_it_comes_from(self, path):
        for case in cases_of(path):
            assert case.scenario.source, "source: a document, an RFC section, a public bug"

    def test_can_turn_red_or_says_why_not(self, path):
        for case in cases_of(path):
            assert bool(case.scenario.mutations) != bool(NO_MUTATION.search(path.read_text(encoding="utf-8")))

    def test_names_assumptions_that_are_there(self, path):
        for page, entry in ASSUMPTION.findall(path.read_text(encoding="utf-8")):
            text = (ROOT / "docs" / "assumptions" / f"{page}.md").read_text(encoding="utf-8")
            assert not entry or f"## {entry} " in text

    def test_waits_for_what_it_does(self, path):
        """An action that nothing is expected after, of a run or throughout it, would prove nothing."""
        for case in cases_of(path):
            expecting = [step.checks() for step in case.scenario.steps]
            assert case.scenario.throughout or expecting[-1]


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".yaml"], ids=_name)
def test_every_shipped_scenario_declares_mutations(path):
    assert all(case.scenario.mutations for case in cases_of(path))


def test_ids_are_unique():
    counts = Counter(case.name for path in FILES for case in cases_of(path))
    assert [name for name, count in counts.items() if count > 1] == []


def test_there_are_forty_files_and_a_hundred_cases():
    assert len(FILES) >= 40
    assert sum(len(cases_of(path)) for path in FILES) >= 100


def test_the_catalogue_is_what_the_files_say(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(catalogue, "read_cases", lambda path: cases_of(ROOT / path))
    files = [path.relative_to(ROOT) for path in FILES]
    kept = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
    assert kept == markdown(read_entries(files), beside=Path("docs")), "keyroll list --markdown > docs/scenarios.md"


@pytest.mark.parametrize("page", ["scenarios.md", "field-bugs.md", "scenario-file.md"])
def test_links_lead_to_files(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
