"""A watch as plain data, for `result.json` (docs/watch.md), and its verdict in a sentence. No secret is in it."""

from __future__ import annotations

from keyroll.instants import Instant
from keyroll.scenario.record.result import Result, Verdict
from keyroll.watch.sampling import Look
from keyroll.watch.situation import Awaited
from keyroll.watch.state import State

FORMAT = 1
WORDS = {
    Verdict.PASSED: "HITLESS",
    Verdict.FAILED: "NOT HITLESS",
    Verdict.UNFIT: "UNFIT",
    Verdict.INTERRUPTED: "INTERRUPTED",
}


def headline_of(result: Result, state: State) -> str:
    """Return the verdict in a sentence: which side, what, when."""
    word = WORDS.get(result.verdict, result.verdict.value.upper())
    if state.options.once and result.verdict in (Verdict.PASSED, Verdict.FAILED):
        word = "OK" if result.verdict is Verdict.PASSED else "BAD"
    both = " and ".join(state.options.inventory.routers)
    awaited = state.awaited
    if result.verdict is Verdict.PASSED and state.options.once:
        return f"{word}  {both}: sessions up, both sides alike; {_coming(awaited)}"
    if result.verdict is Verdict.PASSED and awaited is not None:
        keys = ", ".join(f"key {turn.key} after key {turn.before} on {turn.router}" for turn in awaited.turns)
        looks = sum(map(len, state.seen.looks.values())) if state.seen is not None else 0
        return f"{word}  {both}: {keys}; {looks} looks, nothing flapped, nothing was lost, nothing was dropped"
    red = result.red
    if red:
        more = f" (and {len(red) - 1} more)" if len(red) > 1 else ""
        return f"{word}  {both}: {red[0].router}: {red[0].name}: {red[0].observed}{more}"
    if result.verdict is Verdict.INTERRUPTED:
        return f"{word}  {both}: nothing wrong was seen so far; {_so_far(state)}"
    return f"{word}  {both}: {result.reason or 'nothing wrong was seen so far'}"


def _so_far(state: State) -> str:
    seen, awaited = state.seen, state.awaited
    if seen is None or not seen.looks:
        return "no look was complete"
    if awaited is None:
        return "no rollover is coming"
    if seen.completed:
        return "the rollover had completed"
    turns = [
        f"key {turn.key} {'had' if seen.took_over(turn) else 'had not yet'} taken over on {turn.router}"
        for turn in awaited.turns
    ]
    return ", ".join(turns)


def _coming(awaited: Awaited | None) -> str:
    if awaited is None:
        return "no rollover is coming"
    return f"the next rollover, at {awaited.first:%Y-%m-%d %H:%M:%S} UTC, is predicted hitless"


def as_data(state: State) -> dict[str, object]:
    """Return the object `watch` of result.json; docs/watch.md lists its fields."""
    situation, seen = state.situation, state.seen
    skew = state.skew
    return {
        "format": FORMAT,
        "routers": {name: _router(state, name) for name in state.options.inventory.routers},
        "skew": None if skew is None else {"low": skew.low.total_seconds(), "high": skew.high.total_seconds()},
        "sessions": []
        if situation is None
        else [
            {
                "name": one.name,
                "kind": one.kind.value,
                "peers": {router: str(peer) for router, peer in one.peers.items()},
                "chains": dict(one.chains),
            }
            for one in situation.sessions
        ],
        "rollover": None if seen is None or seen.awaited is None else _awaited(state, seen.awaited),
        "not_judged": list(state.not_judged),
    }


def _awaited(state: State, awaited: Awaited) -> dict[str, object]:
    seen = state.seen
    return {
        "first": awaited.first.isoformat(),
        "last": awaited.last.isoformat(),
        "predicted": "hitless" if state.predicted else "not hitless",
        "turns": [
            {
                "router": turn.router,
                "chain": turn.chain,
                "key": turn.key,
                "after": turn.before,
                "start": turn.start.isoformat(),
                "seen_active": None if seen is None else _instant(seen.took_over(turn)),
            }
            for turn in awaited.turns
        ],
        "lacking": [{"router": router, "chain": chain} for router, chain in awaited.lacking],
        "completed": seen is not None and seen.completed,
    }


def _router(state: State, name: str) -> dict[str, object]:
    reading = state.clocks.get(name)
    looks: list[Look] = state.seen.looks.get(name, []) if state.seen is not None else []
    return {
        "clock": None if reading is None else reading.shown.isoformat(),
        "time_source": None if reading is None else (reading.source or "").strip() or None,
        "looks": len(looks),
        "keys": {}
        if not looks
        else {
            chain: {"active_send": one.active_send, "active_receive": one.active_receive, "next": one.next_send}
            for chain, one in looks[-1].chains.items()
        },
        "sessions": {}
        if not looks
        else {
            session: {
                "state": sample.state,
                "up": sample.up,
                "flaps": sample.flaps,
                "since": None if sample.since is None else sample.since.total_seconds(),
                "routes": sample.routes,
                "labels": None if sample.labels is None else len(sample.labels),
            }
            for session, sample in looks[-1].samples.items()
        },
        "dropped_due_to_auth_errors": None
        if not looks
        else {
            "sent": looks[-1].dropped[0] - looks[0].dropped[0],
            "received": looks[-1].dropped[1] - looks[0].dropped[1],
        },
    }


def _instant(instant: Instant | None) -> str | None:
    return None if instant is None else instant.moment.isoformat()
