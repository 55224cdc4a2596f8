"""Captures in the verdict of a watch: a file, a command's output, standard input, the router's own capture."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.lab.watch.production import Case, Production
from tests.unit.known import known

from keyroll.names import Algorithm, SessionKind
from keyroll.scenario.record.result import Check, Verdict
from keyroll.watch.engine import Outcome
from keyroll.watch.wire import Source

pytestmark = pytest.mark.lab
PATIENCE = 60.0
FOLLOW = """
import os, sys, time
file = open(sys.argv[1], "rb")
out = sys.stdout.buffer
out.write(file.read(24))
file.seek(0, os.SEEK_END)
while True:
    out.write(file.read())
    out.flush()
    time.sleep(0.05)
"""
"""As `tcpdump -U -w -` on a tap: it copies the capture from its present end on, twenty times a second, until the watch
ends it."""
BEFORE = "their connection was up before the capture began"


def follow(production: Production, router: str = "R1") -> tuple[str, ...]:
    return (sys.executable, "-c", FOLLOW, str(production.pair.lab.captures[router]))


def described(outcome: Outcome) -> str:
    return "\n".join(
        [outcome.headline, *(check.sentence() for check in outcome.result.checks), *outcome.state.not_judged]
    )


def on_wire(outcome: Outcome) -> list[Check]:
    return [check for check in outcome.result.checks if check.observed.endswith("(wire)")]


@pytest.mark.slow
def test_a_capture_of_the_whole_session_has_every_segment_verified(production: Callable[[Case], Production]) -> None:
    made = production(Case())
    outcome = made.watched(capture=Source(str(made.pair.lab.captures["R1"])))
    assert outcome.result.verdict is Verdict.PASSED, described(outcome)
    assert {check.name for check in on_wire(outcome)} == {
        "every-segment-verified", "no-key-taken-back", "rollover-completes"
    }  # fmt: skip
    assert not any("wire" in words for words in outcome.state.not_judged), described(outcome)


def test_a_session_that_was_up_before_the_capture_is_judged_by_its_key_ids(
    production: Callable[[Case], Production],
) -> None:
    made = production(Case())
    outcome = made.watched(capture=Source(command=follow(made)))
    assert outcome.result.verdict is Verdict.PASSED, described(outcome)
    assert any("the MACs of" in words and BEFORE in words for words in outcome.state.not_judged), described(outcome)
    orders = {check.observed for check in on_wire(outcome) if check.name == "no-key-taken-back"}
    # Whether a segment with the first key is in it depends on when the last keepalive before the rollover was.
    assert len(orders & {"KeyID 1 then KeyID 3 (wire)", "KeyID 3 (wire)"}) == 1, described(outcome)
    assert len(orders & {"KeyID 2 then KeyID 4 (wire)", "KeyID 4 (wire)"}) == 1, described(outcome)
    assert (outcome.result.folder / "wire.pcap").stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_a_capture_on_standard_input_gives_the_same_verdict(
    production: Callable[[Case], Production], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = production(Case(kinds=(SessionKind.BGP, SessionKind.LDP), algorithm=Algorithm.AES_128_CMAC_96))
    with subprocess.Popen(follow(made, "R2"), stdout=subprocess.PIPE) as process:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(known(process.stdout)))
        outcome = made.watched(capture=Source("-"))
        process.terminate()
        process.wait(PATIENCE)
    assert outcome.result.verdict is Verdict.PASSED, described(outcome)
    assert any(BEFORE in words for words in outcome.state.not_judged), described(outcome)


@pytest.mark.slow
def test_a_secret_mismatch_is_red_in_the_capture_too(production: Callable[[Case], Production]) -> None:
    made = production(Case(other_secret=True))
    outcome = made.watched(capture=Source(str(made.pair.lab.captures["R2"])))
    assert outcome.result.verdict is Verdict.FAILED, described(outcome)
    assert "no-auth-drops" in {check.name for check in outcome.result.red}
    assert any("segments verified" in check.observed or "segments bad" in check.observed for check in on_wire(outcome))


def as_junos_writes(capture: Path, into: Path) -> None:
    """Write a capture as `monitor traffic interface … write-file` does: link type 178, its own header on each frame."""
    octets = capture.read_bytes()
    into_octets = bytearray(octets[:20] + struct.pack("<I", 178))
    place = 24
    while place + 16 <= len(octets):
        second, fraction, length, whole = struct.unpack_from("<4I", octets, place)
        frame = b"MGC\x80\x00\x00" + octets[place + 16 : place + 16 + length]
        into_octets += struct.pack("<4I", second, fraction, len(frame), whole + 6) + frame
        place += 16 + length
    into.write_bytes(into_octets)


@pytest.mark.slow
def test_the_routers_own_capture_is_read_when_the_watch_ends(
    production: Callable[[Case], Production], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = production(Case())
    own = tmp_path / "monitor-traffic.pcap"
    judged = "keyroll.watch.engine.judge_wire"
    from keyroll.watch.wire import judge_wire  # noqa: PLC0415 - what is replaced

    def fetched(*given: Any, **named: Any) -> object:
        as_junos_writes(made.pair.lab.captures["R1"], own)  # as a person would copy it from the router at the end
        return judge_wire(*given, **named)

    monkeypatch.setattr(judged, fetched)
    outcome = made.watched(capture=Source(str(own)))
    assert outcome.result.verdict is Verdict.PASSED, described(outcome)
    assert on_wire(outcome)


@pytest.mark.slow
def test_a_capture_of_another_link_makes_the_watch_unfit(
    production: Callable[[Case], Production], tmp_path: Path
) -> None:
    made = production(Case())
    other = tmp_path / "other.pcap"
    other.write_bytes(made.pair.lab.captures["R1"].read_bytes()[:24])
    outcome = made.watched(capture=Source(str(other)))
    assert outcome.result.verdict is Verdict.UNFIT, described(outcome)
    assert "the capture has no segment of bgp from R1" in known(outcome.result.reason)
