"""What is seen of the routers between two steps, and `act`, which a step's action goes through.

An action moves what counts: from its begin on for what is seen, from its end on for how long a thing may take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from keyroll.instants import Instant, until
from keyroll.junos.records import ChainStatus, SecurityKeychain
from keyroll.keychain.schedule import send_key
from keyroll.names import SessionKind
from keyroll.scenario.file.fields import ROUTERS, RouterName, SessionName
from keyroll.scenario.judge.conditions import Condition, Source, View
from keyroll.scenario.judge.invariants import Rollover, Watched, first_up
from keyroll.scenario.observe.drops import Drops
from keyroll.scenario.observe.sampler import Sample
from keyroll.scenario.plan.keyring import Span
from keyroll.scenario.play.context import Moment, Run, router_of
from keyroll.scenario.record.timeline import Kind

SHOW_KEYCHAIN = "show security keychain"
_PROVOKE_EVERY = timedelta(seconds=1)
"""Each soft clear costs both routers an exchange of all routes; the wire needs one segment with data."""


class Watch:
    """What a run has seen so far, beyond what samples and captures keep by themselves."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.up: int | None = None
        """Since when (ns) the sessions are watched: both ends have seen them up, with routes and labels."""
        self.ended: int | None = None
        """When (ns) the last look was taken."""
        self.rollovers: list[Rollover] = []
        self.fallen = True
        """Whether a session was not up after the last action."""
        self._shown: dict[RouterName, ChainStatus] = {}
        self._sending: dict[RouterName, int | None] = {}
        self._flaps_before: dict[RouterName, int] = {}
        self._counts_drops = any(Source.DROPS.value in step.checks() for step in run.scenario.steps)
        self._drops_before: dict[RouterName, Drops] = {}
        """What the routers' counters said before the last action."""
        self._provoked = 0

    def before_action(self) -> None:
        """Read the counters of drops, where a step is to compare them."""
        if self._counts_drops:
            self._drops_before = self._run.routers.drops.read()

    def after_action(self, text: str, span: Span) -> None:
        """Note that something was done: from here on waits are counted, and keys may have taken over by it."""
        self._run.moment = Moment(text, span)
        self.fallen = self._any_down()
        self._provoked = 0
        self._note_rollovers()

    def look(self, conditions: Iterable[Condition]) -> View:
        """Read what the conditions rest on. Raises RunError, and RunUnfitError when it is too late for this step."""
        run = self._run
        run.routers.check()
        run.time.check(run)
        asked = {condition.router for condition in conditions if condition.source is Source.SHOWN}
        if asked:
            with run.record.part("show commands"):
                self._show([router for router in ROUTERS if router in asked])
        run.wire.pump()
        since = run.moment.span.begun
        samples: dict[tuple[RouterName, SessionName], Sample | None] = {}
        for router in ROUTERS:
            for session in run.scenario.sessions:
                latest = run.samples.latest(router, session)
                samples[router, session] = latest if latest and latest.asked >= since else None
        counted = any(condition.source is Source.DROPS for condition in conditions)
        return View(
            since,
            samples,
            dict(self._shown),
            run.wire,
            run.scenario.sessions,
            dict(self._flaps_before),
            self._drops_since() if counted else {},
        )

    def provoke(self, pending: Iterable[Condition]) -> None:
        """Have routes sent again where the wire is awaited and the session is up: it makes data at once, harmlessly."""
        run = self._run
        if SessionKind.BGP not in run.scenario.sessions or run.since(self._provoked) < _PROVOKE_EVERY:
            return
        latest = [run.samples.latest(router, SessionKind.BGP) for router in ROUTERS]
        if any(one.source is Source.WIRE for one in pending) and all(
            found is not None and found.up for found in latest
        ):
            self._provoked = run.now()
            peers = run.routers.peers
            run.routers.pair.at_once(lambda session: session.clear_bgp(peers[router_of(session)], soft=True))

    def await_up(self, within: timedelta) -> None:
        """Wait until both ends have seen the sessions up; from then on they are watched."""
        run = self._run
        if self.up is None:
            deadline = Instant(run.moment.span.done) + within
            self.up = until(run.clock, lambda: first_up(self.samples()), deadline=deadline, poll=run.waits.poll)
        if self.up is not None and not self._sending:
            run.record.timeline.add(Kind.SESSION, "the sessions are up on both routers, with routes", at=self.up)
            self._sending = {router: self._should_send(router) for router in ROUTERS}
            self._flaps_before = self._flaps_at(self.up)

    def samples(self) -> dict[tuple[RouterName, SessionName], tuple[Sample, ...]]:
        """Return all samples so far."""
        run = self._run
        return {
            (router, session): run.samples.samples(router, session)
            for router in ROUTERS
            for session in run.scenario.sessions
        }

    def watched(self, end: int) -> Watched:
        """Return what was seen until an instant (ns), for the invariants."""
        run = self._run
        return Watched(
            self.up, end, self.samples(), run.wire, run.scenario.sessions, tuple(self.rollovers), self.keys()
        )

    def keys(self) -> dict[str, str]:
        """Return by router which key it shows and which it sends with, in words."""
        keys: dict[str, str] = {}
        for router in ROUTERS:
            chain = self._shown.get(router)
            shown = f"shows active {chain.active_send}, next {chain.next_send}" if chain else "was not asked for keys"
            sides = [(session, self._run.wire.side(router, session)) for session in self._run.scenario.sessions]
            sent = (
                "; ".join(f"{session}: sends {side.words()}" for session, side in sides if side)
                or "sends nothing signed"
            )
            keys[router] = f"{shown}; {sent}"
        return keys

    def _any_down(self) -> bool:
        run = self._run
        latest = [run.samples.latest(router, session) for router in ROUTERS for session in run.scenario.sessions]
        return not all(sample is not None and sample.up for sample in latest)

    def _drops_since(self) -> dict[RouterName, Drops]:
        now = self._run.routers.drops.read()
        return {router: now[router].since(before) for router, before in self._drops_before.items()}

    def _show(self, routers: Sequence[RouterName]) -> None:
        for router, exchange in self._run.routers.pair.show(SHOW_KEYCHAIN, routers).items():
            shown = exchange.parsed_as(SecurityKeychain)
            used = self._run.keyring.meant(router).used
            if used in [chain.name for chain in shown.chains]:
                self._shown[router] = shown.chain(used)
            else:
                self._shown.pop(router, None)

    def _flaps_at(self, instant: int) -> dict[RouterName, int]:
        """Return what each router's BGP flap counter said in its last sample until an instant (ns)."""
        found: dict[RouterName, int] = {}
        for router in ROUTERS if SessionKind.BGP in self._run.scenario.sessions else ():
            samples = self._run.samples.samples(router, SessionKind.BGP)
            last = next((one for one in reversed(samples) if one.at <= instant), None)
            if last is not None and last.flaps is not None:
                found[router] = last.flaps
        return found

    def _note_rollovers(self) -> None:
        if self.up is None:
            return
        moment = self._run.moment
        for router in ROUTERS:
            key = self._should_send(router)
            if key is not None and key != self._sending[router]:
                self.rollovers.append(Rollover(router, key, moment.span.begun, moment.text))
            self._sending[router] = key

    def _should_send(self, router: RouterName) -> int | None:
        now = self._run.routers.clocks[router].now()
        key = send_key(self._run.keyring.meant(router).chain, now) if now is not None else None
        return key.id if key is not None else None


def act(run: Run, part: str, work: Callable[[], int | None], *, waiting: bool = False) -> Span:
    """Do the work of a step, and return when it was done.

    Args:
        run: the run.
        part: as what its time is counted (`result.json`, "seconds").
        work: does it; returns the instant (ns) from which what is seen counts, or None: from when it began.
        waiting: whether its time passes by waiting.
    """
    begun = run.now()
    with run.record.part(part, waiting=waiting):
        run.kept(Watch).before_action()
        begun = work() or begun
    return Span(begun, run.now())
