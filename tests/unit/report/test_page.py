"""The page of a run as text: its content, and that hostile input is escaped."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest
from click.testing import CliRunner
from tests.unit.report.conftest import Folder

from keyroll.cli.main import keyroll
from keyroll.errors import InputError
from keyroll.report.markdown import run_markdown
from keyroll.report.page import run_page
from keyroll.report.run import load_run


@pytest.mark.parametrize(
    "verdict", ["passed", "failed", "unfit", "broken", "interrupted", "skipped", "known-bug", None]
)
def test_the_verdict_on_the_page_is_that_of_the_result(folder: Folder, verdict: str | None) -> None:
    folder.usual()
    folder.check(4.6, "no-flap", "R1", passed=verdict != "failed")
    page = run_page(load_run(folder.write(verdict)))
    assert f"<h1>{(verdict or 'killed').upper()}  x: " in page


def test_the_reason_of_an_unfit_run_is_at_the_top(folder: Folder) -> None:
    folder.usual()
    page = run_page(load_run(folder.write("unfit", reason="the machine was too busy")))
    assert page.index("the machine was too busy") < page.index("Timeline")


def test_hostile_names_and_outputs_are_escaped(folder: Folder) -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[2J\x07"
    folder.names = ("R1", hostile)
    folder.usual()
    folder.check(4.6, hostile, hostile, passed=False, observed=hostile)
    folder.outputs([folder.answer(4, hostile, "show " + hostile, hostile)])
    page = run_page(load_run(folder.write("failed", title=hostile, reason=hostile)))
    assert page.count("<script>") == 1, "our own"
    assert "<img" not in page
    assert "\x1b" not in page
    assert "␛[2J" in page


def test_the_policy_allows_the_pages_own_script_and_style_and_no_request(folder: Folder) -> None:
    page = run_page(load_run(folder.write()))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    words = policy[1].replace("&#39;", "'")
    assert words.startswith("default-src 'none'; ")
    for tag, source in (("style", "style-src"), ("script", "script-src")):
        text = re.search(f"<{tag}>(.*)</{tag}>", page, re.DOTALL)
        assert text
        digest = base64.b64encode(hashlib.sha256(text[1].encode()).digest()).decode()
        assert f"{source} 'sha256-{digest}'" in words
    assert not re.search(r'(?:src|href)="(?!#)', page), "nothing is loaded and no link leaves"


def test_the_same_folder_gives_the_same_bytes(folder: Folder) -> None:
    folder.usual()
    path = folder.write()
    assert run_page(load_run(path)) == run_page(load_run(path))


def test_a_long_output_is_cut_and_its_file_is_named(folder: Folder) -> None:
    folder.usual()
    folder.check(4.6, "no-flap", "R1", passed=False)
    folder.outputs([folder.answer(4, "R1", "show bgp neighbor", "x" * 50 + "\n" + "line\n" * 10_000)])
    page = run_page(load_run(folder.write("failed")))
    assert len(page) < 60_000
    assert "more characters are in exchanges.jsonl" in page


def test_ten_minutes_of_samples_stay_below_two_megabytes(folder: Folder) -> None:
    folder.usual()
    for second in range(600):
        for router in folder.names:
            folder.event(6 + second, "command", "show bgp summary", router)
            folder.event(6.5 + second, "session", f"bgp Established, {second} flaps", router)
    answers = [
        folder.answer(6 + tick / 4, router, "show bgp summary", "x" * 600)
        for tick in range(2400)
        for router in folder.names
    ]
    folder.outputs(answers)
    assert len(run_page(load_run(folder.write()))) < 2_000_000


def test_a_folder_that_holds_no_run_is_refused() -> None:
    result = CliRunner().invoke(keyroll, ["report", "/nonexistent"], standalone_mode=False)
    assert isinstance(result.exception, InputError)
    assert "is not a run folder" in str(result.exception)


def test_a_damaged_timeline_names_its_line(folder: Folder) -> None:
    path = folder.write()
    (path / "timeline.jsonl").write_text('{"at": "2026-12-01T02:00:00+00:00", "after": 0}\n{"at"\n')
    with pytest.raises(InputError, match=r"timeline\.jsonl:2: damaged"):
        load_run(path)


def test_a_cut_off_last_line_does_not_make_a_timeline_damaged(folder: Folder) -> None:
    folder.usual()
    path = folder.write(None)
    with (path / "timeline.jsonl").open("a") as stream:
        stream.write('{"at": "2026')
    assert load_run(path).verdict == "killed"


def test_markdown_shows_every_character_and_starts_no_construct(folder: Folder) -> None:
    folder.usual()
    folder.check(4.6, "no-flap", "R1", passed=False, observed="a | b\n# c <b>*d*</b> [e](f)")
    text = run_markdown(load_run(folder.write("failed")))
    (row,) = [line for line in text.splitlines() if "no-flap" in line]
    assert r"a \| b \# c \<b\>\*d\*\</b\> \[e\](f)" in row


def test_the_command_writes_the_page_into_the_folder(folder: Folder) -> None:
    folder.usual()
    path = folder.write()
    result = CliRunner().invoke(keyroll, ["report", str(path)])
    assert result.exit_code == 0, result.output
    assert (path / "report.html").read_text().startswith("<!doctype html>")
    assert result.output.splitlines()[0] == "PASSED  x: 0 of 0 checks hold, 6.0 s"


def test_the_page_shows_the_command_of_run_json(folder: Folder) -> None:
    folder.usual()
    path = folder.write()
    assert json.loads((path / "run.json").read_text())["again"] in run_page(load_run(path))
