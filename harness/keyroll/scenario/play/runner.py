"""Plays the steps of one scenario on routers that answer, and judges what must hold.

The engine (`engine.py`) brings the lab, the sessions and the folder; the runner only acts and looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from keyroll.junos.records import ChainStatus, SecurityKeychain
from keyroll.keychain.schedule import send_key
from keyroll.scenario.file.commit_steps import Clear
from keyroll.scenario.file.durations import format_duration
from keyroll.scenario.file.fields import ROUTERS, RouterName, SessionName
from keyroll.scenario.file.steps import Conditions, Step
from keyroll.scenario.judge.conditions import ON_WIRE, SAMPLED, SHOWN, Condition, View, conditions_of, judge
from keyroll.scenario.judge.invariants import INVARIANTS, Rollover, Watched, first_up
from keyroll.scenario.observe.drops import Drops
from keyroll.scenario.observe.sampler import Sample
from keyroll.scenario.play.commits import Committer
from keyroll.scenario.play.context import Moment, Stage, router_of
from keyroll.scenario.play.link import Linker
from keyroll.scenario.play.restarts import reboot, restart
from keyroll.scenario.play.time import RealTime, SettingClocks, Timekeeper
from keyroll.scenario.record.result import Check
from keyroll.scenario.record.timeline import Kind

Action = tuple[str, Callable[[], int | None]]
"""What a step does, and as what its time is counted. It may return the instant (ns) from which what was seen counts."""
SHOW_KEYCHAIN = "show security keychain"
_PROVOKE_EVERY = timedelta(seconds=1)


class Runner:
    """Plays one scenario once. `until` are the names of checks up to which it goes on though others are red."""

    def __init__(self, stage: Stage, *, until: Iterable[str] = ()) -> None:
        self.scenario = stage.scenario
        self.stage = stage
        self.rollovers: list[Rollover] = []
        self.up: int | None = None
        self.ended: int | None = None
        self._awaited = [name for name in until if "@" in name]
        self._moment = Moment("the start", time.time_ns(), time.time_ns())
        self._committer = Committer(stage)
        self._linker = Linker(stage, stage.links, seed=stage.seed) if stage.links is not None else None
        self._time: Timekeeper = RealTime(stage) if stage.real_time else SettingClocks(stage)
        self._number = 0
        self._shown: dict[RouterName, ChainStatus] = {}
        self._sending: dict[RouterName, int | None] = {}
        self._flaps_before: dict[RouterName, int] = {}
        self._counts_drops = any(one.conditions is not None and one.conditions.drops for one in stage.scenario.steps)
        self._drops_before: dict[RouterName, Drops] = {}
        """What the routers' counters said before the last step that did something."""
        self._fallen = True
        self._provoked = 0

    def play(self) -> tuple[Check, ...]:
        """Play all steps and judge what must hold throughout; return every check.

        Raises:
            RunError: a part of the run broke, or a state could not be read.
        """
        with self.stage.stopwatch.part("clocks", waiting=self.stage.real_time):
            self._time.begin()
        for number, step in enumerate(self.scenario.steps, start=1):
            self.stage.timeline.add(Kind.STEP, f"step {number}: {_words(step)}")
            self._number = number
            self._play(number, step)
            if not self._goes_on(number):
                self.stage.timeline.add(Kind.STEP, f"the run ends here: step {number} is red")
                break
        self._finish()
        return tuple(self.stage.checks)

    def watched(self, end: int) -> Watched:
        """Return what was seen until an instant (ns), for the invariants."""
        samples = self._samples()
        return Watched(
            self.up, end, samples, self.stage.wire, self.scenario.sessions, tuple(self.rollovers), self._keys()
        )

    # ------------------------------------------------------------------ steps

    def _play(self, number: int, step: Step) -> None:
        action = self._commit_action(number, step) or self._clock_action(step) or self._link_action(number, step)
        if action is not None:
            self._acting(number, step, *action)
        elif step.expect is not None:
            self._await(number, step.expect, self._deadline)
        elif step.expect_within is not None:
            within = step.expect_within.within
            self._await(number, step.expect_within, lambda _: within)
        elif step.stays is not None:
            self._stays(number, step.stays, step.stays.duration)

    def _deadline(self, condition: Condition) -> timedelta:
        """Return how long a condition may take; the wire of a session that was down has to wait for it to come up."""
        waits = self.stage.waits
        own = condition.deadline(waits)
        return max(own, waits.session_up) if self._fallen and condition.name in ON_WIRE else own

    def _any_down(self) -> bool:
        """Whether a session was not up when it was last looked at."""
        sampler, sessions = self.stage.sampler, self.scenario.sessions
        latest = [sampler.latest(router, session) for router in ROUTERS for session in sessions]
        return not all(sample is not None and sample.up for sample in latest)

    def _commit_action(self, number: int, step: Step) -> Action | None:
        if step.commits is not None:
            return "commits", partial(self._committer.play, number, step.commits)
        if step.cli is not None:
            return "commits", partial(self._committer.type_lines, number, step.cli)
        if step.await_rollback is not None:
            return "waits of the scenario", partial(self._committer.await_rollback, number, step.await_rollback)
        return ("commits", partial(self._clear, step.clear)) if step.clear is not None else None

    def _clock_action(self, step: Step) -> Action | None:
        if step.skew is not None:
            return "clocks", partial(self._time.set_skew, step.skew)
        if step.advance is not None:
            return "clocks", partial(self._time.advance, step.advance)
        return ("waits of the scenario", partial(self._let_pass, step.wait.duration)) if step.wait is not None else None

    def _link_action(self, number: int, step: Step) -> Action | None:
        if step.reboot is not None:
            return "reboot", partial(reboot, self.stage, step.reboot.router)
        if step.restart is not None:
            return "reboot", partial(restart, self.stage, step.restart.router)
        on_link = step.cut or step.restore or step.impair or step.inject or step.cross_syns
        return ("link", partial(self._linker.play, number, step)) if on_link and self._linker is not None else None

    def _goes_on(self, number: int) -> bool:
        """A red check ends the run, unless a check that a mutation names is still to be judged."""
        if not self.stage.red:
            return True
        return any(int(name.partition("@")[2]) > number for name in self._awaited)

    def _acting(self, number: int, step: Step, part: str, act: Callable[[], int | None]) -> None:
        """Do what a step does: from here on waits are counted from it, and keys may have taken over by it."""
        begun = time.time_ns()
        waits = step.wait is not None or (step.advance is not None and self.stage.real_time)
        with self.stage.stopwatch.part(part, waiting=waits):
            if self._counts_drops:
                self._drops_before = self.stage.drops.read()
            begun = act() or begun
        self._time.check(number)
        self._moment = Moment(f"step {number} ({_words(step)})", begun, time.time_ns())
        self._fallen = self._any_down()
        self._provoked = 0
        self._note_rollovers()

    def _clear(self, step: Clear) -> None:
        if step.session == "bgp":
            self.stage.pair.at_once(
                lambda session: session.clear_bgp(self.stage.peers[router_of(session)], soft=step.soft), step.routers
            )
        else:
            self.stage.pair.at_once(lambda session: session.show("clear ldp session"), step.routers)

    def _let_pass(self, duration: timedelta) -> None:
        end = time.monotonic() + duration.total_seconds()
        while (left := end - time.monotonic()) > 0:
            self.stage.check_lab()
            self.stage.pause.wait(min(left, 0.25))

    # ------------------------------------------------------------------ expectations

    def _await(self, number: int, step: Conditions, deadline: Callable[[Condition], timedelta]) -> None:
        pending = list(conditions_of(step))
        with self.stage.stopwatch.part("waiting for sessions and the wire", waiting=True):
            while pending:
                view = self._look(pending)
                still: list[Condition] = []
                for condition in pending:
                    holds, seen = judge(condition, view)
                    if holds or self._moment.since_done() >= deadline(condition):
                        self._judged(number, condition, seen, passed=holds)
                    else:
                        still.append(condition)
                pending = still
                if pending:
                    self._provoke(pending)
                    self.stage.pause.wait(self.stage.waits.poll.total_seconds())
            if self._expects_all_up(step):
                # Where a check is red already, nothing more is waited for; but what is up is not called down.
                self._await_up(timedelta() if self.stage.red else self.stage.waits.session_up)

    def _expects_all_up(self, step: Conditions) -> bool:
        wanted = {"bgp": "Established", "ldp": "Operational"}
        return any(getattr(step, name).get(router) == wanted[name] for name in wanted for router in ROUTERS)

    def _stays(self, number: int, step: Conditions, duration: timedelta) -> None:
        conditions = conditions_of(step)
        asked = time.time_ns()
        for router in {condition.router for condition in conditions if condition.name in SAMPLED}:
            self.stage.sampler.await_fresh(router, asked, within=self.stage.waits.shown)
        begun = time.monotonic()
        with self.stage.stopwatch.part("waiting for sessions and the wire", waiting=True):
            while True:
                view = self._look(conditions)
                broken = [(one, seen) for one in conditions for holds, seen in (judge(one, view),) if not holds]
                if broken or time.monotonic() - begun >= duration.total_seconds():
                    break
                self.stage.pause.wait(self.stage.waits.watch.total_seconds())
        for condition in conditions:
            seen = next((seen for one, seen in broken if one is condition), None)
            self._judged(number, condition, seen or f"held for {format_duration(duration)}", passed=seen is None)

    def _look(self, conditions: Iterable[Condition]) -> View:
        self.stage.check_lab()
        self._time.check(self._number)
        names = {condition.name for condition in conditions}
        routers = [
            router for router in ROUTERS if any(one.router == router and one.name in SHOWN for one in conditions)
        ]
        if routers:
            with self.stage.stopwatch.part("show commands"):
                self._show(routers)
        self.stage.wire.pump()
        samples: dict[tuple[RouterName, SessionName], Sample | None] = {}
        for router in ROUTERS:
            for session in self.scenario.sessions:
                latest = self.stage.sampler.latest(router, session)
                samples[router, session] = latest if latest and latest.asked >= self._moment.begun else None
        since = self._moment.begun if names else 0
        return View(
            since,
            samples,
            dict(self._shown),
            self.stage.wire,
            self.scenario.sessions,
            dict(self._flaps_before),
            self._drops_since() if "drops" in names else {},
        )

    def _drops_since(self) -> dict[RouterName, Drops]:
        now = self.stage.drops.read()
        return {router: now[router].since(before) for router, before in self._drops_before.items()}

    def _show(self, routers: Sequence[RouterName]) -> None:
        for router, exchange in self.stage.pair.show(SHOW_KEYCHAIN, routers).items():
            shown = exchange.parsed_as(SecurityKeychain)
            names = [chain.name for chain in shown.chains]
            if self.stage.keyring.meant(router).used in names:
                self._shown[router] = shown.chain(self.stage.keyring.meant(router).used)
            else:
                self._shown.pop(router, None)

    def _provoke(self, pending: Iterable[Condition]) -> None:
        """Have routes sent again where the wire is awaited and the session is up: it makes data at once, harmlessly."""
        now = time.time_ns()
        if (
            now - self._provoked < _PROVOKE_EVERY / timedelta(microseconds=1) * 1000
            or "bgp" not in self.scenario.sessions
        ):
            return
        latest = [self.stage.sampler.latest(router, "bgp") for router in ROUTERS]
        if any(one.name in ON_WIRE for one in pending) and all(found is not None and found.up for found in latest):
            self._provoked = now
            self.stage.pair.at_once(lambda session: session.clear_bgp(self.stage.peers[router_of(session)], soft=True))

    def _samples(self) -> dict[tuple[RouterName, SessionName], tuple[Sample, ...]]:
        return {
            (router, session): self.stage.sampler.samples(router, session)
            for router in ROUTERS
            for session in self.scenario.sessions
        }

    def _await_up(self, within: timedelta) -> None:
        """From here on the session is watched: both ends have seen it up, with routes."""
        self.up = self.up or first_up(self._samples())
        while self.up is None and self._moment.since_done() < within:
            self.stage.pause.wait(self.stage.waits.poll.total_seconds())
            self.up = first_up(self._samples())
        if self.up is not None and not self._sending:
            self.stage.timeline.add(Kind.SESSION, "the sessions are up on both routers, with routes", at=self.up)
            self._sending = {router: self._should_send(router) for router in ROUTERS}
            self._flaps_before = self._flaps_at(self.up)

    def _flaps_at(self, instant: int) -> dict[RouterName, int]:
        """Return what each router's BGP flap counter said in its last sample until an instant (ns)."""
        found: dict[RouterName, int] = {}
        for router in ROUTERS if "bgp" in self.scenario.sessions else ():
            samples = self.stage.sampler.samples(router, "bgp")
            last = next((one for one in reversed(samples) if one.at <= instant), None)
            if last is not None and last.flaps is not None:
                found[router] = last.flaps
        return found

    def _note_rollovers(self) -> None:
        if self.up is None:
            return
        for router in ROUTERS:
            key = self._should_send(router)
            if key is not None and key != self._sending[router]:
                self.rollovers.append(Rollover(router, key, self._moment.begun, self._moment.text))
            self._sending[router] = key

    def _should_send(self, router: RouterName) -> int | None:
        now = self.stage.clocks[router].now()
        key = send_key(self.stage.keyring.meant(router).chain, now) if now is not None else None
        return key.id if key is not None else None

    # ------------------------------------------------------------------ the end

    def _finish(self) -> None:
        """Wait for pending rollovers, look once more, and judge the invariants."""
        if not self.stage.red and "rollover-completes" in self.scenario.throughout:
            self._await_rollovers()
        asked = time.time_ns()
        for router in ROUTERS:
            if router in self._committer.based:
                self.stage.sampler.await_fresh(router, asked, within=self.stage.waits.shown * 3)
        end = self.ended = time.time_ns()
        with self.stage.stopwatch.part("verdict"):
            self.stage.wire.pump()
            watched = self.watched(end)
            for name in self.scenario.throughout:
                for check in INVARIANTS[name](watched):
                    self.stage.add(check)

    def _await_rollovers(self) -> None:
        conditions = [Condition("wire", rollover.router, rollover.key) for rollover in self.rollovers]
        with self.stage.stopwatch.part("waiting for sessions and the wire", waiting=True):
            while conditions and self._moment.since_done() < self.stage.waits.wire:
                self.stage.check_lab()
                self.stage.wire.pump()
                if all(check.passed for check in INVARIANTS["rollover-completes"](self.watched(time.time_ns()))):
                    return
                self._provoke(conditions)
                self.stage.pause.wait(self.stage.waits.poll.total_seconds())

    def _judged(self, number: int, condition: Condition, seen: str, *, passed: bool) -> None:
        self.stage.add(
            Check(
                condition.name,
                passed=passed,
                expected=condition.expected(),
                observed=seen,
                step=number,
                router=condition.router,
                event=self._moment.text,
                after=self._moment.since_done(),
                keys={} if passed else self._keys(),
            )
        )

    def _keys(self) -> dict[str, str]:
        keys: dict[str, str] = {}
        for router in ROUTERS:
            chain = self._shown.get(router)
            shown = f"shows active {chain.active_send}, next {chain.next_send}" if chain else "was not asked for keys"
            sides = [(session, self.stage.wire.side(router, session)) for session in self.scenario.sessions]
            sent = (
                "; ".join(f"{session}: sends {side.words()}" for session, side in sides if side)
                or "sends nothing signed"
            )
            keys[router] = f"{shown}; {sent}"
        return keys


def _words(step: Step) -> str:
    """Return a step in a line, as the file would write it."""
    body = getattr(step, step.kind.replace("-", "_"))
    fields = body.model_dump(by_alias=True, exclude_unset=True, mode="json")
    return f"{step.kind} {', '.join(f'{name}: {_value(value)}' for name, value in fields.items())}".strip()


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        values = {str(item) for item in value.values()}
        if len(value) == len(ROUTERS) and len(values) == 1:
            return _value(next(iter(value.values())))
        return "{" + ", ".join(f"{name}: {_value(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return "null" if value is None else str(value)
