"""What must hold throughout (docs/scenario-file.md, "Throughout"), judged at the end from samples and captures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from keyroll.capture import Judgement, Standing
from keyroll.durations import format_duration
from keyroll.names import Invariant, SessionKind
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.judge.findings import Finding, checked
from keyroll.scenario.observe.sampler import Sample
from keyroll.scenario.observe.wire import Wire
from keyroll.scenario.record.result import Check

_BACKWARDS = timedelta(seconds=1)
"""How much an uptime may seem to go back: it is in whole seconds, and the instant of a sample is not exact."""
_NEVER_UP = "the sessions were never all up on both routers, with routes and labels from the peer"


@dataclass(frozen=True, slots=True)
class Rollover:
    """A router's clock reached a key's start-time while the session was up: the router must change to that key.

    `at` is the host instant (ns since 1970); `event` describes in words what moved the clock.
    """

    router: RouterName
    key: int
    at: int
    event: str
    sessions: tuple[str, ...] | None = None
    """The sessions that the key's chain protects; None: all."""

    def concerns(self, session: str) -> bool:
        """Whether the key's chain protects a session."""
        return self.sessions is None or session in self.sessions


@dataclass(frozen=True, slots=True)
class Watched:
    """What was observed in a run. Instants are ns since 1970; `up` is None when the sessions were never up."""

    up: int | None
    end: int
    samples: Mapping[tuple[RouterName, str], Sequence[Sample]]
    wire: Wire
    sessions: Sequence[str]
    rollovers: Sequence[Rollover] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, SessionKind] | None = None
    """The kinds of the sessions by name, if the file names them: each is judged separately. None: sessions have the
    names of their kinds."""

    def kind(self, session: str) -> SessionKind:
        """Return the kind of a session."""
        return SessionKind(session) if self.kinds is None else self.kinds[session]

    @property
    def judged_together(self) -> Sequence[tuple[str | None, Sequence[str]]]:
        """The sessions of each check, with the check's session name: all in one check (None), or one in each."""
        if self.kinds is None:
            return [(None, self.sessions)]
        return [(name, (name,)) for name in self.sessions]


def first_up(samples: Mapping[tuple[RouterName, str], Sequence[Sample]]) -> int | None:
    """Return since when every session is up at both ends, BGP with routes, LDP with labels; None while one is not.

    A session that was up and went down again (for one router, BGP's collision resolution looks so) counts from when it
    came back.
    """
    instants = [_up_since(some) for some in samples.values()]
    known = [instant for instant in instants if instant is not None]
    return max(known) if known and len(known) == len(instants) else None


def _up_since(samples: Sequence[Sample]) -> int | None:
    """Return the time of the first of the good samples in a row up to the last one; None if that is not good."""
    since = None
    for sample in reversed(samples):
        if not sample.carries or sample.flaps != samples[-1].flaps:
            break
        since = sample.at
    return since


def no_flap(watched: Watched) -> list[Check]:
    """Judge that sessions stay up: states, flap counters and uptimes at both ends, and no SYN or RST from a router."""
    return [_no_flap(watched, router, name, own) for name, own in watched.judged_together for router in ROUTERS]


def _no_flap(watched: Watched, router: RouterName, name: str | None, sessions: Sequence[str]) -> Check:
    expected = "up, flap counter unchanged, uptime growing, no SYN and no RST sent"
    if watched.up is None:
        return _check(watched, Invariant.NO_FLAP, router, holds=False, expected=expected, observed=_NEVER_UP, of=name)
    faults: list[str] = []
    seen: list[str] = []
    captured: list[int] = []
    for session in sessions:
        samples = [sample for sample in watched.samples[router, session] if sample.asked >= watched.up]
        faults += [f"{session}: {fault}" for fault in sample_faults(samples, partial(_after, up=watched.up))]
        if samples:
            uptime = f", up {format_duration(samples[-1].since)}" if samples[-1].since is not None else ""
            seen.append(f"{samples[-1].words()} as before{uptime} ({len(samples)} samples)")
    only = () if name is None else (name,)
    for judgement in watched.wire.opened_or_reset(router, watched.up, watched.end, *only):
        what = "SYN" if judgement.flags & 0x02 else "RST"
        captured += [judgement.time_ns] if judgement.time_ns is not None else []
        faults.append(
            f"{what} sent {_after(judgement.time_ns, watched.up)} (packet {judgement.number} of {router}.pcap)"
        )
    return _check(
        watched,
        Invariant.NO_FLAP,
        router,
        holds=not faults,
        expected=expected,
        observed=_several(faults) if faults else "; ".join(seen),
        captured=min(captured, default=None),
        of=name,
    )


def sample_faults(samples: Sequence[Sample], when_of: Callable[[int], str]) -> Iterable[str]:
    """Yield what is wrong with a session's samples: it is down, has flapped, or has come up again between two samples.

    `when_of` returns an instant (ns since 1970) in words.
    """
    if not samples:
        yield "no sample after the session came up"
        return
    first = before = samples[0]
    for sample in samples:
        when = when_of(sample.at)
        if not sample.up:
            yield f"{sample.state} {when}"
            return
        if sample.flaps != first.flaps:
            yield f"flap counter went from {first.flaps or 0} to {sample.flaps or 0} {when}"
            return
        if _length(sample) < _length(before) - _BACKWARDS:
            was, now = format_duration(_length(before)), format_duration(_length(sample))
            yield f"uptime went back from {was} to {now} {when}"
            return
        before = sample
    passed = timedelta(microseconds=(before.asked - first.at) // 1000)
    grown = _length(before) - _length(first)
    if grown < passed - 2 * _BACKWARDS:
        yield f"uptime grew by {format_duration(grown)} in {format_duration(passed)}"


def _length(sample: Sample) -> timedelta:
    """Return a sample's uptime; 0 if the router does not show it."""
    return sample.since if sample.since is not None else timedelta()


def no_route_loss(watched: Watched) -> list[Check]:
    """Judge that in every sample after the sessions were up, each router has the peer's routes and labels.

    BGP must have at least as many routes as then; LDP must keep every label that it has had since.
    """
    judges = {SessionKind.BGP: _no_route_loss, SessionKind.LDP: _no_label_loss}
    return [judges[watched.kind(name)](watched, router, name) for name in watched.sessions for router in ROUTERS]


def _no_route_loss(watched: Watched, router: RouterName, session: str) -> Check:
    up = watched.up
    samples = [sample for sample in watched.samples[router, session] if up is not None and sample.asked >= up]
    had = samples[0].routes or 0 if samples else 0
    lost = next((sample for sample in samples if (sample.routes or 0) < max(had, 1)), None)
    if up is None:
        observed = _NEVER_UP
    elif lost is not None:
        observed = f"{lost.routes or 0} instead of {had}, {_after(lost.at, up)}"
    else:
        observed = f"{had} in {len(samples)} samples"
    return _check(
        watched,
        Invariant.NO_ROUTE_LOSS,
        router,
        holds=lost is None and bool(samples),
        expected="the peer's routes present in every sample",
        observed=observed,
        of=_of(watched, session),
    )


def _of(watched: Watched, session: str) -> str | None:
    """Return the session name of a check of one session: None if the file does not name sessions."""
    return None if watched.kinds is None else session


def _no_label_loss(watched: Watched, router: RouterName, session: str) -> Check:
    up = watched.up
    samples = [sample for sample in watched.samples[router, session] if up is not None and sample.asked >= up]
    observed = _NEVER_UP if up is None else "no sample after the session came up"
    known: set[tuple[str, int]] = set()
    lost = False
    for sample in samples:
        labels = sample.labels or frozenset()
        known |= labels
        missing = sorted(known - labels)
        observed = f"{len(known)} labels in {len(samples)} samples"
        if missing or not labels:
            first = f", first label {missing[0][1]} of {missing[0][0]}" if missing else ""
            observed = f"{len(missing)} of {len(known)} labels missing{first}, {_after(sample.at, up or 0)}"
            lost = True
            break
    return _check(
        watched,
        Invariant.NO_ROUTE_LOSS,
        router,
        holds=bool(samples) and not lost,
        expected="the labels that the peer has given present in every sample",
        observed=observed,
        of=_of(watched, session),
    )


def every_segment_verified(watched: Watched) -> list[Check]:
    """Judge that each segment verifies under the sender's chain, and is accepted under the receiver's.

    A segment that could not be judged turns the check red as well.
    """
    checks = [_every_segment(watched, router, name) for name, _ in watched.judged_together for router in ROUTERS]
    return checks if watched.kinds is None else [*checks, *_others_judged(watched)]


def _others_judged(watched: Watched) -> Iterator[Check]:
    """Yield the checks of segments outside the sessions that the file names, for routers that sent any."""
    for router in ROUTERS:
        judged = watched.wire.sent_by(router, until=watched.end)
        if others := [one for one in judged if one.session not in (watched.kinds or ())]:
            yield _segments_judged(watched, router, others, None)


def _every_segment(watched: Watched, router: RouterName, session: str | None) -> Check:
    if session is None:
        return _segments_judged(watched, router, watched.wire.sent_by(router, until=watched.end), None)
    return _segments_judged(watched, router, watched.wire.sent_by(router, until=watched.end, session=session), session)


def _segments_judged(watched: Watched, router: RouterName, judged: Sequence[Judgement], session: str | None) -> Check:
    bad = [one for one in judged if one.standing is not Standing.GOOD]
    if not judged:
        observed = "no segment was sent"
    elif not bad:
        observed = f"{len(judged)} segments verified under both chains"
    else:
        first = bad[0]
        observed = (
            f"{len(bad)} of {len(judged)} segments not; first: packet {first.number} of "
            f"{first.capture}, {first.sender} to {first.receiver}, {first.key_words}, "
            f"{first.verdict.value}{f' ({first.refusal.value})' if first.refusal else ''}: {first.reason}"
        )
    return _check(
        watched,
        Invariant.EVERY_SEGMENT_VERIFIED,
        router,
        holds=bool(judged) and not bad,
        expected=f"every segment from {router} verifies under its own chain and is accepted by the peer's",
        observed=observed,
        captured=min((one.time_ns for one in bad if one.time_ns is not None), default=None),
        of=session,
    )


def rollover_completes(watched: Watched) -> list[Check]:
    """Judge that for each rollover, data signed with its key (or a later one) was acknowledged, in each direction."""
    checks = []
    for index, rollover in enumerate(watched.rollovers):
        for session in watched.sessions:
            if not rollover.concerns(session):
                continue
            after = watched.rollovers[index:]
            later = {one.key for one in after if one.router == rollover.router and one.concerns(session)}
            done = watched.wire.acknowledged_with_any(rollover.router, session, later, since=rollover.at)
            side = watched.wire.side(rollover.router, session)
            pending = f"{side.words()}; not acknowledged since" if side else "no signed segment"
            checks.append(
                _check(
                    watched,
                    Invariant.ROLLOVER_COMPLETES,
                    rollover.router,
                    holds=done,
                    expected=f"{session}: data signed with key {rollover.key}, acknowledged by a verified segment",
                    observed="acknowledged" if done else pending,
                    event=rollover.event,
                    after=timedelta(microseconds=(watched.end - rollover.at) // 1000),
                    of=_of(watched, session),
                )
            )
    return checks


def no_key_taken_back(watched: Watched) -> list[Check]:
    """Judge that on each connection, a router never signs again with a key that it has changed from."""
    return [_no_key_taken_back(watched, router, name) for name, _ in watched.judged_together for router in ROUTERS]


def _no_key_taken_back(watched: Watched, router: RouterName, session: str | None) -> Check:
    used: dict[int, list[object]] = {}
    fault, captured = "", None
    segments = watched.wire.signed_in_order(router, *(() if session is None else (session,)))
    for one in segments:
        if one.connection is None or one.key is None:
            continue
        keys = used.setdefault(one.connection, [])
        if one.key in keys[:-1]:
            fault = f"key {one.key} again after key {keys[-1]}: packet {one.number} of {router}.pcap"
            captured = one.time_ns
            break
        if keys[-1:] != [one.key]:
            keys.append(one.key)
    in_order = "; ".join(" then ".join(f"key {key}" for key in keys) for keys in used.values())
    return _check(
        watched,
        Invariant.NO_KEY_TAKEN_BACK,
        router,
        holds=bool(segments) and not fault,
        expected=f"on no connection {router} signs again with a key that it has changed from",
        observed=fault or in_order or "no segment was sent",
        captured=captured,
        of=session,
    )


@dataclass(frozen=True, slots=True)
class Throughout:
    """The assertion of an invariant for one router."""

    name: str
    router: str
    words: str
    of_session: str | None = None

    def expected(self) -> str:
        """Return what is expected."""
        return self.words


def _check(
    watched: Watched,
    name: Invariant,
    router: RouterName,
    *,
    holds: bool,
    expected: str,
    observed: str,
    event: str = "",
    after: timedelta = timedelta(),
    captured: int | None = None,
    of: str | None = None,
) -> Check:
    assertion = Throughout(name.value, router, expected, of)
    return checked(assertion, Finding(holds, observed, captured), event=event, after=after, keys=watched.keys)


INVARIANTS: Mapping[Invariant, Callable[[Watched], list[Check]]] = {
    Invariant.NO_FLAP: no_flap,
    Invariant.NO_ROUTE_LOSS: no_route_loss,
    Invariant.EVERY_SEGMENT_VERIFIED: every_segment_verified,
    Invariant.ROLLOVER_COMPLETES: rollover_completes,
    Invariant.NO_KEY_TAKEN_BACK: no_key_taken_back,
}


def _after(instant: int | None, up: int) -> str:
    return "at an unknown time" if instant is None else f"{(instant - up) / 1e9:.2f} s after the sessions were up"


def _several(faults: Sequence[str]) -> str:
    return "; ".join(faults[:3]) + (f"; and {len(faults) - 3} more" if len(faults) > 3 else "")  # noqa: PLR2004 - three are enough to see
