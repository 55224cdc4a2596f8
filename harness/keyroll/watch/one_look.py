"""The verdict on one look: sessions up, active keys that belong together, the next rollover predicted hitless."""

from __future__ import annotations

from collections.abc import Iterator

from keyroll.keychain.model import Keychain
from keyroll.scenario.judge.findings import Finding, checked
from keyroll.scenario.judge.invariants import Throughout
from keyroll.scenario.record.result import Check
from keyroll.watch.state import State
from keyroll.watch.verdict import keys_in_use

SESSION_UP, SIDES_ALIKE, NEXT_ROLLOVER = "session-up", "sides-alike", "next-rollover"
Ids = tuple[int | None, int | None]
"""send-id and recv-id."""


def chains_of(state: State) -> Iterator[tuple[str, Keychain]]:
    """Yield the chains of the watched sessions, each once, with its router."""
    situation = state.situation
    if situation is not None:
        numbers = sorted({session.pair for session in situation.sessions})
        found = ((chain.where.file, chain.keychain) for n in numbers for chain in situation.report.pairs[n].chains)
        yield from {(router, chain.name): (router, chain) for router, chain in found}.values()


def active_ids(state: State) -> dict[str, tuple[Ids | None, Ids | None]]:
    """Return by session the ids of the key that each side has active, by its last look; None: none, or not known."""
    found: dict[str, tuple[Ids | None, Ids | None]] = {}
    situation, seen = state.situation, state.seen
    for session in situation.sessions if situation is not None and seen is not None else ():
        ids: list[Ids | None] = []
        for chain in situation.report.pairs[session.pair].chains if situation is not None else ():
            looks = seen.looks.get(chain.where.file) if seen is not None else None
            shown = looks[-1].chains.get(chain.name) if looks else None
            active = None if shown is None else shown.active_send
            ids.append(next(((key.send_id, key.recv_id) for key in chain.keychain.keys if key.id == active), None))
        found[session.name] = (ids[0], ids[1])
    return found


def checks_of_now(state: State) -> list[Check]:
    """Judge one look: each session is up, both sides have keys active that belong together, the next rollover."""
    seen, situation = state.seen, state.situation
    if seen is None or situation is None:
        return []
    checks = [
        _check(state, SESSION_UP, router, f"{name} up", f"{name} {sample.state}", holds=sample.up)
        for router, looks in seen.looks.items()
        for name, sample in looks[-1].samples.items()
    ]
    both = " and ".join(situation.routers)
    read_both = all(router in seen.looks for router in situation.routers)
    # A router that could not be read is unknown, which is not "no key".
    for name, (one, other) in active_ids(state).items() if read_both else ():
        alike = one is not None and other is not None and one == other[::-1]
        both_ids = (one, other)
        shown = " with ".join("no key" if ids is None else f"send-id {ids[0]} recv-id {ids[1]}" for ids in both_ids)
        expected = f"{name}: the active keys' ids are each other's reverse"
        checks.append(_check(state, SIDES_ALIKE, both, expected, f"{name}: {shown}", holds=alike))
    awaited = seen.awaited
    if awaited is not None:
        hitless = bool(state.predicted)
        when = f"{awaited.first:%Y-%m-%d %H:%M:%S} UTC"
        observed = f"the rollover at {when} is predicted {'hitless' if hitless else 'not hitless (keyroll check)'}"
        checks.append(_check(state, NEXT_ROLLOVER, both, "the next rollover hitless", observed, holds=hitless))
    return checks


def _check(state: State, name: str, router: str, expected: str, observed: str, *, holds: bool) -> Check:
    keys = {} if state.seen is None else keys_in_use(state.seen)
    return checked(Throughout(name, router, expected), Finding(holds, observed), keys=keys)
