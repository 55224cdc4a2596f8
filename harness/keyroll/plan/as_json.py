"""A plan as data: plan.json, versioned and without secrets, which programs read and the next plan takes as history."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import singledispatch

from keyroll.check.as_json import finding_data
from keyroll.keychain.model import Key
from keyroll.keychain.schedule import in_order
from keyroll.plan.model import Change, Plan, Request, Retired, Router, folders
from keyroll.plan.notes import Accepted, Checked, Remark

FORMAT = 1
_FILE = re.compile(r"\d{4}-\d\d-\d\d(?:T\d{4})?/\w[\w.-]*\.set")
"""The shape of the paths that a plan writes: an edited plan.json cannot name a file elsewhere."""


def as_json(plan: Plan, request: Request) -> str:
    """Return the plan as JSON. Instants are ISO 8601 with their offset, lengths are seconds; secrets are not in it.

    `notes` are the sentences of `findings`, which have the data; `retired` is what the next plan takes as history.
    """
    data = {
        "format": FORMAT,
        "made-at": _stamp(request.at),
        "until": _stamp(request.until),
        "skew-seconds": request.skew.total_seconds(),
        "pause-seconds": request.pause.total_seconds(),
        "commit-seconds": request.commit.total_seconds(),
        "routers": [_router_data(router) for router in request.routers],
        "changes": [_change_data(folder, change) for folder, change in zip(folders(plan), plan.changes, strict=True)],
        "retired": [_retired_data(gone) for gone in plan.retired],
        "quarantine-known-from": None if plan.quarantine_known_from is None else _stamp(plan.quarantine_known_from),
        "findings": [note_data(note) for note in plan.notes],
        "notes": [str(note) for note in plan.notes],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


@singledispatch
def note_data(note: object) -> dict[str, object]:
    """Return a note as data: `about` is its kind, `text` its sentence."""
    raise TypeError(type(note).__name__)


@note_data.register
def _(note: Remark) -> dict[str, object]:
    return {
        "about": note.about.value,
        "severity": "unknown" if note.unknown else "note",
        "router": note.router,
        "keys": list(note.keys),
        "text": str(note),
    }


@note_data.register
def _(note: Checked) -> dict[str, object]:
    return {"about": "check", **finding_data(note.finding), "text": str(note)}


@note_data.register
def _(note: Accepted) -> dict[str, object]:
    return {
        "about": "leaked-key",
        "severity": "note",
        "router": note.router,
        "keys": [note.key],
        "receiving": note.receiving.value,
        "accepted-until": _stamp(note.until),
        "ended-by": "deletion" if note.deletion else "successor",
        "text": str(note),
    }


def _router_data(router: Router) -> dict[str, object]:
    return {
        "name": router.name,
        "chain": router.chain.name,
        "tolerance-seconds": router.chain.tolerance,
        "zone": str(router.zone),
        "keys": [_key_data(key) for key in in_order(router.chain)],
    }


def _change_data(folder: str, change: Change) -> dict[str, object]:
    return {
        "folder": folder,
        "earliest": _stamp(change.earliest),
        "planned": _stamp(change.planned),
        "latest": None if change.latest is None else _stamp(change.latest),
        "late-seconds": None if change.late is None else change.late.total_seconds(),
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


def _retired_data(gone: Retired) -> dict[str, object]:
    return {
        "router": gone.router,
        "key": gone.number,
        "send-id": gone.send_id,
        "recv-id": gone.recv_id,
        "deleted": _stamp(gone.deleted),
    }


def _stamp(moment: datetime) -> str:
    return moment.isoformat()


def read_history(text: str) -> tuple[Retired, ...]:
    """Read `retired` of an earlier plan.json.

    Raises:
        ValueError: the text is not a plan.json of this format, or is damaged.
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


def read_paths(text: str) -> frozenset[str]:
    """Return the set files that a plan.json names. Raises ValueError: it is of another format, or damaged."""
    try:
        data = json.loads(text)
        paths = {
            f"{change['folder']}/{router['name']}{ending}"
            for change in data["changes"]
            for router in change["routers"]
            for ending in (".set", ".rollback.set")
            if data["format"] == FORMAT
        }
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(f"not a plan.json of format {FORMAT}") from None
    return frozenset(path for path in paths if _FILE.fullmatch(path))


def _retired(item: dict[str, object]) -> Retired:
    numbers = [item[name] for name in ("key", "send-id", "recv-id")]
    deleted = datetime.fromisoformat(str(item["deleted"]))
    if not all(isinstance(number, int) for number in numbers) or deleted.tzinfo is None:
        raise ValueError
    key, send_id, recv_id = (int(str(number)) for number in numbers)
    return Retired(str(item["router"]), key, send_id, recv_id, deleted)
