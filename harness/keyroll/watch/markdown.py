"""A watch as Markdown, for a change ticket. No secret is in it."""

from __future__ import annotations

from collections.abc import Iterator

from keyroll.errors import printable
from keyroll.scenario.record.result import Result
from keyroll.watch.state import State


def markdown_of(result: Result, state: State, headline: str) -> Iterator[str]:
    """Yield the lines."""
    yield f"# keyroll watch: {_cell(' and '.join(state.options.inventory.routers))}"
    yield ""
    yield f"**{_cell(headline)}**"
    yield ""
    if state.awaited is not None:
        yield "| router | key-chain | key | after | start-time | seen active |"
        yield "|---|---|---|---|---|---|"
        for turn in state.awaited.turns:
            at = None if state.seen is None else state.seen.took_over(turn)
            seen = "no" if at is None else f"{at.moment:%Y-%m-%d %H:%M:%S} UTC"
            start = f"{turn.start:%Y-%m-%d %H:%M:%S %Z}"
            row = (turn.router, turn.chain, str(turn.key), str(turn.before), start, seen)
            yield f"| {' | '.join(map(_cell, row))} |"
        yield ""
    if state.skew is not None:
        one, other = state.options.inventory.routers
        yield f"Clock of {_cell(other)} ahead of {_cell(one)}'s: {state.skew}"
        yield ""
    yield "| check | router | holds | observed |"
    yield "|---|---|---|---|"
    for check in result.checks:
        cells = (check.name, check.router or "", "yes" if check.passed else "**no**", check.observed)
        yield f"| {' | '.join(map(_cell, cells))} |"
    yield ""
    if result.reason:
        yield f"{_cell(result.reason)}"
        yield ""
    if state.not_judged:
        yield "Not judged:"
        yield ""
    for words in state.not_judged:
        yield f"- {_cell(words)}"


def _cell(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
