"""One run of one scenario from nothing to its result: lab, sessions, steps, verdict, run folder, teardown.

`keyroll run` and the pytest plugin both call `run`. Whatever happens, the lab is taken down and `result.json` is
written; only an unfit argument raises before that.
"""

from __future__ import annotations

import contextlib
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from keyroll import __version__, linux
from keyroll.capture import ScapyCheck
from keyroll.errors import KeyrollError, RunError, UnfitError
from keyroll.instants import Clock, SystemClock
from keyroll.junos.session import RouterSession
from keyroll.keychain.secret import Secret
from keyroll.lab.protocol import CountsDrops, Lab, LabUnfitError, LinkLab
from keyroll.names import Capability, Receiving
from keyroll.scenario.errors import MachineBusyError, MissingCapabilityError
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.read import Case
from keyroll.scenario.judge.fitness import GAP_MAX, assess, disturbed, is_proven
from keyroll.scenario.labs.addressing import Addressing
from keyroll.scenario.labs.connect import pair_of, recorder_of, target_of
from keyroll.scenario.labs.health import LabHealth
from keyroll.scenario.labs.known_bugs import is_known_here, verdict_with
from keyroll.scenario.labs.platform import phase_words, platform_words
from keyroll.scenario.labs.pool import LabSource, Lease
from keyroll.scenario.observe.drops import DropCounters
from keyroll.scenario.observe.host_stalls import StallWatch
from keyroll.scenario.observe.router_clock import RouterClock
from keyroll.scenario.observe.sampler import Sample, Sampler
from keyroll.scenario.observe.wire import KeyChange, Party, Wire
from keyroll.scenario.options import command_of
from keyroll.scenario.plan.deadlines import Waits, longest_hold
from keyroll.scenario.plan.keyring import Changed, Keyring, Span
from keyroll.scenario.plan.real_time import Compressed, compress, why_not
from keyroll.scenario.plan.unsteered import as_mutated, steers
from keyroll.scenario.play.context import Moment, Routers, Run
from keyroll.scenario.play.player import Player
from keyroll.scenario.play.time import RealTime, SettingClocks, next_minute
from keyroll.scenario.play.watch import Watch
from keyroll.scenario.record.pictures import CHAINS, WIRE, HeldKeys
from keyroll.scenario.record.pictures import FORMAT as PICTURE_FORMAT
from keyroll.scenario.record.record import Record
from keyroll.scenario.record.result import Check, Receipt, Result, Verdict, receipt_of
from keyroll.scenario.record.run_folder import RUNS, FolderRedactor, RunFolder, make_run_folder
from keyroll.scenario.record.stopwatch import Stopwatch
from keyroll.scenario.record.timeline import Event, Kind, Observer, Timeline

T0 = datetime(2030, 1, 1, tzinfo=UTC)
"""Where clocks can be set, a scenario begins at this instant of the routers' clocks."""
LEAD = timedelta(seconds=3)
"""Where clocks cannot be set, t0 is at least this long after the lab is up: both logins take part of this time."""


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of a run other than its scenario."""

    labs: LabSource
    seed: int | str
    t0: datetime | None = None
    mutate: str | None = None
    run_dir: Path | None = None
    """The run folder itself; None: a new folder is made below `runs`."""
    runs: Path = RUNS
    wait_scale: float = 1.0
    arguments: tuple[str, ...] = ()
    """Further arguments of the printed command that repeats the run, such as `--topology FILE`."""
    observers: tuple[Observer, ...] = field(default=())
    new_clock: Callable[[], Clock] = SystemClock
    """Makes the run's clock when the run begins."""


def run(case: Case, options: Options) -> Result:
    """Play a scenario and return its result; a broken run has a result too.

    Raises:
        InputError, RunError: the mutation is not declared, a keychain is not valid, or the run folder cannot be made.
    """
    return _Engine(case, options).play()


_UNFINISHED = "the run has not ended: keyroll was killed, or is still running"


class _Engine:
    """Brings up what one run needs, plays it, and takes it down."""

    def __init__(self, case: Case, options: Options) -> None:
        self.options = options
        self.clock = options.new_clock()
        self.real_time: Compressed | None = None
        """The scenario converted to real time; None where clocks can be set."""
        self._take(case, options.t0 or case.scenario.t0 or T0)
        name = f"{case.name}-{options.mutate}" if options.mutate else case.name
        path = make_run_folder(
            options.run_dir, name=name, seed=options.seed, now=self.clock.wall().moment, runs=options.runs
        )
        self.secrets = self.keyring.secrets()
        self.folder = RunFolder(path, self._redactor(self.secrets))
        self.clocks: dict[str, RouterClock] = {router: RouterClock(clock=self.clock) for router in ROUTERS}
        self.stopwatch = Stopwatch(self.clock)
        self.waits = Waits(longest_hold(case.scenario), options.wait_scale)
        self.facts: dict[str, object] = {}
        self.checks: tuple[Check, ...] = ()
        self.record: Record | None = None
        self.bug_applies = False
        self.busy = False
        self.labless = False
        self.stalls = StallWatch(self.clock, limit=GAP_MAX * options.wait_scale)
        self.held = HeldKeys()
        self.platform: str | None = None
        """The lab's kind and the routers' platforms; None until the routers have answered."""
        self.reds: list[int] = []
        """When (ns) the red checks of steps were judged."""
        self.defect: Exception | None = None
        """An exception that is a defect of keyroll: `play` raises it again once the result is written."""

    def _take(self, case: Case, t0: datetime) -> None:
        """Take `case`, beginning at `t0`, as what this run plays."""
        self.t0 = t0
        mutation = case.mutation(self.options.mutate) if self.options.mutate else None
        self.given = case
        self.case = replace(case, scenario=as_mutated(case.scenario, mutation))
        self.turns_red = mutation.turns_red if mutation else ()
        self.keyring = Keyring(case.scenario, seed=self.options.seed, t0=t0, mutation=mutation)

    def _redactor(self, secrets: Iterable[Secret]) -> FolderRedactor:
        scenario = self.given.scenario
        return FolderRedactor(secrets, played=self.given.text, sentences=(scenario.title, scenario.source))

    def play(self) -> Result:
        linux.no_core_dumps()  # the keys of both routers are in this process's memory from here on
        begun = self.clock.now()
        self._preload = _preload_second_judge()
        with contextlib.suppress(RunError):  # the write at the end reports a folder that cannot be written to
            # A killed process cannot write a result, so one that says "unfinished" is written first.
            unfinished = self._result(Verdict.BROKEN, _UNFINISHED, took=timedelta()).as_data()
            self.folder.write_json("result.json", {**unfinished, "ended": False})
        verdict, reason = self._played()
        result = self._result(verdict, reason, took=self.clock.now() - begun)
        self.folder.write_json("result.json", result.as_data())
        self.folder.seal()
        if self.defect is not None:
            raise self.defect
        return result

    def _result(self, verdict: Verdict, reason: str | None, *, took: timedelta) -> Result:
        """Return the result as far as it is known now."""
        return Result(
            scenario=self.case.name,
            title=self.case.scenario.title,
            source=self.case.scenario.source,
            file=self.case.path,
            seed=self.options.seed,
            t0=self.t0,
            verdict=verdict,
            checks=self.checks,
            reason=reason,
            folder=self.folder.path,
            again=self._again(),
            spent=self.stopwatch.spent(),
            took=took,
            facts=self.facts,
            receipt=self._receipt(verdict),
            busy=self.busy and verdict is Verdict.UNFIT,
            labless=self.labless and verdict is Verdict.UNFIT,
        )

    def _played(self) -> tuple[Verdict, str | None]:
        """Play and write the evidence; a run whose evidence cannot be written is broken, whatever its checks say."""
        try:
            self._write_inputs()
            with (
                contextlib.closing(self.folder),
                Timeline(
                    self.folder.timeline, clocks=self.clocks, redact=self.folder.redact, clock=self.clock
                ) as self.timeline,
            ):
                for observer in self.options.observers:
                    self.timeline.observe(observer)
                self.timeline.observe(self._note_red)
                self._note_t0()
                with self.stalls:
                    verdict, reason = self._judged()
                self.timeline.add(Kind.VERDICT, verdict.value + (f": {reason}" if reason else ""))
        except KeyboardInterrupt:
            return Verdict.INTERRUPTED, None
        except KeyrollError as error:
            return Verdict.BROKEN, self.folder.redact(str(error))
        except Exception as defect:  # noqa: BLE001 - raised again when the result has been written
            self.defect = defect
            return Verdict.BROKEN, f"a defect of keyroll ended the run: {type(defect).__name__}"
        return verdict, reason

    def _judged(self) -> tuple[Verdict, str | None]:
        """Play, and turn each possible end into a verdict and its reason."""
        try:
            self._on_a_lab()
        except KeyboardInterrupt:
            return Verdict.INTERRUPTED, None
        except MissingCapabilityError as error:
            return Verdict.SKIPPED, str(error)
        except UnfitError as error:
            return self._unfit(error)
        except KeyrollError as error:
            return self._broken(error)
        finally:
            if self.record is not None:
                self.checks = tuple(self.record.checks)
        return self._verdict_with_known_bug()

    def _unfit(self, error: UnfitError) -> tuple[Verdict, str | None]:
        """Return unfit, or failed where a red check is older than the cause of the error."""
        stood_still = disturbed(self.stalls.look(), red=True)
        if stood_still is not None and isinstance(error, MachineBusyError):
            error = stood_still  # what did not answer in that time was stopped too, and is not the cause
        captured = [
            check.captured for check in self._checks_so_far() if not check.passed and check.captured is not None
        ]
        if self._is_red() and is_proven([*self.reds, *captured], error):
            return Verdict.FAILED, None
        self.busy = isinstance(error, MachineBusyError)
        return Verdict.UNFIT, self.folder.redact(str(error))

    def _broken(self, error: KeyrollError) -> tuple[Verdict, str | None]:
        """Return why the run broke. If the machine stood still, that is the reason, and another try may succeed."""
        reason = self.folder.redact(str(error))
        blind = disturbed(self.stalls.look(), red=True)
        if blind is None:
            return Verdict.BROKEN, reason
        self.busy = True
        return Verdict.UNFIT, f"{self.folder.redact(str(blind))}; it ended with: {reason}"

    def _checks_so_far(self) -> tuple[Check, ...]:
        return () if self.record is None else tuple(self.record.checks)

    def _verdict_with_known_bug(self) -> tuple[Verdict, str | None]:
        """Return the verdict: a known bug must show on the platforms and releases that it names, and nowhere else."""
        applies = self.bug_applies and self.options.mutate is None
        return verdict_with(self.case.scenario.known_bug if applies else None, red=self._is_red())

    def _is_red(self) -> bool:
        return self.record is not None and self.record.red

    def _receipt(self, verdict: Verdict) -> Receipt | None:
        if self.options.mutate is None:
            return None
        return receipt_of(self.options.mutate, self.turns_red, self.checks, verdict)

    # ------------------------------------------------------------------ from the lab up

    def _on_a_lab(self) -> None:
        no_real_time = why_not(self.given.scenario, self.waits)
        counted = any("drops" in step.checks() for step in self.case.scenario.steps)
        needs = self._needs(no_real_time)
        source = self.options.labs.lease(self.folder.lab, self._settings(), needs=needs, quiet=counted)
        with contextlib.ExitStack() as stack:
            with self.stopwatch.part("lab up"):
                try:
                    lease = stack.enter_context(source)
                except MissingCapabilityError as error:
                    if no_real_time is None or Capability.SET_CLOCK not in error.message:
                        raise
                    raise MissingCapabilityError(f"{error}; it cannot be played in real time: {no_real_time}") from None
                except LabUnfitError:
                    self.labless = True
                    raise
            if lease.warm:
                self.timeline.add(Kind.LAB, f"lab {lease.lab.name} is warm")
            else:
                self.timeline.add(Kind.LAB, f"lab {lease.lab.name} is up: {phase_words(lease.lab)}")
                phases = lease.lab.phases
                self.facts["lab"] = {phase.name: round(phase.took.total_seconds(), 3) for phase in phases}
            with self.stopwatch.part("second judge"):
                self._preload.join()  # on a busy machine, an import would delay the samples
            if Capability.SET_CLOCK not in lease.capabilities:
                self._switch_to_real_time()
            self._with_sessions(lease)
            with self.stopwatch.part("teardown"):
                stack.close()
            self.timeline.add(Kind.LAB, "lab is given back")

    def _needs(self, no_real_time: str | None) -> frozenset[str]:
        """Return the capabilities that the scenario needs, named or implied.

        `no_real_time` is the reason why the scenario needs clocks that can be set, or None.
        """
        scenario = self.case.scenario
        implied = {step.needs for step in scenario.steps if step.needs is not None}
        steered = {Capability.STEER_TCP} if steers(scenario) else set()
        ruled = {Capability.KEY_POLICY} if scenario.policy else set()
        tagged = {Capability.VLAN for one in scenario.sessions if one.vlan is not None}
        clocks = {Capability.SET_CLOCK} if no_real_time else set()
        return frozenset({Capability.CAPTURE, *scenario.requires, *implied, *steered, *ruled, *tagged, *clocks})

    def _switch_to_real_time(self) -> None:
        """Convert the scenario to real time, beginning at the next whole minute."""
        self.real_time = compress(self.given.scenario, self.waits)
        t0 = self.options.t0 or next_minute(self.clock.now().moment, lead=LEAD * self.options.wait_scale)
        self._take(replace(self.given, scenario=self.real_time.scenario), t0)
        self.facts["real time"] = {"factor": round(self.real_time.factor, 4), "t0": t0.isoformat()}
        self._write_inputs()
        self.timeline.add(Kind.CLOCK, f"the clocks of this lab cannot be set: {self.real_time.words()}")
        self._note_t0()

    def _note_t0(self) -> None:
        text = f"{self.case.name}: seed {self.options.seed}, t0 {self.t0.isoformat()}"
        self.timeline.add(Kind.RUN, text, data={"t0": self.t0})

    def _with_sessions(self, lease: Lease) -> None:
        lab = lease.lab
        routers, lost = lab.routers, dict(lab.capture_losses())
        known = (*self.secrets, *(Secret(router.password) for router in routers.values()))
        self.folder.redact = self._redactor(known)
        record = recorder_of(self.timeline, self.folder.record, self.clocks)
        scenario = self.case.scenario
        addressing = Addressing.of(routers, scenario.family).within(scenario.sessions, scenario.as_numbers)
        peers = addressing.session_peers(scenario.sessions)
        sampler = Sampler(
            lambda router: RouterSession(
                target_of(routers[router]), recorder=self.folder.record, secrets=known, clock=self.clock
            ),
            peers,
            kinds=scenario.kinds,
            changed=self._note_sample,
            clock=self.clock,
        )
        wire = Wire(
            [
                Party(
                    router,
                    addressing.addresses(router),
                    self.keyring.deployed(router).chain,
                    self.clocks[router],
                    lab.captures[router],
                    lease.skip.get(router, 0),
                    self._receiving(router),
                    self.keyring.deployed(router).own_chains(),
                )
                for router in ROUTERS
            ],
            scenario.kinds,
            changed=self._note_key,
            sample_seed=zlib.crc32(str(self.options.seed).encode()),
            set_aside=lease.closing,
            ends=addressing.session_ends(scenario.sessions),
        )
        pair = pair_of(routers, recorder=record, secrets=known, wait_scale=self.options.wait_scale, clock=self.clock)
        watch = LabHealth(lab, self.timeline, clock=self.clock, wait_scale=self.options.wait_scale)
        with contextlib.closing(wire), _stopping(sampler), contextlib.ExitStack() as stack:
            stack.callback(self._write_pictures, wire)
            stack.callback(lambda: self.facts.update(incidents=list(watch.incidents)) if watch.incidents else None)
            with self.stopwatch.part("ssh log-in"), watch.naming_causes():  # a router may die while it is logged in to
                stack.enter_context(pair)
            self.record = Record(self.timeline, self.stopwatch, self.folder.write_configuration)
            now = self.clock.now().ns
            run = Run(
                scenario=self.case.scenario,
                seed=self.options.seed,
                t0=self.t0,
                waits=self.waits,
                clock=self.clock,
                time=SettingClocks() if self.real_time is None else RealTime(),
                routers=Routers(
                    pair,
                    self.clocks,
                    addressing.plans,
                    addressing.bgp_peers(scenario.sessions),
                    DropCounters(pair, lab if isinstance(lab, CountsDrops) else None),
                    lab.links if isinstance(lab, LinkLab) else None,
                    watch.check,
                    {router: peers[router] for router in ROUTERS},
                ),
                wire=wire,
                samples=sampler,
                keyring=self.keyring,
                record=self.record,
                moment=Moment("the start", Span(now, now)),
            )
            stack.enter_context(run.endings)
            self.keyring.subscribe(wire.follow)
            self.keyring.subscribe(self._note_held)
            stack.enter_context(watch.naming_causes())
            self.platform = platform_words(lab, pair)
            self._write_inputs()
            self.bug_applies = is_known_here(self.case.scenario.known_bug, lab, pair)
            player = Player(run, until=self.turns_red)
            player.play()
            if self._is_red():
                watch.ask_all()  # if a capture or a link hangs, the routers seem to do nothing
            self._assess(lab, player.watch, wire, sampler, lost)

    def _settings(self) -> dict[str, dict[str, str]]:
        return {router: policy.settings for router, policy in self.case.scenario.policy.items()}

    def _receiving(self, router: RouterName) -> Receiving:
        policy = self.case.scenario.policy.get(router)
        return policy.receiving if policy is not None else Receiving.TOLERANCE

    def _assess(self, lab: Lab, seen: Watch, wire: Wire, sampler: Sampler, before: Mapping[str, int]) -> None:
        """Add what was measured to the facts. Raises RunUnfitError when the run says nothing about the routers."""
        watched = None if seen.up is None else (seen.up, seen.ended or seen.up)
        with self.stopwatch.part("second judge"):
            fitness = assess(
                self.case.scenario,
                wire,
                sampler,
                watched=watched,
                losses={name: count - before.get(name, 0) for name, count in lab.capture_losses().items()},
                wait_scale=self.options.wait_scale,
                disturbances=self.stalls.look(),
                red=self._is_red(),
            )
        self.facts.update(fitness.facts)
        if fitness.problem is not None:
            raise fitness.problem

    # ------------------------------------------------------------------ what is noted

    def _write_inputs(self) -> None:
        self.folder.write("scenario.yaml", self.case.text)
        self.folder.write_json(
            "run.json",
            {
                "scenario": self.case.name,
                "file": str(self.case.path),
                "variant": self.case.variant,
                "seed": self.options.seed,
                "t0": self.t0,
                "mutation": self.options.mutate,
                "lab": self.platform,
                "keyroll": __version__,
                "again": self._again(),
            },
        )

    def _note_held(self, changed: Changed) -> None:
        if changed.held is not None:
            for chain in (changed.held.chain, *changed.held.own_chains().values()):
                self.held.note(changed.router, chain)

    def _write_pictures(self, wire: Wire) -> None:
        """Write the data of the report's figures. They are not evidence: a full disk does not change the verdict."""
        with contextlib.suppress(KeyrollError):
            self.folder.write_json(CHAINS, self.held.as_data())
            self.folder.write_json(WIRE, {"format": PICTURE_FORMAT, "seconds": wire.by_second(self.timeline.started)})

    def _note_red(self, event: Event) -> None:
        """Keep the time at which a step's check was judged red; checks of the whole run are judged at its end."""
        if event.kind is Kind.CHECK and not event.data["passed"] and "@" in str(event.data["name"]):
            self.reds.append(event.at)

    def _note_sample(self, sample: Sample) -> None:
        self.timeline.add(Kind.SESSION, sample.words(), router=sample.router, at=sample.at)

    def _note_key(self, change: KeyChange) -> None:
        side = change.side
        if change.acknowledged is not None:
            text = f"{change.session}: data signed with key {change.acknowledged.key} was acknowledged by the peer"
            at = change.acknowledged.ack_time_ns
        else:
            text, at = f"{change.session}: sends {side.words()}", side.at
        self.timeline.add(Kind.WIRE, text, router=side.router, at=at, data={"packet": change.packet, "key": side.key})

    def _again(self) -> str:
        # A scenario that came through a pipe cannot be read again; the run folder has a copy of it.
        path = self.case.path
        if not path.is_file() or path.absolute().is_relative_to("/dev"):
            path = self.folder.path / "scenario.yaml"
        # An instant that has passed cannot be played again where clocks cannot be set.
        t0 = self.t0 if self.real_time is None else None
        given, variant = self.options, self.case.variant
        return command_of(path, variant=variant, seed=given.seed, t0=t0, mutate=given.mutate, more=given.arguments)


@contextlib.contextmanager
def _stopping(sampler: Sampler) -> Iterator[None]:
    try:
        yield
    finally:
        sampler.stop()


def _preload_second_judge() -> threading.Thread:
    """Import scapy while the lab comes up: the import takes about a second of processor time."""
    thread = threading.Thread(target=ScapyCheck.load, daemon=True)
    thread.start()
    return thread
