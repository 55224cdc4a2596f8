"""Observation of the routers between steps, and `act`, which every action of a step goes through.

After an action only what is observed since its begin counts, and deadlines are counted from its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial

from keyroll.instants import Instant, until
from keyroll.junos.records import ChainStatus, SecurityKeychain
from keyroll.junos.session import RouterSession
from keyroll.keychain.schedule import send_key
from keyroll.names import SessionKind
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.judge.conditions import Condition, Source, View, number_or_none
from keyroll.scenario.judge.invariants import Rollover, Watched, first_up
from keyroll.scenario.observe.drops import Drops
from keyroll.scenario.observe.sampler import Sample
from keyroll.scenario.plan.keyring import Span
from keyroll.scenario.play.context import Moment, Routers, Run, router_of
from keyroll.scenario.record.timeline import Kind

SHOW_KEYCHAIN = "show security keychain"
_PROVOKE_EVERY = timedelta(seconds=1)
"""Interval between two soft clears: each makes both routers send all routes, and one segment with data is enough."""


class Watch:
    """What a run has observed so far, except what the sampler and the captures store."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.up: int | None = None
        """Since when (ns) the sessions are up at both ends, with routes and labels; None: not yet."""
        self.ended: int | None = None
        """When (ns) the run's observation ended; None: not yet."""
        self.rollovers: list[Rollover] = []
        self.any_down = True
        """Whether a session was not up after the last action."""
        self._not_sampled: set[tuple[RouterName, str]] = set()
        """The routers' sessions without a sample since the last action ended."""
        self._shown: dict[RouterName, dict[str, ChainStatus]] = {}
        """By router, the chains in its last `show security keychain`, by name."""
        self._sending: dict[tuple[RouterName, str], int | None] = {}
        """By router and chain, the key that the router must send with by its clock."""
        self._flaps_before: dict[RouterName | tuple[RouterName, str], int] = {}
        self._counts_drops = any(Source.DROPS.value in step.checks() for step in run.scenario.steps)
        self._drops_before: dict[RouterName, Drops] = {}
        """The routers' drop counters before the last action."""
        self._followed: dict[tuple[RouterName, str], str] = {}
        """By router and session, the chain that protected it after the last action."""
        self._provoked = 0

    def before_action(self) -> None:
        """Read the drop counters, if a step compares them."""
        if self._counts_drops:
            self._drops_before = self._run.routers.drops.read()

    def after_action(self, text: str, span: Span) -> None:
        """Record an action: deadlines are counted from it, and it may have started rollovers."""
        self._run.moment = Moment(text, span)
        self.any_down = self._any_down()
        self._not_sampled = {(router, name) for router in ROUTERS for name in self._run.scenario.session_names}
        self._provoked = 0
        self._note_rollovers()

    def look(self, conditions: Iterable[Condition]) -> View:
        """Read what the conditions need. Raises RunError, and RunUnfitError if it is too late for the current step."""
        run = self._run
        run.routers.check()
        run.time.check(run)
        asked = {condition.router for condition in conditions if condition.source is Source.SHOWN}
        if asked:
            with run.record.part("show commands"):
                self._show([router for router in ROUTERS if router in asked])
        run.wire.pump()
        since = run.moment.span.begun
        samples: dict[tuple[RouterName, str], Sample | None] = {}
        for router in ROUTERS:
            for session in run.scenario.session_names:
                latest = run.samples.latest(router, session)
                samples[router, session] = latest if latest and latest.asked >= since else None
                self._note_down(router, session, latest)
        counted = any(condition.source is Source.DROPS for condition in conditions)
        return View(
            since,
            samples,
            {router: chain for router in ROUTERS if (chain := self._chain(router, None)) is not None},
            run.wire,
            run.scenario.session_names,
            dict(self._flaps_before),
            self._drops_since() if counted else {},
            {
                (router, session): self._chain(router, session)
                for router in ROUTERS
                for session in run.keyring.intended(router).pointed
            },
        )

    def _note_down(self, router: RouterName, session: str, latest: Sample | None) -> None:
        """Note a session that the first sample after the action shows down; one from before it still shows it up."""
        if (router, session) in self._not_sampled and latest and latest.asked >= self._run.moment.span.done:
            self._not_sampled.discard((router, session))
            self.any_down = self.any_down or not latest.up

    def _chain(self, router: RouterName, session: str | None) -> ChainStatus | None:
        """Return the chain of a session as a router shows it; None: the chain of sessions without their own."""
        held = self._run.keyring.intended(router)
        return self._shown.get(router, {}).get(held.used if session is None else held.used_by(session))

    def provoke(self, pending: Iterable[Condition]) -> None:
        """Make the routers send data if a condition waits for the wire: a soft clear sends routes without a flap."""
        run = self._run
        if run.since(self._provoked) < _PROVOKE_EVERY or not any(one.source is Source.WIRE for one in pending):
            return
        names = [name for name in run.sessions_of(SessionKind.BGP) if self._is_up(name)]
        if names:
            self._provoked = run.now()
            run.routers.pair.at_once(partial(_provoke, run.routers, names))

    def _is_up(self, session: str) -> bool:
        latest = [self._run.samples.latest(router, session) for router in ROUTERS]
        return all(found is not None and found.up for found in latest)

    def await_up(self, within: timedelta) -> None:
        """Wait until the sessions are up at both ends; the invariants are judged from then on."""
        run = self._run
        if self.up is None:
            deadline = Instant(run.moment.span.done) + within
            self.up = until(run.clock, lambda: first_up(self.samples()), deadline=deadline, poll=run.waits.poll)
        if self.up is not None and not self._sending:
            run.record.timeline.add(Kind.SESSION, "the sessions are up on both routers, with routes", at=self.up)
            self._sending = {
                (router, chain): self._should_send(router, chain) for router in ROUTERS for chain in self._used(router)
            }
            self._flaps_before = self._flaps_at(self.up)

    def samples(self) -> dict[tuple[RouterName, str], tuple[Sample, ...]]:
        """Return all samples so far."""
        run = self._run
        return {
            (router, session): run.samples.samples(router, session)
            for router in ROUTERS
            for session in run.scenario.session_names
        }

    def watched(self, end: int) -> Watched:
        """Return what was observed until an instant (ns), for the invariants."""
        run = self._run
        names, rollovers = run.scenario.session_names, tuple(self.rollovers)
        return Watched(self.up, end, self.samples(), run.wire, names, rollovers, self.keys(), run.named)

    def keys(self) -> dict[str, str]:
        """Return by router which key it shows and which it sends with, in words."""
        keys: dict[str, str] = {}
        for router in ROUTERS:
            shown = self._shown_words(router)
            sides = [(session, self._run.wire.side(router, session)) for session in self._run.scenario.session_names]
            sent = (
                "; ".join(f"{session}: sends {side.words()}" for session, side in sides if side)
                or "sends nothing signed"
            )
            keys[router] = f"{shown}; {sent}"
        return keys

    def _shown_words(self, router: RouterName) -> str:
        used = self._used(router)
        chains = [chain for name in used if (chain := self._shown.get(router, {}).get(name)) is not None]
        words = [
            f"shows active {number_or_none(chain.active_send)}, next {number_or_none(chain.next_send)}"
            for chain in chains
        ]
        if len(used) > 1:
            words = [f"{chain.name} {text}" for chain, text in zip(chains, words, strict=True)]
        return "; ".join(words) or "keys not read"

    def _any_down(self) -> bool:
        return not all(self._is_up(session) for session in self._run.scenario.session_names)

    def _used(self, router: RouterName) -> dict[str, tuple[str, ...]]:
        """Return the chains that protect a router's sessions, each with these sessions."""
        held = self._run.keyring.intended(router)
        found: dict[str, tuple[str, ...]] = {}
        for session in self._run.scenario.session_names:
            name = held.used_by(session)
            found[name] = (*found.get(name, ()), session)
        return found

    def _drops_since(self) -> dict[RouterName, Drops]:
        now = self._run.routers.drops.read()
        return {router: now[router].since(before) for router, before in self._drops_before.items()}

    def _show(self, routers: Sequence[RouterName]) -> None:
        for router, exchange in self._run.routers.pair.show(SHOW_KEYCHAIN, routers).items():
            shown = exchange.parsed_as(SecurityKeychain)
            self._shown[router] = {chain.name: chain for chain in shown.chains}

    def _flaps_at(self, instant: int) -> dict[RouterName | tuple[RouterName, str], int]:
        """Return each router's BGP flap counters in the last sample until an instant (ns).

        They are by router, or by router and session if the file names its sessions.
        """
        found: dict[RouterName | tuple[RouterName, str], int] = {}
        for router in ROUTERS:
            for session in self._run.sessions_of(SessionKind.BGP):
                samples = self._run.samples.samples(router, session)
                last = next((one for one in reversed(samples) if one.at <= instant), None)
                if last is not None and last.flaps is not None:
                    found[router if self._run.named is None else (router, session)] = last.flaps
        return found

    def _note_rollovers(self) -> None:
        if self.up is None:
            return
        moment, named = self._run.moment, self._run.named is not None
        for router in ROUTERS:
            for chain, sessions in self._used(router).items():
                key = self._should_send(router, chain)
                place = router, chain
                before = self._sending.get(place, self._before_pointing(router, sessions))
                if key is not None and key != before:
                    of = sessions if named else None
                    self.rollovers.append(Rollover(router, key, moment.span.begun, moment.text, of))
                self._sending[place] = key
                self._followed.update({(router, session): chain for session in sessions})

    def _before_pointing(self, router: RouterName, sessions: Sequence[str]) -> int | None:
        """Return the key that sessions were protected with before they were pointed to another chain."""
        return self._sending.get((router, self._followed.get((router, sessions[0]), "")))

    def _should_send(self, router: RouterName, chain: str) -> int | None:
        now = self._run.routers.clocks[router].now()
        key = send_key(self._run.keyring.intended(router).named(chain), now) if now is not None else None
        return key.id if key is not None else None


def _provoke(routers: Routers, names: Sequence[str], session: RouterSession) -> None:
    for name in names:
        session.clear_bgp(routers.peer(router_of(session), name), soft=True)


def act(run: Run, part: str, work: Callable[[], int | None], *, waiting: bool = False) -> Span:
    """Do the work of a step, and return the time of it.

    Args:
        run: the run.
        part: the name that its time is counted under (`result.json`, "seconds").
        work: does the work; returns the instant (ns) from which observations count, or None: from its begin.
        waiting: whether its time is spent waiting.
    """
    begun = run.now()
    with run.record.part(part, waiting=waiting):
        run.kept(Watch).before_action()
        begun = work() or begun
    return Span(begun, run.now())
