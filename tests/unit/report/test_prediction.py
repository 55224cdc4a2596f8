"""The page of what `keyroll check` predicts and of what `keyroll plan` plans, made of the JSON that they write."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.unit.protected_pair import router

from keyroll.check.as_json import as_data
from keyroll.check.judge import Question, judge
from keyroll.cli.main import keyroll
from keyroll.configuration import read
from keyroll.errors import InputError
from keyroll.report.page import sheet_page
from keyroll.report.plan import plan_sheet
from keyroll.report.prediction import prediction_sheet
from keyroll.report.sheet import sheet_markdown
from keyroll.report.values import moment_of

AT = "2030-01-01T00:05:00+00:00"
HOSTILE = "</script><script>alert(1)</script><img src=x>\x1b[2J|"


def predicted(second: str = "00:30:00", *, secret: str = "quarterly") -> dict[str, object]:
    at = moment_of(AT)
    assert at is not None
    texts = (
        router("R1", "10.0.0.1", "10.0.0.2", secret=f'"{secret}"'),
        router("R2", "10.0.0.2", "10.0.0.1", start=f"2030-1-1.{second} +0000"),
    )
    both = [read(text, f"R{number}.conf") for number, text in enumerate(texts, start=1)]
    return dict(json.loads(json.dumps(as_data(judge(both, Question(at=at))))))


def typed(*words: object, text: str | None = None) -> Result:
    return CliRunner().invoke(keyroll, ["report", *map(str, words)], input=text, catch_exceptions=True)


def test_the_headline_ends_with_the_last_line_of_the_command(tmp_path: Path) -> None:
    file = tmp_path / "check.json"
    file.write_text(json.dumps(predicted()))
    told = typed(file)
    assert told.exit_code == 0, told.output
    assert told.output.splitlines()[0] == "HITLESS  R1, R2: 1 protected session: 1 ok"
    assert "<h1>HITLESS  R1, R2: 1 protected session: 1 ok</h1>" in (tmp_path / "check.html").read_text()


def test_the_page_of_standard_input_needs_a_file_name(tmp_path: Path) -> None:
    text = json.dumps(predicted())
    assert "needs a file name" in str(typed("-", text=text).exception)
    assert typed("-", "-o", tmp_path / "page.html", text=text).exit_code == 0
    assert typed("-", "--markdown", text=text).output.startswith("## HITLESS")


def test_a_rollover_that_is_not_hitless_links_to_what_is_dropped_and_names_the_line_of_the_cause() -> None:
    sheet = prediction_sheet(predicted("00:45:00"))
    assert sheet.headline == "NOT HITLESS  R1, R2: 1 protected session: 1 bad"
    assert "15 min apart, more than the tolerance of 600 s (R2.conf:" in sheet.why[0]
    page = sheet_page(sheet)
    assert '<a href="#check-1"' in page
    assert '<tr id="check-1"' in page
    assert "R1 to R2: key 1 (KeyID 3) is dropped from 2030-01-01 00:30:00 UTC to 2030-01-01 00:35:00 UTC" in page
    assert "keyroll check R1.conf R2.conf --at 2030-01-01T00:05:00Z --skew 1s" in page


def test_the_picture_shows_planned_keys_tolerance_and_drops_on_one_axis() -> None:
    picture = prediction_sheet(predicted("00:45:00")).picture
    assert picture is not None
    bars = {lane.label: [(bar.label, bar.tone, bar.outline) for bar in lane.bars] for lane in picture.lanes}
    assert bars["R2 KC planned"] == [("key 0", "k0", True), ("key 1", "k1", True)]
    assert bars["R1 KC both keys"] == [("both", "up", False)]
    assert bars["R1 to R2 dropped"] == [("dropped", "down", False)]
    start = moment_of("2030-01-01T00:45:00+00:00")
    assert start is not None
    assert next(lane for lane in picture.lanes if lane.label == "R2 KC planned").bars[1].begin == start.timestamp()


def test_a_prediction_that_is_not_known_is_never_hitless() -> None:
    sheet = prediction_sheet(predicted(secret="/* SECRET-DATA */"))
    assert sheet.headline.startswith("NOT KNOWN")
    assert sheet.tone == "unfit"
    doubtful = predicted() | {"complete": False}
    assert prediction_sheet(doubtful).headline.startswith("NOT KNOWN")
    nothing = predicted() | {"sessions": [], "pairs": []}
    assert prediction_sheet(nothing).headline.startswith("NOT KNOWN")


def test_of_several_states_the_worst_decides_and_each_has_its_section() -> None:
    states = [predicted() | {"state": "before"}, predicted("00:45:00") | {"state": "after"}]
    sheet = prediction_sheet({"version": 1, "states": states})
    assert sheet.headline == "NOT HITLESS  R1, R2: after: 1 protected session: 1 bad"
    assert [one.title for one in sheet.sections if one.title.startswith("Sess")] == [
        "Sessions before",
        "Sessions after",
    ]


def hostile(data: Mapping[str, object]) -> dict[str, object]:
    """Return the same data with every text, except instants, replaced by a hostile one."""
    return {key: _hostile(value) for key, value in data.items()}


def _hostile(data: object) -> object:
    if isinstance(data, dict):
        return hostile(data)
    if isinstance(data, list):
        return [_hostile(item) for item in data]
    return HOSTILE if isinstance(data, str) and not re.match(r"\d{4}-", data) else data


@pytest.mark.parametrize("second", ["00:30:00", "00:45:00"])
def test_hostile_texts_are_escaped_everywhere(second: str) -> None:
    sheet = prediction_sheet(hostile(predicted(second)))
    page, markdown = sheet_page(sheet), sheet_markdown(sheet)
    assert page.count("<script>") == 1, "our own"
    assert "<img" not in page
    assert "\x1b" not in page + markdown
    assert not re.search(r"(?<!\\)[<>]", markdown)


def test_damaged_json_is_a_one_line_error(tmp_path: Path) -> None:
    good = predicted("00:45:00")
    assert prediction_sheet(copy.deepcopy(good)).headline == prediction_sheet(good).headline, "it changes nothing"
    values: tuple[object, ...] = (None, 7, "x", [], [7], {}, [{}], float("inf"))
    for spoilt in values:
        for place in ("pairs", "sessions", "findings", "skew", "at", "mixes", "routers"):
            sheet_page(prediction_sheet({**good, place: spoilt}))
    file = tmp_path / "check.json"
    for text in ("", "{", "[]", "{}", '{"version": 2}', '{"scenario": "x"}'):
        file.write_text(text)
        assert isinstance(typed(file).exception, InputError), text


def plan_of(tmp_path: Path) -> Path:
    for name, own, peer in (("R1", "10.0.0.1", "10.0.0.2"), ("R2", "10.0.0.2", "10.0.0.1")):
        (tmp_path / f"{name}.conf").write_text(router(name, own, peer))
    words = ["--until", "2030-10-31", "--every", "90d", "--at", "2030-01-01T01:00Z", "-o", str(tmp_path / "plan")]
    files = [str(tmp_path / "R1.conf"), str(tmp_path / "R2.conf")]
    made = CliRunner().invoke(keyroll, ["plan", *files, *words])
    assert made.exit_code == 0, made.output
    return tmp_path / "plan"


def test_a_plan_is_a_page_without_its_secrets(tmp_path: Path) -> None:
    folder = plan_of(tmp_path)
    told = typed(folder)
    assert told.exit_code == 0, told.output
    page = (folder / "report.html").read_text()
    assert "<h1>PLAN  R1, R2 until 2030-10-31: 3 changes</h1>" in page
    assert "load set 2030-03-25/R1.set" in page
    secrets = {
        secret for file in folder.glob("*/*.set") for secret in re.findall(r'secret "?([^"\s]+)"?', file.read_text())
    }
    assert len(secrets) >= 3
    assert not any(secret in page for secret in secrets)
    assert typed(folder / "plan.json").output == told.output


def test_unknowns_of_a_plan_are_at_the_top_of_its_page(tmp_path: Path) -> None:
    data = json.loads((plan_of(tmp_path) / "plan.json").read_text())
    sheet = plan_sheet({**data, "findings": [{"severity": "unknown", "text": "not known: the secret of key 1"}]})
    assert sheet.headline.startswith("PLAN, NOT ALL KNOWN")
    assert sheet.why == ("not known: the secret of key 1",)
    page = sheet_page(plan_sheet(hostile(data)))
    assert page.count("<script>") == 1
