"""A drafted scenario as the text of a file. Free text in it is quoted as JSON, which YAML reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from keyroll.durations import format_duration
from keyroll.names import Invariant, SessionKind
from keyroll.scenario.importing.anonymizer import Remark
from keyroll.scenario.importing.draft import Draft, DraftChain, DraftPointing, DraftRollover
from keyroll.scenario.importing.keys import Differences, DraftKey
from keyroll.scenario.importing.link_capture import SeenOnLink
from keyroll.scenario.importing.planned import Planned, TurnedOn
from keyroll.scenario.importing.sessions import by_router

_SETTLE = "3s"
"""Real time between one router's start-time and the other's: enough for the routes that a soft `clear` sends again."""
_LAST_ADVANCE = timedelta(minutes=30)
"""The longest last advance to a start-time: half of Junos' default tolerance, see `_advance`."""
_BY_ITSELF = timedelta(seconds=3)
"""The shortest last advance to a start-time: setting two clocks takes less, and a run can wait this long."""
_LINE = 118
"""Characters of a comment's line: 120 with the `# ` before them, the limit of this project's own files."""
_WITH_RESET = (Invariant.EVERY_SEGMENT_VERIFIED, Invariant.ROLLOVER_COMPLETES)
"""Invariants of sessions that a commit resets: flaps and lost routes are expected of them."""
_UP_AGAIN = "60s"
"""How long sessions may take after a reset: a router may learn of it only when its peer's retry timer opens anew."""
_RESETS = "each session is reset once"
_LDP_HOLD = 30
"""Junos' default keepalive-timeout of LDP, in seconds (Juniper, `keepalive-timeout`)."""


def scenario_text(
    draft: Draft,
    left_out: Sequence[Remark],
    counted: Sequence[Mapping[str, int]],
    *,
    faults: Sequence[Remark] = (),
    routers: Sequence[str] = (),
    seen: SeenOnLink | None = None,
    name: str = "imported",
    title: str = "The rollovers that two saved configurations will make",
) -> str:
    """Return the text of the scenario file. It has no secret, and no name except those in the arguments.

    Args:
        draft: what is played.
        left_out: what is not played and may change the verdict.
        counted: what is not played and does not matter: for each router, the number of statements by hierarchy.
        faults: what `keyroll check` finds wrong with what is played.
        routers: descriptions of R1 and R2, where the file may name them.
        seen: what a capture of the link says.
        name: the scenario's id.
        title: its title.
    """
    head = ["# Written by keyroll import. R1:12 is line 12 of R1's configuration. Equal secrets have equal labels."]
    head += [f"# R{number} is {_one_line(router)}." for number, router in enumerate(routers, 1)]
    if faults:
        head.append("# keyroll check finds wrong:")
        head += [f"#   - {_one_line(fault.text)}" for fault in faults]
    if seen is not None:
        head.append("# Seen on the link before (--capture), judged with these configurations:")
        head += [f"#   - {_one_line(line)}" for line in seen.lines()]
    return "\n".join((*head, *_left_out(left_out, counted), *_lines(draft, name, title))) + "\n"


def _lines(draft: Draft, name: str, title: str) -> Iterator[str]:
    yield "keyroll: 1"
    yield f"id: {name}"
    yield f"title: {json.dumps(title)}"
    yield f"t0: {json.dumps(draft.t0.isoformat())}"
    yield from _sessions(draft)
    yield from _as_numbers(draft)
    if draft.hold_time is not None:
        yield f"hold-time: {draft.hold_time}  # the lower one of both ends"
    if draft.skew:
        yield f"skew: {{R2: {format_duration(draft.skew)}}}"
    first, *others = draft.chains
    yield "keychain:"
    yield from (f"  {line}" for line in _chain(first))
    more: list[DraftChain | DraftPointing] = [*others, *(one.pointing for one in draft.chains if one.pointing)]
    if more:
        yield "other-chains:"
    for chain in more:
        lines = list(_chain(chain, secrets_of=first.name))
        yield f"  - {lines[0]}"
        yield from (f"    {line}" for line in lines[1:])
    yield from _throughout(draft)
    commit = draft.turned_on or draft.planned
    if commit is not None and len(commit.routers) > 1 and draft.is_committed:
        yield "parametrize:"
        yield "  order: {r1-first: [R1, R2], r2-first: [R2, R1]}"
    yield "steps:"
    if draft.turned_on is not None:
        yield from _turning_on(draft, draft.turned_on)
    else:
        yield "  - apply: {routers: [R1, R2]}"
        yield from _beginning(draft)
    yield from _rollovers(draft)
    if draft.more:
        yield f"# {draft.more} later rollovers are not played (--rollovers)"


def _throughout(draft: Draft) -> Iterator[str]:
    """Yield the invariants where the planned commit resets sessions: the number of flaps is an expectation there."""
    if all(chain.is_reset for chain in draft.chains):
        yield f"throughout: [{', '.join(_WITH_RESET)}]"
    elif reset := [one.name for chain in draft.chains if chain.is_reset for one in chain.group.played]:
        yield "throughout-of:"
        yield from (f"  {name}: [{', '.join(_WITH_RESET)}]" for name in reset)


def _beginning(draft: Draft) -> Iterator[str]:
    for chain in draft.chains:
        if chain.stays_down:
            names = ", ".join(one.name for one in chain.group.played)
            yield f"  # keyroll check predicts: {names} does not come up with the keys of t0"
    yield from _expect(draft, range(len(draft.chains)), [chain.active for chain in draft.chains], reset=False)
    if draft.planned is not None:
        yield from _changes(draft, draft.planned)


def _turning_on(draft: Draft, commit: TurnedOn) -> Iterator[str]:
    """Yield the planned commit that turns TCP-AO on: sessions without TCP-AO, the commit, sessions with TCP-AO."""
    everything = range(len(draft.chains))
    yield f"  - apply: {{authentication: {commit.former.value}}}"
    yield f"  - expect: {{{', '.join(_states(draft, everything))}}}"
    for words in commit.words:
        yield f"  # keyroll check, {_one_line(words)}"
    yield f"  # keyroll check predicts: the commit turns TCP-AO on, and {_RESETS}"
    yield f"  - apply: {{routers: '${{order}}', pause: {format_duration(commit.pause)}}}"
    yield from _expect(draft, everything, [chain.active for chain in draft.chains], committed=True)


def _chain(chain: DraftChain | DraftPointing, *, secrets_of: str | None = None) -> Iterator[str]:
    yield f"name: {chain.name}"
    if secrets_of is not None:
        yield f"secrets-of: {secrets_of}  # one label, one secret, in all chains"
    yield _tolerance(chain.tolerances)
    yield "keys:"
    for key in chain.keys:
        yield from (line[2:] for line in _key(key))


def _tolerance(seconds: tuple[int, int]) -> str:
    one, other = seconds
    return f"tolerance: {one if one == other else f'{{R1: {one}, R2: {other}}}'}"


def _left_out(left_out: Sequence[Remark], counted: Sequence[Mapping[str, int]]) -> Iterator[str]:
    if left_out:
        yield "# Not played, and may change the verdict:"
    for item in left_out:
        yield f"#   - {_one_line(item.text)}"
    for number, found in enumerate(counted, 1):
        if found:
            told = ", ".join(f"{word} {count}" for word, count in found.items())
            yield f"# Not played of R{number}, by statements: {_one_line(told)}"[: _LINE * 4]


def _sessions(draft: Draft) -> Iterator[str]:
    """Yield the sessions: as words where these are enough, else as mappings."""
    played = draft.played
    bgp = [one for one in played if one.kind is SessionKind.BGP]
    if not draft.is_named:
        kinds = {one.kind for one in played}
        yield f"sessions: [{', '.join(kind.value for kind in SessionKind if kind in kinds)}]"
        yield from (f"family: {one.family}  # {one.places}" for one in bgp)
        return
    yield "sessions:"
    number = 0
    for index, chain in enumerate(draft.chains):
        name = chain.name if index else None
        for one in chain.group.played:
            local_as = draft.ases.local_as(number)
            number += 1
            written = one.written(hold_time=draft.hold_time, chain=name, local_as=local_as)
            yield f"  - {written}  # {one.remark}"


def _as_numbers(draft: Draft) -> Iterator[str]:
    ases = draft.ases
    if ases.own is None:
        if ases.remark:
            yield f"# {ases.remark}"
        return
    yield f"as: {by_router(dict(zip(('R1', 'R2'), ases.own, strict=True)))}  # {ases.remark}".rstrip(" #")


def _one_line(text: str) -> str:
    """Return `text` in one line, for a comment: a configuration may have any character in it."""
    return "".join(character if character.isprintable() else " " for character in text)


def _changes(draft: Draft, planned: Planned) -> Iterator[str]:
    for words in planned.words:
        yield f"  # keyroll check, {_one_line(words)}"
    changed = [chain for chain in draft.chains if chain.change is not None]
    pointed = [chain for chain in draft.chains if chain.pointing is not None]
    if not draft.is_committed:
        yield "  # The planned change leaves the key-chains as they are."
        return
    if pointed:
        names = ", ".join(one.name for chain in pointed for one in chain.group.played)
        yield f"  # keyroll check predicts: another key-chain needs a new connection, {_RESETS}: {names}"
    listed = len(changed) + len(pointed) > 1
    yield f"  - {'change-chains' if listed else 're-point' if pointed else 'change-chain'}:"
    if len(planned.routers) > 1:
        yield "      routers: ${order}"
        yield f"      pause: {format_duration(planned.pause)}"
    else:
        yield f"      routers: {planned.routers[0]}"
    yield from _committed(draft, changed, pointed, listed=listed)
    for chain in pointed:
        # A router may keep the chain of a connection for the connection's lifetime: a reset makes it use the new one.
        yield from (f"  - clear: {{session: {name}, routers: R1}}" for name in _names(draft, chain))
    active = [chain.active_after or chain.active for chain in draft.chains]
    yield from _expect(draft, range(len(draft.chains)), active, committed=True)


def _committed(
    draft: Draft, changed: Sequence[DraftChain], pointed: Sequence[DraftChain], *, listed: bool
) -> Iterator[str]:
    if listed and changed:
        yield "      of:"
    for chain in changed:
        lines = [f"chain: {chain.name}"] if len(draft.chains) > 1 else []
        yield from _item([*lines, *_changed(chain)], listed=listed)
    if listed and pointed:
        yield "      re-point:"
    for chain in pointed:
        yield from _item(_pointed(draft, chain), listed=listed)


def _item(lines: Iterable[str], *, listed: bool) -> Iterator[str]:
    """Yield the fields of a step, or of one item of its list."""
    for index, line in enumerate(lines):
        yield f"      {'' if not listed else '  ' if index else '- '}{line}"


def _pointed(draft: Draft, chain: DraftChain) -> Iterator[str]:
    assert chain.pointing is not None  # noqa: S101 - chosen so
    yield f"chain: {chain.pointing.name}"
    if len(draft.chains) > 1:
        yield f"sessions: [{', '.join(_names(draft, chain))}]"


def _names(draft: Draft, chain: DraftChain) -> list[str]:
    """Return the file's names of the sessions of a chain."""
    return [one.name if draft.is_named else one.kind.value for one in chain.group.played]


def _changed(chain: DraftChain) -> Iterator[str]:
    """Yield what a planned commit does to a chain, as fields of a change."""
    change = chain.change
    assert change is not None  # noqa: S101 - chosen so
    if change.tolerances is not None:
        yield _tolerance(change.tolerances)
    if change.delete:
        yield f"delete: [{', '.join(map(str, change.delete))}]"
    if change.add:
        yield "add:"
        for key in change.add:
            yield from (line[2:] for line in _key(key))


def _key(key: DraftKey) -> Iterator[str]:
    parts = [f"id: {key.number}", f"start: {format_duration(key.start)}", f"send: {key.send}", f"recv: {key.recv}"]
    if key.algorithm is not None:
        parts.append(f"algorithm: {key.algorithm}")
    parts.append(f"secret: {key.label}")
    if len(key.held_by) == 1:
        parts.append(f"held-by: {key.held_by[0]}")
    if key.other.differs or key.option:
        parts.append(f"R2: {{{', '.join(_held(key.other))}}}")
    note = ", unknown secret: drawn, and assumed to match" if key.unknown else ""
    yield f"    - {{{', '.join(parts)}}}  # {', '.join(key.places)}{note}"


def _held(held: Differences) -> Iterator[str]:
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


def _rollovers(draft: Draft) -> Iterator[str]:
    """Yield the steps of all rollovers: advance to each start-time, and check the rollovers that are complete there."""
    before = timedelta()
    active = [chain.active_after or chain.active for chain in draft.chains]
    for instant in sorted({moment for one in draft.rollovers for moment in (one.first, one.last)}):
        ending = [one for one in draft.rollovers if one.last == instant]
        for rollover in ending:
            words = f"{(draft.t0 + instant).isoformat()}: keyroll check predicts: {rollover.words}"
            yield f"  # {words}" + (f" ({draft.chains[rollover.chain].name})" if len(draft.chains) > 1 else "")
        if instant > before or ending:
            yield from _advance(draft, before, instant)
            before = instant
        if not ending:
            # One router's key has started and the other's has not: let data flow in this state.
            if any(one.kind is SessionKind.BGP for one in draft.played):
                yield "  - clear: {session: bgp, soft: true}"
            yield f"  - wait: {{for: {_SETTLE}}}"
            continue
        for rollover in ending:
            active[rollover.chain] = rollover.active
        yield from _expect(draft, [one.chain for one in ending if one.hitless], active)
        for rollover in ending:
            if not rollover.hitless:
                yield from _not_hitless(draft, rollover)


def _not_hitless(draft: Draft, rollover: DraftRollover) -> Iterator[str]:
    """Yield the expectations of a rollover that drops segments: the active keys, and one drop with its reason."""
    yield f"  - expect: {{{_keyed(draft, 'active', {rollover.chain: _numbers(rollover.active)})}}}"
    for router, reason in rollover.drops[:1]:
        # Two seconds of slack after the hold time, as `Waits.slack` has.
        limit = format_duration(timedelta(seconds=(draft.hold_time or _LDP_HOLD) + 2))
        yield f"  - expect-within: {{within: {limit}, drops: {{{router}: {{{reason}: 1}}}}}}"


def _advance(draft: Draft, before: timedelta, start: timedelta) -> Iterator[str]:
    """Yield the steps that lead to a start-time (`docs/decisions/0021-the-last-advance-to-a-start-time.md`).

    The two clocks are set one after the other, so for a moment they differ by the length of the advance. The last one
    to the start-time is therefore shorter than the tolerance; where the tolerance is only a few seconds, the file lets
    real time pass instead.
    """
    tolerance = timedelta(seconds=min(seconds for chain in draft.chains for seconds in chain.all_tolerances))
    last = min(_LAST_ADVANCE, max(tolerance / 2, _BY_ITSELF))
    near = timedelta(seconds=(start - last) // timedelta(seconds=1))
    if near > before:
        yield f"  - advance: {{to: {format_duration(near)}}}"
    if tolerance >= 2 * _BY_ITSELF:
        yield f"  - advance: {{to: {format_duration(start)}}}"
    else:
        yield f"  - wait: {{for: {format_duration(last + timedelta(seconds=1))}}}"


def _expect(
    draft: Draft,
    chains: Iterable[int],
    active: Sequence[tuple[int | None, int | None]],
    *,
    reset: bool = True,
    committed: bool = False,
) -> Iterator[str]:
    """Yield the expectation that the sessions of `chains` are up and send these keys, without those down since t0.

    `reset`: the planned commit, if there is one, has been made, so the sessions that it resets have flapped once.
    `committed`: the planned commit is the step just before.
    """
    up = [index for index in chains if not draft.chains[index].stays_down]
    if not up:
        return
    parts = list(_states(draft, up))
    if reset:
        parts += _flaps(draft, up)
    parts.append(_keyed(draft, "active", {index: _numbers(active[index]) for index in up}))
    sending = {index: _numbers(active[index]) for index in up if None not in active[index]}
    if sending:
        parts.append(_keyed(draft, "wire", sending))
    if committed and any(draft.chains[index].is_reset for index in up):
        yield f"  - expect-within: {{within: {_UP_AGAIN}, {', '.join(parts)}}}"
    else:
        yield f"  - expect: {{{', '.join(parts)}}}"


def _states(draft: Draft, chains: Sequence[int]) -> Iterator[str]:
    for kind, state in ((SessionKind.BGP, "Established"), (SessionKind.LDP, "Operational")):
        of_kind = {one.name for one in draft.played if one.kind is kind}
        names = [one.name for index in chains for one in draft.chains[index].group.played if one.kind is kind]
        if names and set(names) == of_kind:
            yield f"{kind.value}: {state}"
        elif names:
            yield f"{kind.value}: {{{', '.join(f'{name}: {state}' for name in names)}}}"


def _flaps(draft: Draft, chains: Sequence[int]) -> Iterator[str]:
    """Yield the expectation that sessions reset by a commit have flapped once; Junos shows no flap count of LDP."""
    names = [
        name
        for chain in (draft.chains[index] for index in chains)
        if chain.is_reset
        for one, name in zip(chain.group.played, _names(draft, chain), strict=True)
        if one.kind is SessionKind.BGP
    ]
    if names:
        yield f"flaps: {{{', '.join(f'{name}: 1' for name in names)}}}" if draft.is_named else "flaps: 1"


def _keyed(draft: Draft, condition: str, values: Mapping[int, str]) -> str:
    """Return a condition: one value where the file has one chain, else keyed by session."""
    if len(draft.chains) == 1:
        return f"{condition}: {next(iter(values.values()))}"
    words = (f"{one.name}: {value}" for index, value in values.items() for one in draft.chains[index].group.played)
    return f"{condition}: {{{', '.join(words)}}}"


def _numbers(active: tuple[int | None, int | None]) -> str:
    words = ["null" if number is None else str(number) for number in active]
    return words[0] if words[0] == words[1] else f"{{R1: {words[0]}, R2: {words[1]}}}"
