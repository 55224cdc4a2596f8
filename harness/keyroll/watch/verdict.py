"""The verdict of a watch: the same invariants and words as a scenario's, from the routers' own output. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from keyroll.durations import format_duration
from keyroll.instants import Instant
from keyroll.junos.records import ChainStatus
from keyroll.names import Invariant, SessionKind
from keyroll.scenario.judge.findings import Finding, checked
from keyroll.scenario.judge.invariants import Throughout, sample_faults
from keyroll.scenario.observe.sampler import Sample
from keyroll.scenario.record.result import Check
from keyroll.watch.sampling import Look
from keyroll.watch.situation import Awaited, Turn, Watched

NO_AUTH_DROPS = "no-auth-drops"
CHURN = 10
"""Routes come and go on real routers: a tenth fewer is not a loss. Of fewer than ten routes, losing one is."""
LABELS_MAX = 1_000
"""The most labels of a session that are read in every look, some forty characters each: enough for a network of 1,000
routers. A larger label database is read once (docs/decisions/0024-labels-have-a-bound.md)."""
SLACK = timedelta(seconds=2)
"""As in a scenario: a hold timer ends up to a second late, and the router needs a moment to show the result."""
LATE = timedelta(seconds=5)
"""A key that is not active this long after its start-time did not take over: routers check their chains each second,
and a clock is known to a second."""


@dataclass(slots=True)
class Seen:
    """What was seen so far."""

    sessions: Sequence[Watched]
    awaited: Awaited | None
    looks: dict[str, list[Look]] = field(default_factory=dict)

    def add(self, look: Look) -> None:
        """Add a look at a router."""
        self.looks.setdefault(look.router, []).append(look)

    def recent(self) -> Seen:
        """Return the first look at each router and the last two: a fault already shows in them.

        A watch may last for days; all of its samples are judged at its end, and not each time.
        """
        looks = {router: [*some[:1], *some[1:][-2:]] for router, some in self.looks.items()}
        return Seen(self.sessions, self.awaited, looks)

    @property
    def began(self) -> Instant:
        """When the first look began."""
        return min(some[0].begun for some in self.looks.values())

    @property
    def ended(self) -> Instant:
        """When the last look ended."""
        return max(some[-1].ended for some in self.looks.values())

    def samples(self, router: str, session: Watched) -> list[Sample]:
        """Return a session's samples at a router, in order."""
        return [look.samples[session.name] for look in self.looks.get(router, ())]

    def without_labels(self, router: str) -> dict[str, int]:
        """Return the LDP sessions whose labels are too many to be read in every look at a router: name and number."""
        first = self.looks.get(router, ())[:1]
        counts = {name: len(one.labels) for look in first for name, one in look.samples.items() if one.labels}
        return {name: count for name, count in counts.items() if count > LABELS_MAX}

    # ------------------------------------------------------------------ the rollover

    def due(self, turn: Turn) -> Instant | None:
        """Return the instant from which a router's clock is certainly past a key's start-time, or None."""
        for look in self.looks.get(turn.router, ()):
            if look.clock.shown >= turn.start:
                return look.clock.answered
        return None

    def took_over(self, turn: Turn) -> Instant | None:
        """Return when a look first showed the key active, to send and to receive, or None."""
        for look in self.looks.get(turn.router, ()):
            chain = look.chains.get(turn.chain)
            if chain is not None and chain.active_send == turn.key and chain.active_receive == turn.key:
                return look.keys_at[1]
        return None

    def all_over(self) -> Instant | None:
        """Return when the last key was seen active at its router, or None while one is not."""
        if self.awaited is None:
            return None
        instants = [self.took_over(turn) for turn in self.awaited.turns]
        known = [instant for instant in instants if instant is not None]
        return max(known) if len(known) == len(instants) else None

    def carried(self, router: str, session: Watched) -> str | None:
        """Return the evidence that a session has carried a message to a router since the rollover, or None."""
        since = self.all_over()
        if since is None:
            return None
        later = [look for look in self.looks.get(router, ()) if look.begun > since]
        counts = [look.received[session.name] for look in later if session.name in look.received]
        if counts and counts[-1] > counts[0]:
            return f"{counts[-1] - counts[0]} messages received since"
        hold = self.hold(router, session)
        if hold is None or not later or not later[-1].samples[session.name].up:
            return None
        passed = Instant.of(later[-1].clock.asked.moment) - since
        # A session stays up longer than its hold time only if a message has arrived and was verified.
        return f"still up, longer than its hold time of {format_duration(hold)}" if passed > hold + SLACK else None

    def hold(self, router: str, session: Watched) -> timedelta | None:
        """Return the hold time: the one in force where the router shows it, else the one that is configured."""
        shown = [
            look.hold_times[session.name] for look in self.looks.get(router, ()) if session.name in look.hold_times
        ]
        return max([*shown, *([session.hold] if session.hold else [])], default=None)

    @property
    def completed(self) -> bool:
        """Whether every key took over, and every session has carried a message both ways since."""
        return (
            self.awaited is not None
            and not self.awaited.lacking
            and self.all_over() is not None
            and all(self.carried(router, one) is not None for one in self.sessions for router in one.peers)
        )

    def overdue(self) -> bool:
        """Whether the rollover should have completed by now: later than the hold time after the last start-time."""
        if self.awaited is None:
            return False
        instants = [self.due(turn) for turn in self.awaited.turns]
        known = [instant for instant in instants if instant is not None]
        if len(known) < len(instants):
            return False
        holds = [hold for one in self.sessions for router in one.peers if (hold := self.hold(router, one))]
        # Twice: a message that came right before the last key was seen active proves nothing, so another must follow.
        return self.ended - max(known) > 2 * max([*holds, LATE]) + SLACK


def checks_of(seen: Seen) -> list[Check]:
    """Judge everything that was seen so far."""
    checks = [_no_flap(seen, router) for router in seen.looks]
    # One of the routers may have failed in its first look: then there is nothing to judge.
    checks += [
        _no_loss(seen, router, one)
        for one in seen.sessions
        for router in one.peers
        if router in seen.looks and one.name not in seen.without_labels(router)
    ]
    checks += [_no_drops(seen, router) for router in seen.looks]
    return checks


def completion_of(seen: Seen) -> list[Check]:
    """Judge whether the rollover completed: for each key, and for each session at each router."""
    if seen.awaited is None:
        return []
    checks = [_took_over(seen, turn) for turn in seen.awaited.turns]
    checks += [_has_no_key(seen, router, chain) for router, chain in seen.awaited.lacking]
    if seen.all_over() is not None:
        checks += [_carried(seen, router, one) for one in seen.sessions for router in one.peers]
    return checks


def _no_flap(seen: Seen, router: str) -> Check:
    faults, shown = [], []
    for session in seen.sessions:
        samples = seen.samples(router, session)
        faults += [f"{session.name}: {fault}" for fault in sample_faults(samples, lambda at: after(seen, at))]
        if samples:
            uptime = f", up {format_duration(since)}" if (since := samples[-1].since) is not None else ""
            shown.append(f"{session.name} {samples[-1].state}{uptime} ({len(samples)} samples)")
    expected = "up, flap counter unchanged, uptime growing"
    return _check(seen, Invariant.NO_FLAP.value, router, expected, "; ".join(faults or shown), holds=not faults)


def _no_loss(seen: Seen, router: str, session: Watched) -> Check:
    samples = seen.samples(router, session)
    lost = next(_losses(seen, session, samples), None)
    what = "routes" if session.kind is SessionKind.BGP else "labels"
    first, last = _carries(samples[0]), _carries(samples[-1])
    fine = f"{session.name}: {first} {what} at first, {last} at last, {len(samples)} samples"
    return _check(
        seen,
        Invariant.NO_ROUTE_LOSS.value,
        router,
        f"{session.name}: the peer's {what} present in every sample",
        lost or fine,
        holds=lost is None,
    )


def _carries(sample: Sample) -> int:
    return len(sample.labels) if sample.labels is not None else sample.routes or 0


def _losses(seen: Seen, session: Watched, samples: Sequence[Sample]) -> Iterator[str]:
    had = samples[0]
    prefixes = {prefix for prefix, _ in had.labels or ()}
    for sample in samples:
        if sample.labels is not None:
            there = len(prefixes & {prefix for prefix, _ in sample.labels})
            before = len(prefixes)
        else:
            there, before = sample.routes or 0, had.routes or 0
        if there < before - before // CHURN:
            yield f"{session.name}: {there} instead of {before}, {after(seen, sample.at)}"


def _no_drops(seen: Seen, router: str) -> Check:
    looks = seen.looks[router]
    first = looks[0].dropped
    fault = None
    for one in looks:
        sent, received = (now - then for now, then in zip(one.dropped, first, strict=True))
        if sent < 0 or received < 0:
            fault = f"the counters were reset {after(seen, one.ended.ns)}: TCP or the router was restarted"
            break
        if sent or received:
            fault = f"{received} received and {sent} sent segments dropped by TCP due to auth errors"
            fault += f", the first {after(seen, one.ended.ns)}"
            break
    return _check(
        seen,
        NO_AUTH_DROPS,
        router,
        "no segment dropped by TCP due to auth errors",
        fault or f"none ({len(looks)} samples)",
        holds=fault is None,
    )


def _took_over(seen: Seen, turn: Turn) -> Check:
    at = seen.took_over(turn)
    last = seen.looks[turn.router][-1].chains.get(turn.chain)
    active = "none" if last is None or last.active_send is None else f"key {last.active_send}"
    observed = f"key {turn.key} active {after(seen, at.ns)}" if at is not None else f"{active} is active"
    due = seen.due(turn)
    return _check(
        seen,
        Invariant.ROLLOVER_COMPLETES.value,
        turn.router,
        f"{turn.chain}: key {turn.key} active from {turn.start:%Y-%m-%d %H:%M:%S %Z} on",
        observed,
        holds=at is not None,
        event="" if due is None else f"{turn.router}'s clock reached the start-time",
        passed=timedelta() if due is None else max(timedelta(), (at or seen.ended) - due),
    )


def _has_no_key(seen: Seen, router: str, chain: str) -> Check:
    awaited = seen.awaited
    theirs = ", ".join(f"key {turn.key} of {turn.router}" for turn in awaited.turns) if awaited else ""
    return _check(
        seen,
        Invariant.ROLLOVER_COMPLETES.value,
        router,
        f"{chain}: a key with the ids of {theirs}, reversed",
        "there is no such key",
        holds=False,
    )


def _carried(seen: Seen, router: str, session: Watched) -> Check:
    how = seen.carried(router, session)
    return _check(
        seen,
        Invariant.ROLLOVER_COMPLETES.value,
        router,
        f"{session.name}: a message from the peer since both keys are active",
        f"{session.name}: {how or 'none so far'}",
        holds=how is not None,
    )


def after(seen: Seen, at: int) -> str:
    """Say when an instant (ns since 1970) was, counted from the beginning of the watch."""
    return f"{(at - seen.began.ns) / 1e9:.1f} s after the watch began"


def keys_in_use(seen: Seen) -> dict[str, str]:
    """Return which keys each router has active and next, by the last look, in words."""
    found: dict[str, str] = {}
    for router, looks in seen.looks.items():
        chains: Mapping[str, str] = {name: keys_shown(chain) for name, chain in looks[-1].chains.items()}
        found[router] = "; ".join(f"{name}: {words}" for name, words in sorted(chains.items()))
    return found


def keys_shown(chain: ChainStatus) -> str:
    """Return which keys a chain shows as active and next, in words."""
    return f"active {_key(chain.active_send)}, next {_key(chain.next_send)}"


def _key(number: int | None) -> str:
    return "none" if number is None else f"key {number}"


def _check(
    seen: Seen,
    name: str,
    router: str,
    expected: str,
    observed: str,
    *,
    holds: bool,
    event: str = "",
    passed: timedelta = timedelta(),
) -> Check:
    assertion = Throughout(name, router, expected)
    return checked(assertion, Finding(holds, observed), event=event, after=passed, keys=keys_in_use(seen))
