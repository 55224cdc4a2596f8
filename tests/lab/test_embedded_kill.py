"""Nothing is left behind, whichever process of a lab is killed, at whatever time."""

from __future__ import annotations

import json
import random
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
TOPOLOGY = HERE.parent.parent / "topologies" / "two-router.clab.yml"
SCENARIO = HERE.parent / "scenarios" / "rollover" / "two-keys.yaml"
FORK_SERVER = "keyroll.lab.embedded.fork_server"
"""The program that labs are forked from; a lab that is up does not need it."""
PARTS = [
    *("owner", "interrupt", "keyroll.lab.embedded.monitor", "keyroll.lab.embedded.keeper"),
    *("keyroll.emulator ", "keyroll.emulator.wire", "keyroll.lab.embedded.link", "keyroll.lab.local.recorder"),
    *("bgpd", "ldpd", f"owner+{FORK_SERVER}", "keyroll.lab.embedded.monitor+keyroll.lab.embedded.keeper"),
]
"""Classes of victims, which take turns; `a+b` are killed at the same time. If a class has no process yet, the owner is
killed."""
WORKER = "eval(sys.stdin.readline())"
"""A part of the command line of pytest-xdist's workers."""
ROUND_SECONDS = 180
"""Longest time for a round: a start, and twice the minute that `kill_host.py` waits at most; 5 s on an idle machine."""

pytestmark = pytest.mark.lab


def rounds(count: int, victims: list[str], breaks: tuple[str, ...] = (), plays: str = "lab") -> list[dict[str, Any]]:
    seed = secrets.randbits(32)
    order = {
        "seed": seed,
        "rounds": count,
        "victims": victims,
        "topology": str(TOPOLOGY),
        "scenario": str(SCENARIO),
        "breaks": breaks,
        "plays": plays,
    }
    host = ["unshare", "--net", "--mount", "--propagation", "private"]
    command = [*host, sys.executable, str(HERE / "kill_host.py"), json.dumps(order)]
    sys.stdout.write(f"seed {seed}\n")  # pytest shows it if the test fails; with it the kills can be repeated
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ROUND_SECONDS * (count + 1))
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def judge(outcomes: list[dict[str, Any]]) -> None:
    for outcome in outcomes:
        assert not outcome["early"], outcome
        assert outcome["left"] == {}, outcome
        assert outcome["changed"] == {}, outcome
        victim = str(outcome["victim"])
        if outcome["unnoticed"] and FORK_SERVER not in victim:
            # Helpers such as `ip` run for some milliseconds; killed at their end, they have done their work.
            assert not any(part in victim for part in ("keyroll.", "/frr/")), outcome
        elif not outcome["unnoticed"] and not outcome["owner"]:
            assert "noticed:" in str(outcome["said"]), outcome


@pytest.mark.slow
def test_every_kind_of_change_to_the_host_is_detected() -> None:
    breaks = ("link", "address", "route", "rule", "firewall", "sysctl", "files", "etc", "mounts")
    kinds = {"link": {"link", "address", "sysctl"}, "address": {"address", "route"}, "rule": {"rule6"}}
    for outcome in rounds(0, [], breaks):
        what, changed = outcome["broken"], set(outcome["changed"])
        assert kinds.get(what, {what}) <= changed, (what, outcome["changed"])


def test_four_kills_at_random_moments_leave_nothing() -> None:
    chance = random.Random(secrets.randbits(32))
    outcomes = rounds(4, chance.sample(PARTS, 4))
    assert len(outcomes) >= 4
    judge(outcomes)


def judge_runs(outcomes: list[dict[str, Any]]) -> None:
    for outcome in outcomes:
        assert outcome["left"] == {}, outcome
        assert outcome["changed"] == {}, outcome
        assert not outcome["unnoticed"], outcome
        if outcome["code"] == 0:
            # The run ended before the kill, or the part had done its work by then, or was replaced.
            ended = outcome["owner"] and not outcome["victim"]
            assert outcome["early"] or ended or "passed" in str(outcome["said"]), outcome


def test_two_kills_of_a_run_leave_nothing() -> None:
    chance = random.Random(secrets.randbits(32))
    judge_runs(rounds(2, chance.sample(PARTS, 2), plays="run"))


@pytest.mark.slow
def test_sixty_kills_of_labs_class_by_class_leave_nothing() -> None:
    outcomes = [one for one in rounds(5 * len(PARTS), PARTS) if not one["early"]]
    assert {str(one["wanted"]) for one in outcomes} == set(PARTS)
    judge(outcomes)


@pytest.mark.slow
def test_sixty_kills_of_runs_class_by_class_leave_nothing() -> None:
    judge_runs(rounds(5 * len(PARTS), PARTS, plays="run"))


@pytest.mark.slow
def test_kills_of_pytests_controller_and_workers_leave_nothing() -> None:
    for outcome in rounds(8, ["owner", WORKER, f"owner+{WORKER}", "keyroll.lab.embedded.keeper"], plays="pytest"):
        assert outcome["left"] == {}, outcome
        assert outcome["changed"] == {}, outcome
        assert not outcome["unnoticed"], outcome
