"""The page of a plan (`plan.json`): what to add and delete on each date, and the keys on one time axis. No secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from keyroll.errors import InputError
from keyroll.plan.markdown import length
from keyroll.report.chart import Bar, Lane, Mark, Timeline, join_near, tone_of
from keyroll.report.sheet import Row, Section, Sheet
from keyroll.report.values import list_of, moment_of, number_of, shown, text_of, texts_of

FORMAT = 1
PLAN = "plan.json"


def plan_sheet(data: Mapping[str, object]) -> Sheet:
    """Return the page of a plan.

    Raises:
        InputError: it is not a plan.json of this format.
    """
    if data.get("format") != FORMAT or "changes" not in data or "made-at" not in data:
        raise InputError("not a plan.json", remedy="keyroll plan writes one into its folder")
    changes = list_of(data.get("changes"))
    bad, unknown = _noted(data, "error"), _noted(data, "unknown")
    names = [text_of(router.get("name")) for router in list_of(data.get("routers"))]
    leaked = any(one.get("about") == "leaked-key" for one in list_of(data.get("findings")))
    until = None if leaked else moment_of(data.get("until"))
    word = "PLAN, WITH ERRORS" if bad else "PLAN, NOT ALL KNOWN" if unknown else "PLAN"
    number = f"{len(changes)} change{'' if len(changes) == 1 else 's'}" if changes else "nothing to do"
    subject = f"{'Leaked key of ' if leaked else ''}{', '.join(names)}"
    picture = _picture(data, changes)
    return Sheet(
        headline=f"{word}  {subject}{f' until {until:%Y-%m-%d}' if until else ''}: {number}",
        tone="failed" if bad else "unfit" if unknown else "passed",
        title="Each state that the routers pass through, in either order, is judged hitless under all policies.",
        why=(*bad, *unknown),
        picture=picture,
        legend=(
            "Outline: the key that is to be sent, from its start-time on.",
            "Grey: when a change may be made. Mark: when it is planned.",
        )
        if picture is not None
        else (),
        sections=tuple(_sections(data, changes)),
        again=None,
    )


def _sections(data: Mapping[str, object], changes: Sequence[Mapping[str, object]]) -> Iterator[Section]:
    yield Section(
        "Changes",
        (f"Made at {shown(moment_of(data.get('made-at')))}.", *(() if changes else ("The chain lasts until then.",))),
        ("planned", "window", "router", "key-chain", "delete", "add", "takes over"),
        tuple(row for position, change in enumerate(changes, start=1) for row in _change_rows(position, change)),
    )
    notes = _noted(data, "note", "warning", "advice")
    known = moment_of(data.get("quarantine-known-from"))
    if known is not None:
        notes.append(
            f"quarantine is certain only from {shown(known)} on, because earlier deletions are not known; --history "
            "gives them"
        )
    if notes:
        yield Section("Notes", tuple(notes))
    pause = length(timedelta(seconds=number_of(data.get("pause-seconds"))))
    yield from (_steps(change, pause) for change in changes)


def _noted(data: Mapping[str, object], *severities: str) -> list[str]:
    """Return the sentences of the plan's findings of some severities."""
    return [text_of(one.get("text")) for one in list_of(data.get("findings")) if one.get("severity") in severities]


def _change_rows(position: int, change: Mapping[str, object]) -> Iterator[Row]:
    latest = moment_of(change.get("latest"))
    window = f"{shown(moment_of(change.get('earliest')))} to {'any time' if latest is None else shown(latest)}"
    for part in list_of(change.get("routers")):
        added = list_of(part.get("add"))
        cells = (
            shown(moment_of(change.get("planned"))),
            window,
            text_of(part.get("name")),
            text_of(part.get("chain")),
            ", ".join(f"key {number}" for number in texts_of(part.get("delete"))) or "-",
            ", ".join(_key(key) for key in added) or "-",
            ", ".join(shown(moment_of(key.get("start-time"))) for key in added) or "-",
        )
        yield Row(cells, anchor=position if part is list_of(change.get("routers"))[0] else None)


def _key(key: Mapping[str, object]) -> str:
    ids = f"send-id {text_of(key.get('send-id'))}, recv-id {text_of(key.get('recv-id'))}"
    return f"key {text_of(key.get('key'))} ({ids}, {text_of(key.get('algorithm'))})"


def _steps(change: Mapping[str, object], pause: str) -> Section:
    folder = text_of(change.get("folder"))
    looks = [f"check before the change: {look}" for look in texts_of(change.get("looks"))]
    steps = [
        f"{name}: load set {folder}/{name}.set, show | compare, commit check, commit, show bgp summary (no new flap)"
        for name in (text_of(part.get("name")) for part in list_of(change.get("routers")))
    ]
    steps.insert(1, f"wait {pause} between two routers")
    if change.get("late-seconds") is not None:
        late = length(timedelta(seconds=number_of(change.get("late-seconds"))))
        looks.insert(0, f"one router may be changed up to {late} later than planned")
    back = (
        "at the end: run keyroll check on the routers' configurations; to undo the change: "
        f"load set {folder}/ROUTER.rollback.set, commit"
    )
    return Section(f"Change of {shown(moment_of(change.get('planned')))}", (*looks, *steps, back))


def _picture(data: Mapping[str, object], changes: Sequence[Mapping[str, object]]) -> Timeline | None:
    begin, end = moment_of(data.get("made-at")), moment_of(data.get("until"))
    starts = [at for change in changes for key in _added(change) if (at := moment_of(key.get("start-time")))]
    if begin is None or not starts:
        return None
    planned = [at for change in changes if (at := moment_of(change.get("planned")))]
    limits = begin.timestamp(), max([*starts, *planned, *([end] if end is not None else [])]).timestamp()
    if limits[0] >= limits[1]:
        return None
    lanes = [
        Lane(f"{router} {chain}", "keys", tuple(_keys(keys, limits)), router=router)
        for (router, chain), keys in _chains(data, changes).items()
    ]
    lanes.append(
        Lane(
            "change windows",
            "changes",
            tuple(_windows(changes, limits)),
            join_near(_marks(changes), limits[1] - limits[0]),
        )
    )
    return Timeline(*limits, tuple(lane for lane in lanes if lane.bars or lane.marks), axis="UTC", dated=True)


def _added(change: Mapping[str, object]) -> list[Mapping[str, object]]:
    return [key for part in list_of(change.get("routers")) for key in list_of(part.get("add"))]


def _chains(
    data: Mapping[str, object], changes: Sequence[Mapping[str, object]]
) -> dict[tuple[str, str], list[tuple[datetime, str]]]:
    """Return by router and chain its keys (start-time, number): those that it has, and those that are added."""
    found: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
    parts = [(part, part.get("keys")) for part in list_of(data.get("routers"))]
    parts += [(part, part.get("add")) for change in changes for part in list_of(change.get("routers"))]
    for part, keys in parts:
        own = found.setdefault((text_of(part.get("name")), text_of(part.get("chain"))), [])
        own += [(at, text_of(key.get("key"))) for key in list_of(keys) if (at := moment_of(key.get("start-time")))]
    return found


def _keys(keys: Sequence[tuple[datetime, str]], limits: tuple[float, float]) -> Iterator[Bar]:
    turns = sorted((at.timestamp(), key, at) for at, key in keys)
    for (begin, key, at), (end, _, _) in pairwise([*turns, (limits[1], "", None)]):
        if end > limits[0] and begin < limits[1] and at is not None:
            yield Bar(
                max(begin, limits[0]), end, f"key {key}", f"key {key} from {shown(at)}", tone_of(key), outline=True
            )


def _windows(changes: Sequence[Mapping[str, object]], limits: tuple[float, float]) -> Iterator[Bar]:
    for change in changes:
        begin, end = moment_of(change.get("earliest")), moment_of(change.get("latest"))
        if begin is not None:
            stop = limits[1] if end is None else end.timestamp()
            title = f"may be made from {shown(begin)}{'' if end is None else f' to {shown(end)}'}"
            yield Bar(max(begin.timestamp(), limits[0]), stop, "", title, "sample")


def _marks(changes: Sequence[Mapping[str, object]]) -> Iterator[Mark]:
    for position, change in enumerate(changes, start=1):
        if (at := moment_of(change.get("planned"))) is not None:
            yield Mark(at.timestamp(), f"planned for {shown(at)}", "clock", position)
