"""A drafted scenario as the text of a file. Every text that stands in it is quoted as JSON, which YAML reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from keyroll.names import SessionKind
from keyroll.scenario.file.durations import format_duration
from keyroll.scenario.importing.draft import Draft, DraftChange, DraftKey, DraftRollover, Otherwise
from keyroll.scenario.importing.left_out import LeftOut
from keyroll.scenario.importing.sessions import DraftSession

_SETTLE = "3s"
"""Time for data to flow between two start-times that lie apart: a router exchanges its routes again within it."""
_LAST_HOP = timedelta(minutes=30)
"""Half of Junos' default tolerance."""
_BY_ITSELF = timedelta(seconds=3)
"""Two clocks are set within less, and a person waits that long."""
_LINE = 118


def scenario_text(
    draft: Draft,
    left_out: Sequence[LeftOut],
    counted: Sequence[Mapping[str, int]],
    *,
    name: str = "imported",
    title: str = "The rollovers that two saved configurations will make",
) -> str:
    """Return the scenario file. It holds no secret and no name or address of the routers."""
    return "\n".join(_lines(draft, left_out, counted, name, title)) + "\n"


def _lines(
    draft: Draft, left_out: Sequence[LeftOut], counted: Sequence[Mapping[str, int]], name: str, title: str
) -> Iterator[str]:
    yield "# Written by keyroll import. R1:12 is line 12 of R1's configuration. Equal secrets have equal labels."
    yield from _left_out(left_out, counted)
    yield "keyroll: 1"
    yield f"id: {name}"
    yield f"title: {json.dumps(title)}"
    yield f"t0: {json.dumps(draft.t0.isoformat())}"
    yield from _sessions(draft.meant.played)
    if draft.hold_time is not None:
        yield f"hold-time: {min(600, max(3, draft.hold_time))}  # the lower one of both ends"
    if draft.skew:
        yield f"skew: {{R2: {format_duration(draft.skew)}}}"
    yield "keychain:"
    yield "  name: imported"
    one, other = draft.tolerances
    yield f"  tolerance: {one if one == other else f'{{R1: {one}, R2: {other}}}'}"
    yield "  keys:"
    for key in draft.keys:
        yield from _key(key)
    change = draft.change
    if change is not None and len(change.routers) > 1:
        yield "parametrize:"
        yield "  order: {r1-first: [R1, R2], r2-first: [R2, R1]}"
    yield "steps:"
    yield "  - apply: {routers: [R1, R2]}"
    if not draft.down:
        yield f"  - expect: {{{_states(draft)}{_active(draft.active, wire=True)}}}"
    if change is not None:
        yield from _change(draft, change)
    before = timedelta()
    for rollover in draft.rollovers:
        yield from _rollover(draft, rollover, before)
        before = rollover.last
    if draft.more:
        yield f"# {draft.more} later rollovers are not played (--rollovers)"


def _left_out(left_out: Sequence[LeftOut], counted: Sequence[Mapping[str, int]]) -> Iterator[str]:
    if left_out:
        yield "# Not played, and may change the verdict:"
    for item in left_out:
        place = f" ({item.where})" if item.where is not None else ""
        yield f"#   - {_one_line(item.message)}{place}"
    for number, found in enumerate(counted, 1):
        if found:
            told = ", ".join(f"{word} {count}" for word, count in found.items())
            yield f"# Not played of R{number}, by statements: {_one_line(told)}"[: _LINE * 4]


def _sessions(played: Sequence[DraftSession]) -> Iterator[str]:
    """Yield the sessions: as words where these say all, as mappings where one is more than its kind."""
    bgp = [one for one in played if one.kind is SessionKind.BGP]
    if len(bgp) <= 1 and all(one.is_word for one in played):
        kinds = {one.kind for one in played}
        yield f"sessions: [{', '.join(kind.value for kind in SessionKind if kind in kinds)}]"
        yield from (f"family: {one.family}  # {one.places}" for one in bgp)
        return
    yield "sessions:"
    yield from (f"  - {one.written()}  # {one.places}" for one in played)


def _one_line(text: str) -> str:
    """Return a text as a comment bears it: configurations may hold anything."""
    return "".join(character if character.isprintable() else " " for character in text)


def _change(draft: Draft, change: DraftChange) -> Iterator[str]:
    for words in change.words:
        yield f"  # keyroll check, {_one_line(words)}"
    if not change.delete and not change.add:
        yield "  # The planned change leaves the keys as they are."
        return
    yield "  - change-chain:"
    if len(change.routers) > 1:
        yield "      routers: ${order}"
        yield f"      pause: {format_duration(change.pause)}"
    else:
        yield f"      routers: {change.routers[0]}"
    if change.delete:
        yield f"      delete: [{', '.join(map(str, change.delete))}]"
    if change.add:
        yield "      add:"
        for key in change.add:
            yield from (f"    {line}" for line in _key(key))
    if not draft.down:
        yield f"  - expect: {{{_states(draft)}{_active(draft.active, wire=True)}}}"


def _key(key: DraftKey) -> Iterator[str]:
    parts = [f"id: {key.number}", f"start: {format_duration(key.start)}", f"send: {key.send}", f"recv: {key.recv}"]
    if key.algorithm is not None:
        parts.append(f"algorithm: {key.algorithm}")
    parts.append(f"secret: {key.label}")
    if len(key.held_by) == 1:
        parts.append(f"held-by: {key.held_by[0]}")
    if key.other.differs or key.option:
        parts.append(f"R2: {{{', '.join(_held(key.other))}}}")
    note = ", secret not known: drawn, and taken to match" if key.unknown else ""
    yield f"    - {{{', '.join(parts)}}}  # {', '.join(key.places)}{note}"


def _held(held: Otherwise) -> Iterator[str]:
    if held.start is not None:
        yield f"start: {format_duration(held.start)}"
    for name, value in (
        ("send", held.send),
        ("recv", held.recv),
        ("algorithm", held.algorithm),
        ("secret", held.secret),
    ):
        if value is not None:
            yield f"{name}: {value}"


def _rollover(draft: Draft, rollover: DraftRollover, before: timedelta) -> Iterator[str]:
    """Yield the steps of a rollover; `before` is where the clocks stand, after t0."""
    instant = (draft.t0 + rollover.last).isoformat()
    yield f"  # {instant}: keyroll check predicts: {rollover.words}"
    if rollover.first < rollover.last:
        yield from _advance(draft, before, rollover.first)
        if SessionKind.BGP in draft.meant.kinds:
            yield "  - clear: {session: bgp, soft: true}"
        yield f"  - wait: {{for: {_SETTLE}}}"
        before = rollover.first
    yield from _advance(draft, before, rollover.last)
    if rollover.hitless:
        yield f"  - expect: {{{_states(draft)}{_active(rollover.active, wire=True)}}}"
        return
    yield f"  - expect: {{{_active(rollover.active, wire=False)}}}"
    for router, reason in rollover.drops[:1]:
        limit = format_duration(timedelta(seconds=(draft.hold_time or 30) + 2))
        yield f"  - expect-within: {{within: {limit}, drops: {{{router}: {{{reason}: 1}}}}}}"


def _advance(draft: Draft, before: timedelta, start: timedelta) -> Iterator[str]:
    """Yield the way to a start-time.

    The two clocks are set one after the other, so that for a moment they are as far apart as the hop is long: the last
    hop is shorter than what the chains bear, and where they bear next to nothing, time passes by itself.
    """
    tolerance = timedelta(seconds=min(draft.tolerances))
    hop = min(_LAST_HOP, max(tolerance / 2, _BY_ITSELF))
    near = timedelta(seconds=(start - hop) // timedelta(seconds=1))
    if near > before:
        yield f"  - advance: {{to: {format_duration(near)}}}"
    if tolerance >= 2 * _BY_ITSELF:
        yield f"  - advance: {{to: {format_duration(start)}}}"
    else:
        yield f"  - wait: {{for: {format_duration(hop + timedelta(seconds=1))}}}"


def _states(draft: Draft) -> str:
    states = {SessionKind.BGP: "bgp: Established, ", SessionKind.LDP: "ldp: Operational, "}
    return "".join(states[kind] for kind in draft.meant.kinds)


def _active(active: tuple[int | None, int | None], *, wire: bool) -> str:
    words = ["null" if number is None else str(number) for number in active]
    both = words[0] if words[0] == words[1] else f"{{R1: {words[0]}, R2: {words[1]}}}"
    return f"active: {both}" + (f", wire: {both}" if wire and None not in active else "")
