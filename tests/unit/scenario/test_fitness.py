"""The fitness of a run: whether its samples and captures are complete enough to judge it."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.scenario.conftest import NS

from keyroll.capture import Verdict
from keyroll.instants import Instant
from keyroll.names import SessionKind
from keyroll.scenario.errors import BlindError, MachineBusyError, RefereesDisagreeError
from keyroll.scenario.judge.fitness import Fitness, assess
from keyroll.scenario.observe.host_stalls import ClockStep, Disturbance, Stall
from keyroll.scenario.observe.sampler import Sample

SECOND = timedelta(seconds=1)
BEGIN, END = 100 * NS, 110 * NS


def samples(*without: float) -> list[Sample]:
    """Return ten seconds of samples, four a second, with a gap of two seconds after each of the given seconds."""
    taken = []
    for number in range(41):
        after = number / 4
        if not any(gap < after < gap + 2 for gap in without):
            at = BEGIN + int(after * NS)
            taken.append(Sample("R1", SessionKind.BGP, at, at, True, "Established", 0, after * SECOND, 1))  # noqa: FBT003
    return taken


def fitness_with(
    *,
    gaps: dict[str, tuple[float, ...]] | None = None,
    disagreements: int = 0,
    losses: dict[str, int] | None = None,
    blind: tuple[Stall, ...] = (),
    disturbances: tuple[Disturbance, ...] = (),
    red: bool = False,
    throughout: tuple[str, ...] = ("no-flap",),
    wait_scale: float = 1.0,
    up: bool = True,
) -> Fitness:
    judgement = SimpleNamespace(number=7, verdict=Verdict.VERIFIED)
    found = SimpleNamespace(judged=40, disagreements=[judgement] * disagreements)
    wire = SimpleNamespace(scapy_findings=lambda: {"R1": found}, counts=dict)
    sampler = SimpleNamespace(
        samples=lambda router, _: tuple(samples(*(gaps or {}).get(router, ()))), blind=lambda **_: blind
    )
    return assess(
        cast("Any", SimpleNamespace(session_names=(SessionKind.BGP,), invariants=throughout)),
        cast("Any", wire),
        cast("Any", sampler),
        watched=(BEGIN, END) if up else None,
        losses=losses or {},
        wait_scale=wait_scale,
        disturbances=disturbances,
        red=red,
    )


STALL = Stall(Instant(BEGIN), Instant(BEGIN + 2 * NS))


def test_a_run_without_gaps_is_fit_and_reports_what_was_measured() -> None:
    fitness = fitness_with(losses={"R1": 0})
    assert fitness.problem is None
    assert fitness.facts["longest gap between samples"] == {"R1": 0.25, "R2": 0.25}
    assert fitness.facts["second judge"] == {"R1": {"segments": 40, "disagreements": 0}}


def test_a_router_that_gave_no_sample_for_over_a_second_makes_the_run_unfit() -> None:
    problem = fitness_with(gaps={"R2": (4,)}).problem
    assert isinstance(problem, MachineBusyError)
    assert "R2 gave no sample for 2s (at most 1s)" in str(problem)


@pytest.mark.parametrize(
    "fitness", [{"wait_scale": 3.0}, {"throughout": ("every-segment-verified",)}, {"up": False}], ids=str
)
def test_a_gap_is_accepted_if_it_is_allowed_or_no_invariant_depends_on_samples(fitness: dict[str, Any]) -> None:
    assert fitness_with(gaps={"R2": (4,)}, **fitness).problem is None


def test_a_gap_of_both_routers_is_attributed_to_the_machine() -> None:
    problem = fitness_with(gaps={"R1": (4,), "R2": (4,)}, blind=(STALL,)).problem
    assert isinstance(problem, BlindError)
    assert problem.since == STALL.begun
    assert "this machine stood still for 2s" in str(problem)


def test_a_stall_before_the_sessions_were_up_makes_only_a_red_run_unfit() -> None:
    assert fitness_with(disturbances=(STALL,), up=False).problem is None
    assert isinstance(fitness_with(disturbances=(STALL,), up=False, red=True).problem, BlindError)
    assert fitness_with(disturbances=(STALL,), up=False).facts["disturbances"] == ["this machine stood still for 2s"]


def test_a_clock_that_was_set_makes_every_run_unfit() -> None:
    problem = fitness_with(disturbances=(ClockStep(Instant(BEGIN), 20 * SECOND),)).problem
    assert isinstance(problem, BlindError)
    assert "this machine's clock was set forward by 20s" in str(problem)


def test_lost_frames_make_the_run_unfit_and_leave_no_red_check_proven() -> None:
    """A check may be red only because the frame that it needs is missing."""
    problem = fitness_with(losses={"R1": 0, "R2": 3}).problem
    assert isinstance(problem, BlindError)
    assert problem.since is None
    assert "lost frames: 3 at R2" in str(problem)


def test_a_disagreement_of_scapy_and_the_referee_makes_the_run_unfit_and_is_not_played_again() -> None:
    problem = fitness_with(disagreements=2, losses={"R1": 3}).problem
    assert isinstance(problem, RefereesDisagreeError)
    assert not isinstance(problem, MachineBusyError)
    assert "on 2 of 40 segments of R1.pcap, first packet 7 (referee: verified)" in str(problem)
