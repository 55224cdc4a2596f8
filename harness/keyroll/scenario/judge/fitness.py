"""Whether a run could observe what it judged: complete captures, samples without gaps, a second judge that agrees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from keyroll.capture import ScapyFindings
from keyroll.durations import format_duration
from keyroll.errors import UnfitError
from keyroll.names import Invariant
from keyroll.scenario.errors import BlindError, MachineBusyError, RefereesDisagreeError, RunUnfitError
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.scenario import Scenario
from keyroll.scenario.observe.host_stalls import ClockStep, Disturbance
from keyroll.scenario.observe.sampler import Sampler, longest_gap
from keyroll.scenario.observe.wire import Wire
from keyroll.scenario.record.result import GAPS

GAP_MAX = timedelta(seconds=1)
"""The longest time between two samples, of which there are four each second: in a longer one a flap could go
unobserved, and the run is unfit."""
_ON_SAMPLES = frozenset({Invariant.NO_FLAP, Invariant.NO_ROUTE_LOSS})
"""Invariants that can be judged only if the samples have no gaps."""


@dataclass(frozen=True, slots=True)
class Fitness:
    """What was measured, and why the run cannot be judged (None where it can)."""

    facts: Mapping[str, object]
    problem: RunUnfitError | None


def assess(
    scenario: Scenario,
    wire: Wire,
    sampler: Sampler,
    *,
    watched: tuple[int, int] | None,
    losses: Mapping[str, int],
    wait_scale: float,
    disturbances: Sequence[Disturbance] = (),
    red: bool = False,
) -> Fitness:
    """Assess whether the run could observe what it judged.

    Args:
        scenario: what was played.
        wire: the judged captures.
        sampler: the samples of the sessions.
        watched: begin and end (ns since 1970) of the time that needs samples; None when the sessions were never up.
        losses: the number of frames that each router's capture lost during the run.
        wait_scale: multiplies the longest gap that is allowed.
        disturbances: times at which the machine stood still, or its clock was set.
        red: whether a check is red.
    """
    opinions = wire.scapy_findings()
    gaps = _gaps(sampler, scenario.session_names, *watched) if watched is not None else {}
    facts = {
        "wire": wire.counts(),
        "capture losses": dict(losses),
        GAPS: {name: round(gap.total_seconds(), 3) for name, gap in gaps.items()},
        "second judge": {
            name: {"segments": opinion.judged, "disagreements": len(opinion.disagreements)}
            for name, opinion in opinions.items()
        },
    }
    rests_on_samples = bool(_ON_SAMPLES & set(scenario.invariants))
    blind = (*disturbances, *sampler.blind(limit=GAP_MAX * wait_scale))
    if blind:
        facts["disturbances"] = [one.words() for one in blind]
    problem = _disagreement(opinions) or _lost(losses) or disturbed(blind, red=red)
    if problem is None and rests_on_samples:
        gap = _gap(gaps, GAP_MAX * wait_scale)
        problem = gap and (disturbed(blind, red=True) or gap)
    return Fitness(facts, problem)


def disturbed(disturbances: Sequence[Disturbance], *, red: bool) -> BlindError | None:
    """Return the first disturbance that makes the run unfit, as an error; None: there is none.

    A clock step always does: captures have time stamps of the wall clock, and all else is on the monotonic clock. A
    stall does if a check is red; if none is, the gap between samples decides whether something could go unobserved.
    """
    found = [one for one in disturbances if red or isinstance(one, ClockStep)]
    if not found:
        return None
    first = min(found, key=lambda one: one.begun)
    return BlindError(
        f"{first.words()}: what was observed after that may not be the routers' doing",
        since=first.begun,
        remedy="run it again on a machine that is not suspended, and whose clock is not set meanwhile",
    )


def is_proven(instants: Iterable[int], error: UnfitError) -> bool:
    """Say whether a red check counts although the run is unfit.

    `instants` (ns) are the times at which red checks were judged; for checks that are judged at the end, the time at
    which the fault was captured. A fault that is older than the disturbance cannot come from it.
    """
    known = list(instants)
    if isinstance(error, BlindError):
        return error.since is not None and any(at < error.since.ns for at in known)
    return bool(known) and not isinstance(error, RefereesDisagreeError)


def _gaps(sampler: Sampler, sessions: tuple[str, ...], since: int, until: int) -> dict[RouterName, timedelta]:
    return {
        router: max(longest_gap(sampler.samples(router, session), since, until) for session in sessions)
        for router in ROUTERS
    }


def _disagreement(opinions: Mapping[RouterName, ScapyFindings]) -> RunUnfitError | None:
    for name, opinion in opinions.items():
        if opinion.disagreements:
            first = opinion.disagreements[0]
            return RefereesDisagreeError(
                f"scapy disagrees with the referee on {len(opinion.disagreements)} of {opinion.judged} segments of "
                f"{name}.pcap, first packet {first.number} (referee: {first.verdict.value})",
                remedy="one of the two judges is wrong: keep this run folder and report it",
            )
    return None


def _lost(losses: Mapping[str, int]) -> RunUnfitError | None:
    lost = {name: count for name, count in losses.items() if count}
    if not lost:
        return None
    shown = ", ".join(f"{count} at {name}" for name, count in lost.items())
    return BlindError(f"the capture lost frames: {shown}", since=None, remedy="run fewer labs at once on this machine")


def _gap(gaps: Mapping[RouterName, timedelta], limit: timedelta) -> RunUnfitError | None:
    name, gap = max(gaps.items(), key=lambda item: item[1], default=("", timedelta()))
    if gap <= limit:
        return None
    return MachineBusyError(
        f"{name} gave no sample for {format_duration(gap)} (at most {format_duration(limit)}): a flap could "
        "have gone unobserved",
        remedy="run fewer labs at once, or use a greater --wait-scale",
    )
