"""A library scenario that is exported as two configurations, imported and played keeps its verdict.

The prediction of `keyroll check` is compared with the play on the lab.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal

import pytest
from tests.unit.library_round_trip import (
    LIBRARY,
    OUTPUT,
    SEED,
    T0,
    cases,
    imported,
    imported_with_its_commit,
    is_hitless,
    predicted,
    read,
    sampled,
)

from keyroll.errors import InputError
from keyroll.scenario.file.read import Case, read_cases
from keyroll.scenario.record.result import Result, Verdict
from keyroll.tcpao import SYN, parse_segment

pytestmark = pytest.mark.lab
ETHERNET = 14
"""Octets of an Ethernet header without a tag."""

EXCEPTIONS = dict.fromkeys(
    ("option-disabled[r1]", "option-disabled[r2]"), "no key of a chain can be used: import refuses it, as nothing rolls"
)
"""Reasons, by case, why the imported scenario has another verdict than the file. The test fails if it does not."""


@pytest.mark.parametrize("path", sampled("sessions/two-families-two-chains"))
def test_an_imported_scenario_gets_the_verdict_of_the_file_it_came_from(
    run_scenario: Callable[..., Result], tmp_path: Path, path: Path
) -> None:
    for case in read(path):
        if case.name in EXCEPTIONS:
            assert not same_verdict(run_scenario, case, tmp_path), f"{case.name} is no exception any more"
        else:
            assert same_verdict(run_scenario, case, tmp_path), case.name


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["operations/next-secret-replaced", "sessions/next-secret-reaches-both", "sessions/ring-of-fifty-two"],
)
def test_an_imported_planned_commit_gets_the_verdict_of_the_file_it_came_from(
    run_scenario: Callable[..., Result], tmp_path: Path, name: str
) -> None:
    case = read_cases(LIBRARY / f"{name}.yaml")[0]
    found, text = imported_with_its_commit(case, tmp_path)
    assert predicted(text) == is_hitless(case)
    assert "may change the verdict" not in text
    for again in found:  # with either router first
        result = run_scenario(tmp_path / OUTPUT, variant=again.variant)
        assert result.verdict is (Verdict.PASSED if is_hitless(case) else Verdict.FAILED), result.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("rollover/two-keys", ("sends key 0 from ", ", then key 1 from ")),
        ("sessions/two-families-two-chains", ("sends key 0 from ",)),
    ],
)
def test_an_imported_capture_is_judged_before_the_rollover_is_played(
    run_scenario: Callable[..., Result], tmp_path: Path, name: str, seen: tuple[str, ...]
) -> None:
    """A library file is played; its capture is used as that of the real link, to which the configurations belong.

    The run has set the routers' clocks, but the capture has the host's time: it is moved to the routers' time. The run
    advances the clocks by less than the tolerance, so that both keys are accepted over that time. If the lab was used
    before, the capture may have the last segments of older connections, which cannot be judged: they are left out.
    """
    path = LIBRARY / f"{name}.yaml"
    played = run_scenario(path, seed=SEED)
    assert played.verdict is Verdict.PASSED, played.reason
    case = read_cases(path)[0]
    capture = tmp_path / "link.pcap"
    capture.write_bytes(begun_at(T0, (played.folder / "lab" / "R1.pcap").read_bytes()))
    _, text = imported(case, tmp_path, "--capture", str(capture))
    lines = [line for line in text.splitlines() if line.startswith("#   - ")]
    assert " wrong, 0 could not be judged" in lines[0]
    assert ", 0 wrong," in lines[0]
    assert len(lines) == 1 + 2 * len(case.scenario.sessions), "a line for each session and router"
    for line in lines[1:]:
        assert all(words in line for words in seen), line
    assert run_scenario(tmp_path / OUTPUT).verdict is Verdict.PASSED


def begun_at(moment: datetime, octets: bytes) -> bytes:
    """Return a capture (pcap) with times that begin at `moment`, and only with connections whose SYN it has."""
    order: Literal["little", "big"] = "little" if octets[0] != 0xA1 else "big"
    moved, place = bytearray(octets[:24]), 24
    later = int(moment.timestamp()) - int.from_bytes(octets[24:28], order)
    begun: set[frozenset[tuple[bytes, int]]] = set()
    while place + 16 <= len(octets):
        length = int.from_bytes(octets[place + 8 : place + 12], order)
        record = bytearray(octets[place : place + 16 + length])
        record[:4] = (int.from_bytes(record[:4], order) + later).to_bytes(4, order)
        is_ip = bytes(record[16 + 12 : 16 + ETHERNET]) in (b"\x08\x00", b"\x86\xdd")
        segment = parse_segment(bytes(record), 16 + ETHERNET) if is_ip else None
        if segment is not None:
            ends = frozenset({(bytes(segment.src), segment.sport), (bytes(segment.dst), segment.dport)})
            if segment.flags & SYN:
                begun.add(ends)
            if ends in begun:
                moved += record
        place += len(record)
    return bytes(moved)


def same_verdict(run_scenario: Callable[..., Result], case: Case, folder: Path) -> bool:
    """Export, import and play a case; return whether file, prediction and play agree.

    Raises:
        AssertionError: the play has no verdict.
    """
    try:
        _, text = imported(case, folder)
    except InputError:
        return False
    result = run_scenario(folder / OUTPUT)
    assert result.verdict in (Verdict.PASSED, Verdict.FAILED), f"{case.name}: {result.reason}"
    played = result.verdict is Verdict.PASSED
    return is_hitless(case) == predicted(text) == played


@pytest.mark.slow
def test_at_least_nine_of_ten_imported_scenarios_agree_with_their_file() -> None:
    names = {case.name for case in cases()}
    assert set(EXCEPTIONS) <= names
    assert len(EXCEPTIONS) <= len(names) / 10
