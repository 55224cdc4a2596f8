"""What `keyroll plan` says of the sessions that use the chain."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.cli.plan_pair import USUAL, append, findings, plan

from keyroll.errors import ExitCode, InputError


def test_a_plan_reports_nothing_about_a_correct_session(sessions: list[str], tmp_path: Path) -> None:
    result = plan(*sessions, *USUAL, "-o", str(tmp_path / "out"))
    assert result.return_value is ExitCode.OK
    assert "no session in the configurations" not in result.output


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("set protocols bgp group g authentication-key sesame", "md5-beside"),
        ("set protocols bgp group g peer-as 65099", "as-numbers-differ"),
        ("delete protocols bgp group g authentication-algorithm", "authentication-algorithm-not-ao"),
    ],
)
def test_a_session_that_check_finds_faulty_has_to_be_fixed_before_the_plan(
    sessions: list[str], tmp_path: Path, line: str, rule: str
) -> None:
    append(sessions[0], f"{line}\n")
    result = plan(*sessions, *USUAL, "-o", str(tmp_path / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert rule in str(result.exception)
    assert "sesame" not in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_a_leaked_secret_plan_reports_session_faults_and_exits_with_1(sessions: list[str], tmp_path: Path) -> None:
    append(sessions[0], "set protocols bgp group g authentication-key sesame\n")
    words = ("--at", "2026-12-01T00:00Z", "--emergency", "0", "-o", str(tmp_path / "out"))
    result = plan(*sessions, *words)
    assert result.return_value is ExitCode.BAD
    assert "authentication-key (MD5) is configured" in result.output


def test_a_session_of_the_chain_without_its_other_end_is_reported(sessions: list[str], tmp_path: Path) -> None:
    append(sessions[0], "set protocols bgp group g neighbor 198.51.100.7\n")
    result = plan(*sessions, *USUAL, "-o", str(tmp_path / "out"))
    assert result.return_value is ExitCode.UNFIT
    assert "unknown: BGP lion to 198.51.100.7" in result.output
    (finding, *_) = [one for one in findings(tmp_path / "out") if one["about"] == "check"]
    assert (finding["rule"], finding["severity"], finding["file"]) == ("other-end-not-given", "unknown", "lion.conf")
