"""`keyroll plan` as a person uses it: what the plan says."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.plan_pair import USUAL, append, findings, plan

from keyroll.configuration import read


def test_plan_json_says_until_when_a_leaked_key_is_accepted(configs: list[str], tmp_path: Path) -> None:
    plan(*configs, *USUAL[:2], "--emergency", "0", "-o", str(tmp_path / "out"))
    leaked = [one for one in findings(tmp_path / "out") if one["about"] == "leaked-key"]
    assert [(one["router"], one["receiving"], one["ended-by"]) for one in leaked] == [
        (router, receiving, "deletion") for router in ("lion", "tiger") for receiving in ("tolerance", "any")
    ]
    assert {one["accepted-until"] for one in leaked} == {"2026-12-01T00:32:00+00:00"}, "both commits and the pause"


def test_no_line_of_the_plan_is_longer_than_eighty_columns(sessions: list[str], tmp_path: Path) -> None:
    append(sessions[0], "set protocols bgp group g neighbor 198.51.100.7\n")
    result = plan(*sessions, *USUAL, "--quarantine", "1d", "-o", str(tmp_path / "out"))
    text = (tmp_path / "out" / "plan.md").read_text()
    assert max(map(len, text.splitlines())) <= 80
    assert text in result.output
    assert "`load set 2027-01-23/lion.set`, `show | compare`, `commit check`" in text


def test_a_start_time_is_written_in_the_routers_own_zone_unless_another_is_asked_for(
    configs: list[str], tmp_path: Path
) -> None:
    append(configs[0], "set system time-zone Europe/Berlin\n")
    append(configs[1], "set system time-zone Europe/Berlin\n")
    plan(*configs, *USUAL, "--zone", "tiger=Asia/Kolkata", "-o", str(tmp_path / "out"))
    day = tmp_path / "out" / "2027-01-23"
    assert 'start-time "2027-1-30.01:00:00 +0100"' in (day / "lion.set").read_text()
    assert 'start-time "2027-1-30.05:30:00 +0530"' in (day / "tiger.set").read_text()


def test_a_repeated_hour_is_printed_with_its_utc_offset(configs: list[str], tmp_path: Path) -> None:
    append(configs[0], "set system time-zone Europe/Berlin\n")
    words = ("--at", "2027-10-30T00:00Z", "--until", "2027-10-31T02:00Z", "--every", "365d", "--max-age", "365d")
    for path in configs:
        text = Path(path).read_text()
        Path(path).write_text(text.replace("2026-11-1.00:00:00", "2026-10-31.01:30:00"))
    result = plan(*configs, *words, "-o", str(tmp_path / "out"))
    (finding,) = [one for one in findings(tmp_path / "out") if one["about"] == "hour-occurs-twice"]
    assert (finding["router"], finding["keys"]) == ("lion", [1])
    assert "takes over at 2027-10-31 02:30:00 +0100" in " ".join(result.output.split())
    (day,) = [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
    assert 'start-time "2027-10-31.02:30:00 +0100"' in (day / "lion.set").read_text()


def test_history_makes_the_quarantine_exact(configs: list[str], tmp_path: Path) -> None:
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"))
    data = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert [(gone["router"], gone["key"]) for gone in data["retired"]] == [("lion", 0), ("tiger", 0)]
    again = plan(
        *configs,
        *USUAL,
        "-o",
        str(tmp_path / "two"),
        "--history",
        str(tmp_path / "out" / "plan.json"),
        "--quarantine",
        "1d",
    )
    assert "is not known before" not in again.output


def test_a_new_chain_needs_no_configuration(tmp_path: Path) -> None:
    result = plan("--new", "R1,R2", *USUAL, "-o", str(tmp_path / "out"))
    assert "the chain is new" in result.output


def test_the_number_of_a_deactivated_key_is_not_used_for_a_new_one(configs: list[str], tmp_path: Path) -> None:
    path = Path(configs[0])
    key = "security authentication-key-chains key-chain kc key 1"
    path.write_text(path.read_text() + f"set {key} algorithm ao\ndeactivate {key}\n")
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"))
    before = read(path.read_text(), "lion.conf")
    after = read((tmp_path / "out" / "2027-01-23" / "lion.set").read_text(), "lion.set", base=before)
    assert [key.id for key in after.main.chains[0].keychain.keys] == [0, 2]


def test_start_times_without_a_zone_are_in_the_routers_own_zone(configs: list[str], tmp_path: Path) -> None:
    path = Path(configs[0])
    local = path.read_text().replace('"2026-11-1.00:00:00 +0000"', '"2026-11-1.01:00:00"')
    path.write_text(local + "set system time-zone Europe/Berlin\n")
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"))
    path.write_text(local)
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "other"), ok=False)
    assert "starts at another instant" in str(result.exception)
    path.write_text(local + "set system time-zone Mars/Olympus\n")
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "other"), ok=False)
    assert "time-zone is not known" in str(result.exception)
