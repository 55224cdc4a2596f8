"""The content of a run folder, as values. The folder of a killed run has no result, and the record says so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from keyroll.errors import InputError, Where
from keyroll.report.sheet import Section
from keyroll.report.values import list_of, mapping_of, number_of, read_object, text_or_none, whole_of
from keyroll.report.watch_and_rehearsal import rehearsal_of, watch_sections

KILLED = "killed"
"""The verdict of a run that ended without writing one."""


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the timeline. `after` is in host seconds since the run began, `clocks` the routers' own readings."""

    after: float
    kind: str
    router: str | None
    text: str
    clocks: Mapping[str, datetime]
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """A judged check, as result.json has it."""

    name: str
    router: str | None
    passed: bool
    expected: str
    observed: str
    event: str | None
    after: float
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Output:
    """A command that was sent to a router, and its answer. `after` is as in `Event`."""

    after: float
    router: str
    command: str
    raw: str
    error: str | None


@dataclass(frozen=True, slots=True)
class PlannedKey:
    """A key as a router's chain has it; `start` is an instant."""

    chain: str
    number: int
    start: datetime
    send: int | None
    recv: int | None


@dataclass(frozen=True, slots=True)
class Seconds:
    """Segments that one router sent on one session within one second, with one key. `after` is that second."""

    after: int
    sender: str
    session: str
    key: str
    segments: int
    bad: int
    syn_rst: int
    injected: int
    dropped: int


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The content of a run folder."""

    folder: str
    """The folder's name without its path: a page may be sent to others, whom a path of this machine does not help."""
    scenario: str
    title: str
    source: str | None
    seed: str
    t0: str
    verdict: str
    reason: str | None
    headline: str
    mutation: Mapping[str, object] | None
    checks: tuple[CheckRecord, ...]
    facts: Mapping[str, object]
    took: float
    """Seconds in all; 0 where the run did not end."""
    again: str
    version: str
    events: tuple[Event, ...]
    samples: Mapping[str, tuple[float, ...]]
    """By router the instants (seconds since the start) at which its sessions were sampled."""
    outputs: tuple[Output, ...]
    configurations: Mapping[str, str]
    planned: Mapping[str, tuple[PlannedKey, ...]]
    wire: tuple[Seconds, ...]
    tone: str
    """The word of a verdict that colours the page: a rehearsal's own, where the run is one."""
    beside: tuple[Section, ...]
    """The sections that a watch or a rehearsal adds."""
    captured: bool
    """Whether the folder has the captures and logs of a lab: a watch has none."""

    @property
    def red(self) -> tuple[CheckRecord, ...]:
        """The checks that do not hold."""
        return tuple(check for check in self.checks if not check.passed)


def load_run(folder: Path) -> RunRecord:
    """Read a run folder.

    Raises:
        InputError: it is not one (no run.json), or a file in it is damaged.
    """
    try:
        return _loaded(folder)
    except (ValueError, TypeError, OverflowError, OSError) as error:  # an invalid date, an infinite number
        raise InputError(f"damaged or unreadable: {error}", where=Where.of(folder)) from error


def _loaded(folder: Path) -> RunRecord:
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder} is not a run folder: it has no run.json", remedy="name a folder below runs/")
    run = read_run_json(folder)
    result = read_object(folder / "result.json") if (folder / "result.json").is_file() else {}
    # A capture reports events later than they happen. The file is sorted when a run ends; a killed run's is not.
    events = tuple(sorted(_events(folder / "timeline.jsonl"), key=lambda event: event.after))
    outputs = tuple(_outputs(folder / "exchanges.jsonl", _started(folder / "timeline.jsonl")))
    checks = tuple(_check(item) for item in list_of(result.get("checks")))
    verdict = KILLED if result.get("ended") is False else str(result.get("verdict", KILLED))
    reason = result.get("reason")
    scenario = str(result.get("scenario") or run.get("scenario", ""))
    rehearsal = rehearsal_of(folder)
    beside = rehearsal.sections if rehearsal else tuple(watch_sections(mapping_of(result.get("watch"))))
    headline = _headline(scenario, verdict, checks, result)
    return RunRecord(
        folder=folder.resolve().name,
        scenario=scenario,
        title=f"{rehearsal.routers}: {rehearsal.summary}" if rehearsal else str(result.get("title", "")),
        source=text_or_none(result.get("source")),
        seed=str(run.get("seed", "")),
        t0=str(result.get("t0") or run.get("t0", "")),
        verdict=verdict,
        reason=text_or_none(reason),
        headline=rehearsal.sentence if rehearsal else headline,
        mutation=mapping_of(result.get("mutation")) or None,
        checks=checks,
        facts=mapping_of(result.get("facts")),
        took=number_of(mapping_of(result.get("seconds")).get("total")),
        again=rehearsal.again if rehearsal else str(result.get("again") or run.get("again", "")),
        version=str(run.get("keyroll", "")),
        events=events,
        samples=_samples(outputs),
        outputs=outputs,
        configurations={path.stem: path.read_text("utf-8", "replace") for path in sorted(folder.glob("*.conf"))},
        planned=_planned(folder / "chains.json"),
        wire=tuple(_wire(folder / "wire.json")),
        tone=rehearsal.tone if rehearsal else verdict,
        beside=beside,
        captured=(folder / "lab").is_dir(),
    )


def _headline(scenario: str, verdict: str, checks: tuple[CheckRecord, ...], result: Mapping[str, object]) -> str:
    """Return the verdict in a sentence: the one printed on the terminal, if the run wrote it."""
    if verdict == KILLED:
        return f"KILLED  {scenario}: the run ended without a verdict"
    printed = result.get("headline")
    if isinstance(printed, str):
        return printed
    total = mapping_of(result.get("seconds")).get("total", 0)
    good = sum(check.passed for check in checks)
    return f"{verdict.upper()}  {scenario}: {good} of {len(checks)} checks hold, {number_of(total):.1f} s"


def read_run_json(folder: Path) -> Mapping[str, object]:
    """Read a run folder's run.json. Raises InputError where it is damaged, or names no scenario."""
    run = read_object(folder / "run.json")
    if not isinstance(run.get("scenario"), str):
        raise InputError("it names no scenario: this is not a run of keyroll", where=Where.of(folder / "run.json"))
    return run


def _lines(path: Path) -> Iterator[Mapping[str, object]]:
    """Yield the objects of a JSON-lines file. The last line may be cut off: the process that wrote it may be killed."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                found = json.loads(line)
            except ValueError as error:
                if not line.endswith("\n"):
                    return
                raise InputError(f"damaged: {error}", where=Where.of(path, number)) from error
            if isinstance(found, dict):
                yield found


def _events(path: Path) -> Iterator[Event]:
    for line in _lines(path):
        yield Event(
            number_of(line.get("after")),
            str(line.get("kind", "")),
            text_or_none(line.get("router")),
            str(line.get("text", "")),
            {str(name): datetime.fromisoformat(str(moment)) for name, moment in mapping_of(line.get("clocks")).items()},
            mapping_of(line.get("data")),
        )


def _started(path: Path) -> datetime | None:
    """Return the host's instant from which the timeline counts."""
    for line in _lines(path):
        return datetime.fromisoformat(str(line.get("at"))) - timedelta(seconds=number_of(line.get("after")))
    return None


def _outputs(path: Path, started: datetime | None) -> Iterator[Output]:
    for line in _lines(path):
        start = datetime.fromisoformat(str(line.get("start")))
        yield Output(
            (start - (started or start)).total_seconds(),
            str(line.get("host", "")),
            str(line.get("command", "")),
            str(line.get("raw") or ""),
            text_or_none(line.get("error")),
        )


_SAMPLED = "show bgp summary", "show ldp session"
"""Commands that the sampler sends in each sample: either marks an instant at which the sessions were read."""


def _samples(outputs: tuple[Output, ...]) -> Mapping[str, tuple[float, ...]]:
    found: dict[str, list[float]] = {}
    for output in outputs:
        if output.command.startswith(_SAMPLED):
            found.setdefault(output.router, []).append(output.after)
    return {router: tuple(moments) for router, moments in sorted(found.items())}


def _check(item: Mapping[str, object]) -> CheckRecord:
    return CheckRecord(
        str(item.get("name", "")),
        text_or_none(item.get("router")),
        item.get("passed") is True,
        str(item.get("expected", "")),
        str(item.get("observed", "")),
        text_or_none(item.get("event")),
        number_of(item.get("after")),
        {name: str(words) for name, words in mapping_of(item.get("keys")).items()},
    )


def _planned(path: Path) -> Mapping[str, tuple[PlannedKey, ...]]:
    if not path.is_file():
        return {}
    found: dict[str, tuple[PlannedKey, ...]] = {}
    for router, chains in mapping_of(read_object(path).get("routers")).items():
        keys = [
            PlannedKey(
                str(chain.get("name", "")),
                int(number_of(key.get("id"))),
                datetime.fromisoformat(str(key.get("start"))),
                whole_of(key.get("send")),
                whole_of(key.get("recv")),
            )
            for chain in list_of(chains)
            for key in list_of(chain.get("keys"))
        ]
        found[router] = tuple(keys)
    return found


def _wire(path: Path) -> Iterator[Seconds]:
    if not path.is_file():
        return
    for item in list_of(read_object(path).get("seconds")):
        yield Seconds(
            int(number_of(item.get("second"))),
            str(item.get("sender", "")),
            str(item.get("session", "")),
            str(item.get("key", "")),
            *(int(number_of(item.get(name))) for name in ("segments", "bad", "syn-rst", "injected", "dropped")),
        )
