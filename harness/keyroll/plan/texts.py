"""A plan as files: set commands and their way back for each router, a text for people, and JSON without secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from keyroll.keychain.junostext import Encoding, set_lines
from keyroll.keychain.model import Key, Keychain
from keyroll.plan.model import Change, Plan, Request, Retired, RouterChange

FORMAT = 1
_ROOT = "security authentication-key-chains key-chain"


def set_text(part: RouterChange, encoding: Encoding = Encoding.CLEAR) -> str:
    """Return the commands that make the change, for `load set terminal`. They hold the new keys' secrets."""
    return _text([*_deletions(part.before.name, part.deleted), *_additions(part, part.added, encoding)])


def rollback_text(part: RouterChange, encoding: Encoding = Encoding.CLEAR) -> str:
    """Return the commands that take the change back. A deleted key whose secret is not known cannot come back.

    It is retired, so nothing is lost; `rollback` on the router brings it back all the same.
    """
    known = tuple(key for key in part.deleted if key.secret is not None and key.secret.known)
    return _text([*_deletions(part.before.name, part.added), *_additions(part, known, encoding)])


def _deletions(chain: str, keys: tuple[Key, ...]) -> Iterator[str]:
    for key in keys:
        yield f"delete {_ROOT} {chain} key {key.id}"


def _additions(part: RouterChange, keys: tuple[Key, ...], encoding: Encoding) -> list[str]:
    if not keys:
        return []
    # A new chain needs its tolerance as well; one that is there keeps its own.
    made = replace(part.after, keys=keys) if not part.before.keys else Keychain(part.after.name, keys)
    return set_lines(made, encoding, zone=part.router.zone)


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class File:
    """A file of the plan, by its path below the plan's folder."""

    path: str
    text: str
    secret: bool


def files(plan: Plan, request: Request, encoding: Encoding = Encoding.CLEAR) -> Iterator[File]:
    """Yield all files: for each change date a folder with two files a router; plan.md and plan.json."""
    for folder, change in zip(folders(plan), plan.changes, strict=True):
        for part in change.routers:
            yield File(f"{folder}/{part.router.name}.set", set_text(part, encoding), secret=True)
            yield File(f"{folder}/{part.router.name}.rollback.set", rollback_text(part, encoding), secret=True)
    yield File("plan.md", markdown(plan, request), secret=False)
    yield File("plan.json", as_json(plan, request), secret=False)


def folders(plan: Plan) -> list[str]:
    """Return the folder of each change: its date, with the time where two fall on one day."""
    days = [change.planned.strftime("%Y-%m-%d") for change in plan.changes]
    return [
        day if days.count(day) == 1 else change.planned.strftime("%Y-%m-%dT%H%M")
        for day, change in zip(days, plan.changes, strict=True)
    ]


def as_json(plan: Plan, request: Request) -> str:
    """Return the plan as data, versioned, without secrets; the next plan takes its `retired` as history."""
    data = {
        "format": FORMAT,
        "made-at": _stamp(request.at),
        "until": _stamp(request.until),
        "changes": [_change_data(folder, change) for folder, change in zip(folders(plan), plan.changes, strict=True)],
        "retired": [
            {
                "router": gone.router,
                "key": gone.number,
                "send-id": gone.send_id,
                "recv-id": gone.recv_id,
                "deleted": _stamp(gone.deleted),
            }
            for gone in plan.retired
        ],
        "quarantine-known-from": None if plan.quarantine_known_from is None else _stamp(plan.quarantine_known_from),
        "notes": list(plan.notes),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def read_history(text: str) -> tuple[Retired, ...]:
    """Read `retired` of an earlier plan.json.

    Raises:
        ValueError: it is not one, or damaged.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):  # nested too deeply
        data = None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"not a plan.json of format {FORMAT}")
    try:
        return tuple(_retired(item) for item in data["retired"])
    except (KeyError, TypeError, ValueError):
        raise ValueError("damaged: each entry of `retired` has router, key, send-id, recv-id and deleted") from None


def _retired(item: dict[str, object]) -> Retired:
    numbers = [item[name] for name in ("key", "send-id", "recv-id")]
    deleted = datetime.fromisoformat(str(item["deleted"]))
    if not all(isinstance(number, int) for number in numbers) or deleted.tzinfo is None:
        raise ValueError
    key, send_id, recv_id = (int(str(number)) for number in numbers)
    return Retired(str(item["router"]), key, send_id, recv_id, deleted)


def _change_data(folder: str, change: Change) -> dict[str, object]:
    return {
        "folder": folder,
        "earliest": _stamp(change.earliest),
        "planned": _stamp(change.planned),
        "latest": None if change.latest is None else _stamp(change.latest),
        "takeovers": [_stamp(start) for start in change.takeovers],
        "looks": list(change.looks),
        "routers": [
            {
                "name": part.router.name,
                "chain": part.after.name,
                "delete": [key.id for key in part.deleted],
                "add": [_key_data(key) for key in part.added],
            }
            for part in change.routers
        ],
    }


def _key_data(key: Key) -> dict[str, object]:
    return {
        "key": key.id,
        "start-time": None if key.start is None else _stamp(key.start),
        "send-id": key.send_id,
        "recv-id": key.recv_id,
        "algorithm": key.effective_algorithm.value,
    }


def markdown(plan: Plan, request: Request) -> str:
    """Return the plan as a person reads it: a section for each change date."""
    return "\n".join(_lines(plan, request)) + "\n"


def _lines(plan: Plan, request: Request) -> Iterator[str]:
    names = ", ".join(router.name for router in request.routers)
    yield f"# Key changes of {names} until {_day(request.until)}"
    yield ""
    if not plan.changes:
        yield f"Nothing to do: the chain lasts until {_day(request.until)}."
    for note in plan.notes:
        yield f"- {note}"
    if plan.quarantine_known_from is not None:
        yield f"- quarantine: which ids were deleted is not known before {_day(plan.quarantine_known_from)} (--history)"
    for folder, change in zip(folders(plan), plan.changes, strict=True):
        yield from _section(folder, change, request)


def _section(folder: str, change: Change, request: Request) -> Iterator[str]:
    yield ""
    yield f"## {_moment(change.planned)}"
    yield ""
    yield f"Window: from {_moment(change.earliest)}" + (
        "" if change.latest is None else f" until {_moment(change.latest)}, when the last router must be done."
    )
    if change.late is not None:
        yield f"One router may be up to {_length(change.late.total_seconds())} late."
    yield ""
    yield "| router | chain | delete | add | takes over |"
    yield "|---|---|---|---|---|"
    for part in change.routers:
        deleted = ", ".join(f"key {key.id}" for key in part.deleted) or "-"
        added = ", ".join(f"key {key.id} (send-id {key.send_id}, recv-id {key.recv_id})" for key in part.added) or "-"
        starts = ", ".join(_moment(key.start) for key in part.added if key.start is not None) or "-"
        yield f"| {part.router.name} | {part.after.name} | {deleted} | {added} | {starts} |"
    yield ""
    if change.looks:
        yield "Before it begins:"
        yield from (f"- {look}" for look in change.looks)
        yield ""
    order = [part.router.name for part in change.routers]
    yield "Then:"
    for number, name in enumerate(order, start=1):
        yield f"{number}. {name}: `load set {folder}/{name}.set`, `show | compare`, `commit check`, `commit`"
        if number < len(order):
            yield f"   - `show bgp summary`: no new flap; wait {_length(request.pause.total_seconds())}"
    yield f"- at the end: `keyroll check` of the routers' configurations; back: `load set {folder}/ROUTER.rollback.set`"
    yield "- the order may be the other way round: each state in between is judged hitless under all policies"


def _stamp(moment: datetime) -> str:
    return moment.isoformat()


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S %Z")


def _length(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
