"""A plan as files: set commands and rollback commands for each router, a text for people, and JSON without secrets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from keyroll.keychain.junostext import Encoding, set_lines
from keyroll.keychain.model import Key, Keychain
from keyroll.plan.as_json import as_json
from keyroll.plan.markdown import markdown
from keyroll.plan.model import Plan, Request, RouterChange, folders

_ROOT = "security authentication-key-chains key-chain"


def set_text(part: RouterChange, encoding: Encoding = Encoding.CLEAR) -> str:
    """Return the commands that make the change, for `load set terminal`. They hold the new keys' secrets."""
    return _text([*_deletions(part.before.name, part.deleted), *_additions(part, part.added, encoding)])


def rollback_text(part: RouterChange, encoding: Encoding = Encoding.CLEAR) -> str:
    """Return the commands that undo the change, without deleted keys whose secrets are unknown.

    Such a key is retired, so the sessions do not need it; Junos' own `rollback` restores it.
    """
    known = tuple(key for key in part.deleted if key.secret is not None and key.secret.known)
    return _text([*_deletions(part.before.name, part.added), *_additions(part, known, encoding)])


def _deletions(chain: str, keys: tuple[Key, ...]) -> Iterator[str]:
    for key in keys:
        yield f"delete {_ROOT} {chain} key {key.id}"


def _additions(part: RouterChange, keys: tuple[Key, ...], encoding: Encoding) -> list[str]:
    if not keys:
        return []
    # A new chain needs its tolerance as well; an existing chain keeps its own.
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
