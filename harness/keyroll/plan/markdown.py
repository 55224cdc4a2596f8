"""A plan as Markdown for people: a section for each change date, in lines of at most 80 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from keyroll.keychain.model import Key
from keyroll.plan.model import Change, Plan, Request, RouterChange, folders
from keyroll.plan.notes import Accepted

WIDTH = 80
"""Columns of a terminal, and of a ticket that shows text as it is."""
_CODE = re.compile(r"`[^`]+`")
_UNBROKEN = "\N{NO-BREAK SPACE}"
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def markdown(plan: Plan, request: Request) -> str:
    """Return the plan as Markdown, without secrets."""
    return "".join(f"{line}\n" for text in _lines(plan, request) for line in wrapped(text))


def wrapped(text: str) -> list[str]:
    """Return a paragraph or a list item, wrapped; a command in backticks stays on one line and can be copied."""
    if not text:
        return [""]
    item = re.match(r" *(?:- |\d+\. )?", text)
    indent = " " * (item.end() if item else 0)
    whole = _CODE.sub(lambda found: found[0].replace(" ", _UNBROKEN), text)
    lines = textwrap.wrap(
        whole, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
    return [line.replace(_UNBROKEN, " ") for line in lines]


def _lines(plan: Plan, request: Request) -> Iterator[str]:
    names = ", ".join(router.name for router in request.routers)
    leaked = any(isinstance(note, Accepted) for note in plan.notes)
    yield f"# Leaked key of {names}" if leaked else f"# Key changes of {names} until {_day(request.until)}"
    yield ""
    if not plan.changes:
        yield f"Nothing to do: the chain lasts until {_day(request.until)}."
        yield ""
    for note in plan.notes:
        yield f"- {note}"
    if plan.quarantine_known_from is not None:
        yield (
            f"- quarantine: it is certain only from {_day(plan.quarantine_known_from)} on, because earlier deletions "
            "are not known; --history gives them"
        )
    for folder, change in zip(folders(plan), plan.changes, strict=True):
        yield from _section(folder, change, request)


def _section(folder: str, change: Change, request: Request) -> Iterator[str]:
    yield ""
    yield f"## {moment(change.planned)}"
    yield ""
    yield f"Window: from {moment(change.earliest)}" + (
        ", with no end."
        if change.latest is None
        else f" until {moment(change.latest)}; the last router must be changed before that."
    )
    if change.late is not None:
        yield f"One router may be changed up to {length(change.late)} later than planned."
    yield ""
    for part in change.routers:
        yield from _part(part)
    yield ""
    if change.looks:
        yield "Check before the change:"
        yield ""
        yield from (f"- {look}" for look in change.looks)
        yield ""
    yield from _order(folder, change, request)


def _part(part: RouterChange) -> Iterator[str]:
    yield f"- {part.router.name}, key-chain {part.after.name}:"
    for key in part.deleted:
        yield f"  - delete key {key.id}"
    for key in part.added:
        yield f"  - add key {key.id} ({_ids(key)}), which takes over at {moment(key.start)}"


def _ids(key: Key) -> str:
    return f"send-id {key.send_id}, recv-id {key.recv_id}, {key.effective_algorithm}"


def _order(folder: str, change: Change, request: Request) -> Iterator[str]:
    order = [part.router.name for part in change.routers]
    yield "Change:"
    yield ""
    for number, name in enumerate(order, start=1):
        yield f"{number}. {name}: `load set {folder}/{name}.set`, `show | compare`, `commit check`, `commit`"
        if number < len(order):
            yield f"   - `show bgp summary`: no new flap; wait {length(request.pause)}"
    yield ""
    yield "- at the end: run `keyroll check` on the routers' configurations"
    yield f"- to undo the change: `load set {folder}/ROUTER.rollback.set`, `commit`"
    yield "- the order of the routers is free: each state in between is hitless under all policies"


def _day(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d")


def moment(instant: datetime | None) -> str:
    """Return an instant in UTC, to the second."""
    return "-" if instant is None else instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def length(span: timedelta) -> str:
    """Return a length in its two largest units, rounded down, so that the plan never promises too much time."""
    seconds = int(span.total_seconds())
    words: list[str] = []
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count or words:
            words.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(word for word in words[:2] if not word.startswith("0 ")) or "0 seconds"
