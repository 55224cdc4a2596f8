"""One watch from beginning to end: log in, read, predict, sample until the rollover has completed or failed, judge."""

from __future__ import annotations

import contextlib
import shlex
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from keyroll import __version__
from keyroll.durations import format_duration
from keyroll.errors import KeyrollError, UnfitError
from keyroll.instants import Instant
from keyroll.junos.exchange import Exchange
from keyroll.scenario.observe.router_clock import RouterClock
from keyroll.scenario.record.record import Record
from keyroll.scenario.record.result import Check, Result, Verdict
from keyroll.scenario.record.run_folder import RunFolder, make_run_folder
from keyroll.scenario.record.stopwatch import Stopwatch
from keyroll.scenario.record.timeline import Kind, Timeline
from keyroll.watch.as_json import as_data, headline_of
from keyroll.watch.one_look import checks_of_now
from keyroll.watch.pace import Stopped
from keyroll.watch.redacted import Redaction, chains_as_data, lines_of
from keyroll.watch.router import Router
from keyroll.watch.sampling import ClockReading, Look, look, read_clock
from keyroll.watch.situation import Awaited, Situation, configuration_of, situation_of
from keyroll.watch.state import Options, State
from keyroll.watch.verdict import LABELS_MAX, Seen, checks_of, completion_of, keys_shown
from keyroll.watch.wire import Capturing, Wire, judge_wire

T = TypeVar("T")
GAP_LOOKS = 3
"""See GAP_MIN: one look may be late, and one may fail."""
GAP_MIN = timedelta(seconds=30)
"""After a longer time without a look at a router the watch is unfit: routes could be lost and return unseen. A flap
could not: counters and uptimes show it. The time is that of three looks, at least the shortest usual hold time."""
CLOCK_STEP = timedelta(seconds=2)
"""A clock that differs by more than the seconds of two readings was set in between."""
CAPTURE = "wire.pcap"
"""Where a command's or standard input's capture is kept in the run folder."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a watch."""

    result: Result
    state: State
    headline: str


def watch(options: Options) -> Outcome:
    """Watch until the end, and write the run folder. An error on the way (a login, a lost session) is a verdict too.

    Raises:
        InputError, RunError: the run folder cannot be made or written.
    """
    now = options.clock.wall().moment
    name = "watch-" + "-".join(options.inventory.routers)
    path = make_run_folder(options.run_dir, name=name, seed="watch", now=now)
    redaction = Redaction(options.targets)
    folder = RunFolder(path, redaction)
    clocks = {router: RouterClock(None, clock=options.clock) for router in options.inventory.routers}
    with (
        contextlib.closing(folder),
        Timeline(folder.timeline, clocks=clocks, redact=folder.redact, clock=options.clock) as timeline,
    ):
        for observer in options.observers:
            timeline.observe(observer)
        outcome = _Run(options, folder, redaction, timeline, clocks).whole()
    folder.seal()
    return outcome


class _Run:
    def __init__(
        self,
        options: Options,
        folder: RunFolder,
        redaction: Redaction,
        timeline: Timeline,
        clocks: Mapping[str, RouterClock],
    ) -> None:
        self.options = options
        self.folder = folder
        self.redaction = redaction
        self.timeline = timeline
        self.clocks = clocks
        self.state = State(options)
        if options.on_begin is not None:
            options.on_begin(self.state)
        self.stop = threading.Event()
        self.stopwatch = Stopwatch(options.clock)
        self.record = Record(timeline, self.stopwatch, lambda *_: None)
        self.routers = [
            Router(target, recorder=self._note_exchange, stop=self.stop, clock=options.clock)
            for target in options.targets
        ]
        self.began = options.clock.now()
        self.texts: dict[str, str] = {}
        self.capturing: Capturing | None = None

    def whole(self) -> Outcome:
        """Watch, judge what was seen, and write the verdict."""
        self._write_inputs()
        with ThreadPoolExecutor(len(self.routers), thread_name_prefix="router") as pool:
            self.pool = pool
            try:
                if self.options.capture is not None:
                    self.capturing = Capturing(self.options.capture, self.folder.path / CAPTURE)
                self._watch()
            except KeyboardInterrupt:
                self.state.verdict, self.state.reason = Verdict.INTERRUPTED, "interrupted; this is the verdict so far"
            except KeyrollError as error:
                self.state.verdict, self.state.reason = Verdict.UNFIT, str(error)
            finally:
                self.stop.set()
                for router in self.routers:
                    router.abort()
                if self.capturing is not None:
                    self.capturing.stop()
        for router in self.routers:
            router.close()
        return self._judged()

    # ------------------------------------------------------------------ looking at the routers

    def _watch(self) -> None:
        with self.stopwatch.part("log in"):
            self._both(lambda router: router.login())
            self.timeline.add(Kind.RUN, f"logged in to {' and '.join(router.name for router in self.routers)}")
        with self.stopwatch.part("read"):
            situation = self._read()
        seen = self.state.seen = Seen(situation.sessions, self._awaited(situation))
        self._note_prediction(situation)
        if self.options.once:
            self._look(situation, seen)
            return
        if seen.awaited is None and self.options.until is None:
            raise UnfitError(
                "no rollover is coming in the chains of the watched sessions",
                remedy="commit the next key first, or watch with --until",
            )
        with self.stopwatch.part("watch", waiting=True):
            self._sample(situation, seen)

    def _read(self) -> Situation:
        texts = self._both(lambda router: router.configuration())
        configurations = {name: configuration_of(name, text) for name, text in texts.items()}
        self.redaction.learn(texts.values(), configurations)
        for router in self.routers:
            router.learn(self.redaction.secrets)
        if self.options.capture is not None:
            self.texts = texts  # the judge of the wire reads them again; they stay in memory
        for name, configuration in configurations.items():
            self.folder.write(f"{name}.conf", "\n".join(lines_of(configuration)) + "\n")
        found = situation_of(
            self.options.inventory, configurations, at=self.options.clock.now().moment, skew=timedelta(seconds=1)
        )
        readings = self._both(lambda router: read_clock(router, found.zone(router.name)))
        for name, reading in readings.items():
            self._note_clock(name, reading)
        at = max(reading.shown for reading in readings.values())
        skew = self.state.skew
        most = timedelta(seconds=1) if skew is None else _whole_seconds(skew.most)
        found = situation_of(self.options.inventory, configurations, at=at, skew=most)
        self.state.situation = found
        self.folder.write_json("chains.json", chains_as_data(found))
        return found

    def _awaited(self, situation: Situation) -> Awaited | None:
        at = min(reading.shown for reading in self.state.clocks.values())
        return situation.awaited(at)

    def _sample(self, situation: Situation, seen: Seen) -> None:
        limit = max(GAP_LOOKS * self.options.every, GAP_MIN)
        red = 0
        while True:
            begun = self.options.clock.now()
            last = {name: some[-1].ended for name, some in seen.looks.items()}
            self._look(situation, seen)
            for name, ended in last.items():
                gap = seen.looks[name][-1].ended - ended
                if gap > limit:
                    raise UnfitError(
                        f"{name} gave no sample for {format_duration(gap)} (at most {format_duration(limit)}): "
                        "routes could be lost and return unseen",
                        remedy="the router or the way to it is slow: give a longer --every",
                    )
            if self.options.on_look is not None:
                self.options.on_look(self.state)
            red += any(not check.passed for check in checks_of(seen.recent()))
            # One more look after the first red one: the other router may notice a moment later.
            if seen.completed or seen.overdue() or red > 1:
                return
            if self.options.until is not None and self.options.clock.now().moment >= self.options.until:
                return
            self._rest(begun)

    def _rest(self, begun: Instant) -> None:
        """Let the time pass to the next sample: it begins `every` after the last one began."""
        self.options.clock.pause(begun + self.options.every - self.options.clock.now())

    def _look(self, situation: Situation, seen: Seen) -> None:
        def one(router: Router) -> None:
            many = seen.without_labels(router.name)
            found = look(router, seen.sessions, situation.zone(router.name), without_labels=many)
            self._note_look(found, seen)

        self._both(one)

    def _both(self, work: Callable[[Router], T]) -> dict[str, T]:
        """Run `work` for both routers at once; raises the error of the first one that failed, when both have ended."""
        futures = {router.name: self.pool.submit(work, router) for router in self.routers}
        errors = [error for future in futures.values() if (error := future.exception()) is not None]
        if errors:
            causes = [error for error in errors if not isinstance(error, Stopped)]
            raise (causes or errors)[0]
        return {name: future.result() for name, future in futures.items()}

    # ------------------------------------------------------------------ the timeline

    def _note_exchange(self, exchange: Exchange) -> None:
        self.folder.record(exchange)
        self.timeline.add(Kind.COMMAND, exchange.command, router=exchange.host)

    def _note_clock(self, name: str, reading: ClockReading) -> None:
        known = self.state.clocks.get(name)
        self.state.clocks[name] = reading
        if known is None:
            self._set(name, reading)
            self.timeline.add(
                Kind.CLOCK, f"clock {reading.shown:%Y-%m-%d %H:%M:%S} UTC, {_source(reading)}", router=name
            )
            return
        step = reading.at(reading.answered) - known.at(reading.answered)
        if abs(step) > CLOCK_STEP:
            self._set(name, reading)
            self.timeline.add(Kind.CLOCK, f"the clock was set by {step.total_seconds():+.0f} s", router=name)

    def _set(self, name: str, reading: ClockReading) -> None:
        self.clocks[name].was_set(reading.shown, begun=reading.asked.ns, done=reading.answered.ns)

    def _note_look(self, found: Look, seen: Seen) -> None:
        self._note_clock(found.router, found.clock)
        before = seen.looks.get(found.router, [])[-1:]
        seen.add(found)
        for name, chain in found.chains.items():
            known = before[0].chains[name] if before else None
            if known is None or (known.active_send, known.next_send) != (chain.active_send, chain.next_send):
                words = f"{name}: {keys_shown(chain)}"
                self.timeline.add(Kind.STEP, words, router=found.router, at=found.keys_at[1].ns)
        for name, sample in found.samples.items():
            last = before[0].samples[name] if before else None
            if last is None or (last.state, last.flaps) != (sample.state, sample.flaps):
                flaps = f", {sample.flaps} flaps" if sample.flaps is not None else ""
                self.timeline.add(Kind.SESSION, f"{name} {sample.state}{flaps}", router=found.router, at=sample.at)

    def _note_prediction(self, situation: Situation) -> None:
        skew = self.state.skew
        if skew is not None:
            one, other = situation.routers
            self.timeline.add(Kind.CLOCK, f"{other}'s clock is {skew} ahead of {one}'s")
        awaited = self.state.awaited
        if awaited is None:
            self.timeline.add(Kind.RUN, "no rollover is coming")
            return
        for number, predicted in awaited.rollovers:
            pair = situation.report.pairs[number]
            hitless = predicted.hitless(situation.report.question.skew)
            mixes = len(predicted.failing)
            words = "hitless" if hitless else "not hitless" if not mixes else f"not hitless under {mixes} of 16 mixes"
            secrets = ", if the secrets match" if pair.unknown_secrets else ""
            when = f"{predicted.rollover.first:%Y-%m-%d %H:%M:%S} UTC"
            self.timeline.add(Kind.RUN, f"check predicts {words}{secrets}: {' with '.join(pair.routers)}, at {when}")

    def _write_inputs(self) -> None:
        self.folder.write_json(
            "run.json",
            {
                "scenario": "watch",
                "file": str(self.options.file),
                "routers": {name: f"{one.host}" for name, one in self.options.inventory.routers.items()},
                "seed": "watch",
                "t0": self.began.moment,
                "keyroll": __version__,
                "again": self._again(),
            },
        )

    def _again(self) -> str:
        return shlex.join(["keyroll", "watch", str(self.options.file), *self.options.arguments])

    # ------------------------------------------------------------------ the verdict

    def _judged(self) -> Outcome:
        state = self.state
        checks = self._checks()
        for check in checks:
            self.record.add(check)
        wire = self._wire()
        for check in wire.checks:
            self.record.add(check)
        checks += wire.checks
        state.not_judged = (*wire.not_judged, *self._not_judged())
        if wire.missing is not None and state.verdict is None:
            state.verdict, state.reason = Verdict.UNFIT, f"the wire cannot be judged: {wire.missing}"
        if any(not check.passed for check in checks) and state.verdict is not Verdict.INTERRUPTED:
            state.verdict = Verdict.FAILED
        if state.verdict is None:
            state.verdict, state.reason = self._of_what_was_seen()
        result = Result(
            scenario="watch",
            title=f"the rollover between {' and '.join(self.options.inventory.routers)}, as it happened",
            source=None,
            file=self.options.file,
            seed="watch",
            t0=self.began.moment,
            verdict=state.verdict,
            checks=tuple(checks),
            reason=state.reason,
            folder=self.folder.path,
            again=self._again(),
            spent=self.stopwatch.spent(),
            took=self.options.clock.now() - self.began,
            facts={"not judged": list(state.not_judged)},
        )
        headline = headline_of(result, state)
        self.timeline.add(Kind.VERDICT, headline)
        self.folder.write_json("result.json", {**result.as_data(), "headline": headline, "watch": as_data(state)})
        return Outcome(result, state, headline)

    def _checks(self) -> list[Check]:
        seen = self.state.seen
        if seen is None or not seen.looks:
            return []
        if self.options.once:
            return checks_of_now(self.state)
        checks = checks_of(seen)
        if seen.completed or seen.overdue():
            checks += completion_of(seen)
        return checks

    def _wire(self) -> Wire:
        """Judge the capture, if there is one. If it cannot be judged, the watch is unfit: the user asked for it."""
        situation, seen = self.state.situation, self.state.seen
        if self.capturing is None or situation is None or seen is None or not seen.looks:
            return Wire((), (), None)
        try:
            wire = judge_wire(self.capturing.path, self.texts, situation, seen)
            early = self.capturing.ended_early
            # What the command wrote is judged, but the wire was not observed to the end.
            return (
                wire if early is None else replace(wire, missing=f"{wire.missing}: {early}" if wire.missing else early)
            )
        except KeyrollError as error:
            return Wire((), (), str(error))

    def _of_what_was_seen(self) -> tuple[Verdict, str | None]:
        seen, situation = self.state.seen, self.state.situation
        if self.options.once and situation is not None and seen is not None:
            return self._by_ntp(situation, seen) or (Verdict.PASSED, None)
        if seen is None or situation is None or not seen.completed:
            until = self.options.until
            ended = f" until {until:%Y-%m-%d %H:%M:%S} UTC" if until is not None else ""
            return Verdict.UNFIT, f"no rollover was seen to complete{ended}: nothing can be said of it"
        return self._by_ntp(situation, seen) or (Verdict.PASSED, None)

    def _by_ntp(self, situation: Situation, seen: Seen) -> tuple[Verdict, str] | None:
        """Return the verdict where a clock is not set by NTP although NTP is configured."""
        for router in situation.routers:
            bad = [one for one in seen.looks[router] if situation.uses_ntp(router) and not one.clock.by_ntp]
            if bad:
                return Verdict.UNFIT, (
                    f"{router}: NTP is configured and does not set the clock ({_source(bad[0].clock)}): it may step at "
                    "any time"
                )
        return None

    def _not_judged(self) -> tuple[str, ...]:
        found = []
        if self.capturing is None and not self.options.once:
            found.append("the wire: there is no capture, so only the routers say which key signed each segment")
        situation, seen = self.state.situation, self.state.seen
        found += [
            f"the labels of {session} on {router}: there are {count}, and more than {LABELS_MAX:,} are read only once"
            for router in (seen.looks if seen is not None and not self.options.once else ())
            for session, count in (seen.without_labels(router) if seen is not None else {}).items()
        ]
        if situation is not None and situation.secrets_unknown:
            found.append("before the rollover, whether the secrets match: the logins may not see them")
        return (*found, *(situation.passed_over if situation is not None else ()))


def _source(reading: ClockReading) -> str:
    return f"time source {(reading.source or 'not shown').strip()}"


def _whole_seconds(length: timedelta) -> timedelta:
    return timedelta(seconds=-(-length // timedelta(seconds=1)))
