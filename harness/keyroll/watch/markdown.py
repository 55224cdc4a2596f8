"""A watch as Markdown, for a change ticket. No secret is in it."""

from __future__ import annotations

from collections.abc import Iterator

from keyroll.markdown_table import literal, table
from keyroll.scenario.record.result import Result
from keyroll.watch.situation import Turn
from keyroll.watch.state import State


def markdown_of(result: Result, state: State, headline: str) -> Iterator[str]:
    """Yield the lines."""
    yield f"# keyroll watch: {literal(' and '.join(state.options.inventory.routers))}"
    yield ""
    yield f"**{literal(headline)}**"
    yield ""
    if state.awaited is not None:
        rows = (tuple(map(literal, _turn(turn, state))) for turn in state.awaited.turns)
        yield from table(("router", "key-chain", "key", "after", "start-time", "seen active"), rows)
        yield ""
    if state.skew is not None:
        one, other = state.options.inventory.routers
        yield f"Clock of {literal(other)} ahead of {literal(one)}'s: {state.skew}"
        yield ""
    judged = (
        (check.name, check.router or "", "yes" if check.passed else "**no**", check.observed) for check in result.checks
    )
    yield from table(("check", "router", "holds", "observed"), (tuple(map(literal, cells)) for cells in judged))
    yield ""
    if result.reason:
        yield f"{literal(result.reason)}"
        yield ""
    if state.not_judged:
        yield "Not judged:"
        yield ""
    for words in state.not_judged:
        yield f"- {literal(words)}"


def _turn(turn: Turn, state: State) -> tuple[str, ...]:
    at = None if state.seen is None else state.seen.took_over(turn)
    seen = "no" if at is None else f"{at.moment:%Y-%m-%d %H:%M:%S} UTC"
    return turn.router, turn.chain, str(turn.key), str(turn.before), f"{turn.start:%Y-%m-%d %H:%M:%S %Z}", seen
