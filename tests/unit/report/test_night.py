"""Many runs on one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from keyroll.cli.main import keyroll
from keyroll.errors import InputError
from keyroll.report.night import add_to_night, changes, finish_night, headline, night_markdown, night_page, read_night
from keyroll.report.run import load_run


def run(
    root: Path,
    name: str,
    verdict: str | None,
    *,
    lab: str | None = None,
    seconds: float = 3.0,
    mutation: str | None = None,
    killed: bool | None = None,
) -> Path:
    folder = root / f"2026-{name}-{lab or 'emulated'}-{len(list(root.glob('*'))) if root.is_dir() else 0}"
    folder.mkdir(parents=True)
    data = {"scenario": name, "variant": None, "mutation": mutation, "seed": 1, "again": f"keyroll run {name}"}
    (folder / "run.json").write_text(json.dumps(data | {"lab": lab or "emulated"}))
    if verdict is not None:
        receipt = {"name": mutation, "killed": killed} if mutation else None
        result: dict[str, Any] = {
            "verdict": verdict,
            "reason": None,
            "mutation": receipt,
            "seconds": {"total": seconds},
            "checks": [],
        }
        (folder / "result.json").write_text(json.dumps(result))
    return folder


def test_red_runs_come_first_and_the_headline_counts_all_runs(tmp_path: Path) -> None:
    run(tmp_path, "a", "passed")
    run(tmp_path, "b", "failed")
    run(tmp_path, "c", "skipped", lab="crpd 24.2R1.14")
    run(tmp_path, "d", None)
    night = read_night(tmp_path)
    assert night.scenarios == ["b", "d", "c", "a"]
    assert night.labs == ["crpd 24.2R1.14", "emulated"]
    assert headline(night) == "RED  4 runs: 1 failed, 1 killed, 1 skipped, 1 passed"


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (("passed", "known-bug"), "GREEN  2 runs: 1 known-bug, 1 passed"),
        (("passed", "unfit"), "NOT ALL JUDGED  2 runs: 1 unfit, 1 passed"),
        (("broken", None), "NOT ALL JUDGED  2 runs: 1 broken, 1 killed"),
        (("failed", "unfit"), "RED  2 runs: 1 failed, 1 unfit"),
        (("skipped",), "NOTHING PLAYED  1 run: 1 skipped"),
    ],
)
def test_what_could_not_be_judged_is_neither_green_nor_red(
    tmp_path: Path, verdicts: tuple[str | None, ...], sentence: str
) -> None:
    for name, verdict in zip("ab", verdicts, strict=False):
        run(tmp_path, name, verdict)
    night = read_night(tmp_path)
    assert headline(night) == sentence
    tone = {"GREEN": "passed", "RED": "failed"}.get(sentence.split("  ", maxsplit=1)[0], "unfit")
    assert f'<header class="verdict {tone}">' in night_page(night, {})


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"scenario": 7}', "\ufeff"])
def test_a_damaged_run_is_listed_and_hides_no_other(tmp_path: Path, text: str) -> None:
    run(tmp_path / "runs", "a", "passed")
    (run(tmp_path / "runs", "b", "passed") / "run.json").write_text(text)
    words = ["report", "--index", str(tmp_path / "runs"), "-o", str(tmp_path / "night")]
    told = CliRunner().invoke(keyroll, words)
    assert told.exit_code == 0, told.output
    assert told.output.startswith("NOT ALL JUDGED  2 runs: 1 damaged, 1 passed")
    assert len(list((tmp_path / "night").glob("*.html"))) == 2
    with pytest.raises(InputError):
        load_run(next((tmp_path / "runs").glob("*-b-*")))


def test_a_mutation_that_was_killed_is_green_and_one_that_survived_is_red(tmp_path: Path) -> None:
    run(tmp_path, "a", "failed", mutation="other-secret", killed=True)
    run(tmp_path, "b", "passed", mutation="other-secret", killed=False)
    night = read_night(tmp_path)
    assert {cell.scenario: cell.verdict for cell in night.cells.values()} == {
        "a~other-secret": "passed",
        "b~other-secret": "failed",
    }


@pytest.mark.parametrize("verdict", ["broken", "unfit", "interrupted"])
def test_a_mutation_whose_run_is_not_judged_is_not_green(tmp_path: Path, verdict: str) -> None:
    run(tmp_path, "a", verdict, mutation="other-secret", killed=True)
    (cell,) = read_night(tmp_path).cells.values()
    assert cell.verdict == verdict


def test_only_the_last_run_of_a_scenario_counts(tmp_path: Path) -> None:
    run(tmp_path, "a", "unfit")
    run(tmp_path, "a", "passed")
    (cell,) = read_night(tmp_path).cells.values()
    assert (cell.verdict, cell.played) == ("passed", 2)


def test_what_changed_since_an_earlier_night_is_listed(tmp_path: Path) -> None:
    before, now = tmp_path / "before", tmp_path / "now"
    for name, old, new, seconds in (
        ("red", "passed", "failed", 3.0),
        ("green", "failed", "passed", 3.0),
        ("slow", "passed", "passed", 30.0),
        ("same", "passed", "passed", 3.5),
        ("left", "passed", "skipped", 3.0),
    ):
        run(before, name, old)
        run(now, name, new, seconds=seconds)
    run(before, "gone", "passed")
    told = {change.cell.scenario: change.words for change in changes(read_night(now), read_night(before))}
    assert told == {
        "red": "newly failed (was passed)",
        "green": "newly passed (was failed)",
        "left": "no longer played: skipped (was passed)",
        "slow": "slower: 30 s (was 3 s)",
        "gone": "not played this time",
    }


def test_a_night_read_from_its_index_equals_the_one_read_from_its_runs(tmp_path: Path) -> None:
    folder = run(tmp_path / "runs", "a", "failed")
    made = CliRunner().invoke(keyroll, ["report", "--index", str(tmp_path / "runs"), "-o", str(tmp_path / "night")])
    assert made.exit_code == 0, made.output
    page = (tmp_path / "night" / "index.html").read_text()
    assert f'<a href="{folder.name}.html">failed</a>' in page
    assert (tmp_path / "night" / f"{folder.name}.html").is_file()
    stored = read_night(tmp_path / "night")
    assert list(stored.cells.values()) == list(read_night(tmp_path / "runs").cells.values())


def test_runs_of_one_name_in_two_folders_have_a_page_each(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = run(tmp_path / "runs" / name, name, "passed")
        folder.rename(folder.with_name("index"))
    made = CliRunner().invoke(keyroll, ["report", "--index", str(tmp_path / "runs"), "-o", str(tmp_path / "night")])
    assert made.exit_code == 0, made.output
    names = sorted(path.name for path in (tmp_path / "night").glob("*.html"))
    assert names == ["index-2.html", "index-3.html", "index.html"]
    page = (tmp_path / "night" / "index.html").read_text()
    assert all(f'<a href="index-{number}.html">passed</a>' in page for number in (2, 3))


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run folder in"):
        read_night(tmp_path)


def test_the_summary_for_a_pull_request_names_what_is_not_green(tmp_path: Path) -> None:
    run(tmp_path, "a", "failed")
    run(tmp_path, "b", "passed")
    text = night_markdown(read_night(tmp_path))
    assert "| a | emulated | failed |" in text
    assert "| b |" not in text


def test_runs_are_added_to_a_night_one_by_one_and_it_is_finished_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        add_to_night(tmp_path / "night", run(tmp_path / "runs", name, "passed"))
    night = finish_night(tmp_path / "night")
    assert night.counts() == {"passed": 2}
    assert sorted(path.suffix for path in (tmp_path / "night").iterdir()) == [".html", ".html", ".html", ".json"]
    assert read_night(tmp_path / "night").cells == night.cells


def test_nights_of_several_machines_become_one_with_their_pages(tmp_path: Path) -> None:
    for part, names in (("suite-1", ("a", "b")), ("suite-2", ("b", "c"))):
        for name in names:
            add_to_night(
                tmp_path / "parts" / part / "night", run(tmp_path / part, name, "failed" if name == "c" else "passed")
            )
        finish_night(tmp_path / "parts" / part / "night")
    words = ["report", "--index", str(tmp_path / "parts"), "-o", str(tmp_path / "night")]
    told = CliRunner().invoke(keyroll, words)
    assert told.output.startswith("RED  3 runs: 1 failed, 2 passed"), told.output
    pages = [path for path in (tmp_path / "night").glob("*.html") if path.name != "index.html"]
    assert len(pages) == 3
    index = (tmp_path / "night" / "index.html").read_text()
    assert all(f'href="{page.name}"' in index for page in pages)
    assert "played 2 times" in index, "b was played on both"
    again = read_night(tmp_path / "night")
    assert all(Path(cell.page).is_file() for cell in again.cells.values())


def test_a_run_that_is_there_as_a_folder_and_in_a_night_counts_once(tmp_path: Path) -> None:
    add_to_night(tmp_path / "runs" / "night", run(tmp_path / "runs", "a", "passed"))
    finish_night(tmp_path / "runs" / "night")
    (cell,) = read_night(tmp_path / "runs").cells.values()
    assert cell.played == 1


def test_a_night_json_cannot_link_to_files_outside_its_folder(tmp_path: Path) -> None:
    secret = tmp_path / "secret.html"
    secret.write_text("mine")
    folder = tmp_path / "night"
    folder.mkdir()
    cell = dict.fromkeys(("scenario", "lab", "reason", "folder", "again"), "x")
    for page in ("../secret.html", str(secret)):
        cells = [{**cell, "verdict": "failed", "seconds": 1.0, "page": page}]
        (folder / "night.json").write_text(json.dumps({"format": 1, "cells": cells}))
        (found,) = read_night(folder).cells.values()
        assert found.page == ""


def test_the_reason_of_a_red_run_is_the_check_that_names_the_cause(tmp_path: Path) -> None:
    folder = run(tmp_path, "a", "failed")
    checks = [
        {"name": name, "router": "R1", "passed": False, "observed": observed}
        for name, observed in (("no-flap", "bgp: Idle"), ("every-segment-verified", "first: packet 32 of R1.pcap"))
    ]
    (folder / "result.json").write_text(json.dumps({"verdict": "failed", "checks": checks}))
    (cell,) = read_night(tmp_path).cells.values()
    assert cell.reason == "every-segment-verified R1: first: packet 32 of R1.pcap (and 1 more red checks)"
