import json
from base64 import b64encode
from datetime import UTC, datetime

import pytest

from keyroll.errors import RunError
from keyroll.junos.exchange import Exchange
from keyroll.junos.records import BgpState
from keyroll.keychain.secret import Secret
from keyroll.keychain.type9 import encode_type9
from keyroll.scenario.observe.router_clock import RouterClock
from keyroll.scenario.record.run_folder import Blackener, RunFolder, make_run_folder
from keyroll.scenario.record.timeline import Kind, Timeline

SECRET = Secret("Correct0Horse1Battery")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def spellings():
    octets = SECRET.reveal()
    return [octets.decode(), octets.hex(), octets.hex().upper(), b64encode(octets).decode(), encode_type9(SECRET, 11)]


@pytest.mark.parametrize("spelling", spellings())
def test_no_spelling_of_a_secret_passes_the_blackener(spelling):
    blacken = Blackener([SECRET])
    for text in (f"key 0 secret {spelling};", f'{{"raw": "{spelling}"}}', spelling, f"x{spelling}x"):
        assert spelling not in blacken(text)


def test_nothing_that_is_written_into_a_run_folder_holds_a_secret(tmp_path):
    folder = RunFolder(tmp_path, Blackener([SECRET]))
    text = " ".join(spellings())
    folder.write("scenario.yaml", text)
    folder.write_json("result.json", {"reason": text})
    folder.write_configuration("R1", [f"set x secret {text}"])
    folder.record(Exchange("R1", "show x", text, NOW, NOW, BgpState.IDLE, text))
    with Timeline(folder.timeline, clocks={"R1": RouterClock()}, redact=folder.blacken) as timeline:
        event = timeline.add(Kind.CHECK, text, data={"observed": text})
    folder.close()
    written = "".join(path.read_text() for path in tmp_path.iterdir()) + event.text
    assert len(list(tmp_path.iterdir())) == 5
    assert not any(spelling in written for spelling in spellings())


def test_a_short_secret_is_taken_out_where_its_structure_shows_it():
    assert "ab1" not in Blackener([Secret("ab1")])("set … key 0 secret ab1")


def test_every_line_of_the_timeline_and_of_the_exchanges_is_json(tmp_path):
    folder = RunFolder(tmp_path, Blackener([]))
    folder.record(Exchange("R1", "show x", "a\nb", NOW, NOW, {"state": BgpState.IDLE, "when": NOW}))
    with Timeline(folder.timeline, clocks={}, redact=folder.blacken) as timeline:
        timeline.add(Kind.STEP, "step 1: apply", data={"when": NOW, "kinds": frozenset({Kind.RUN})})
    folder.close()
    (exchange,) = [json.loads(line) for line in (tmp_path / "exchanges.jsonl").read_text().splitlines()]
    (event,) = [json.loads(line) for line in folder.timeline.read_text().splitlines()]
    assert exchange["parsed"] == {"state": "Idle", "when": NOW.isoformat()}
    assert event["data"] == {"when": NOW.isoformat(), "kinds": ["run"]}


def test_two_runs_of_the_same_second_get_folders_of_their_own(tmp_path):
    names = {make_run_folder(None, name="two-keys[cmac]", seed=7, now=NOW, runs=tmp_path) for _ in range(3)}
    assert len(names) == 3
    assert all(path.name.startswith("20260501T120000Z-two-keys-cmac-7") for path in names)


def test_a_run_folder_that_holds_something_is_not_written_over(tmp_path):
    (tmp_path / "kept").write_text("x")
    with pytest.raises(RunError, match="not empty"):
        make_run_folder(tmp_path, name="a", seed=7, now=NOW)
