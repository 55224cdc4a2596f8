"""Whether a run could see what it judged: complete captures, samples without gaps, a second judge that agrees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from keyroll.capture import ScapyFindings
from keyroll.errors import UnfitError
from keyroll.scenario.errors import BlindError, MachineBusyError, RefereesDisagreeError, RunUnfitError
from keyroll.scenario.file.durations import format_duration
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.scenario import Scenario
from keyroll.scenario.observe.host_stalls import ClockStep, Disturbance
from keyroll.scenario.observe.sampler import Sampler, longest_gap
from keyroll.scenario.observe.wire import Wire
from keyroll.scenario.record.result import GAPS

GAP_MAX = timedelta(seconds=1)
"""Longer without a sample, and a flap could have hidden: the run is unfit."""
_ON_SAMPLES = frozenset({"no-flap", "no-route-loss"})
"""Invariants that rest on samples without gaps."""


@dataclass(frozen=True, slots=True)
class Fitness:
    """What was measured, and why the run cannot be judged (None where it can)."""

    facts: Mapping[str, object]
    problem: RunUnfitError | None


def weigh(
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
    """Ask whether the run could see what it judged.

    Args:
        scenario: what was played.
        wire: the judged captures.
        sampler: the samples of the sessions.
        watched: from when to when (ns since 1970) they had to be there; None when the sessions were never up.
        losses: by router, frames that its capture lost during the run.
        wait_scale: stretches the longest gap that is allowed.
        disturbances: when the machine stood still, or its clock was set.
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
    """Return which event of the machine makes the run unfit.

    A clock that was set always does: captures and everything else are not on one clock any more. That it stood still
    does where a check is red; where none is, the gap between the samples says whether something could have hidden.
    """
    found = [one for one in disturbances if red or isinstance(one, ClockStep)]
    if not found:
        return None
    first = min(found, key=lambda one: one.begun)
    return BlindError(
        f"{first.words()}: what happened since is not the routers' doing",
        since=first.begun,
        remedy="play it again, on a machine that is not stopped and whose clock is not set meanwhile",
    )


def is_proven(instants: Iterable[int], error: UnfitError) -> bool:
    """Say whether a red check stands although the run is unfit.

    `instants` (ns) are when red checks were judged, or, of those that are judged at the end, when the captures saw the
    fault. One that is older than what made the run blind cannot come from it.
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
        "have hidden there",
        remedy="run fewer labs at once, or give a greater --wait-scale",
    )
