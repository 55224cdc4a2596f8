"""Judges every state that a plan passes through, under every mix of policies: a plan that is not hitless is refused."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from keyroll.check.rollovers import rollovers
from keyroll.check.skew import MIXES, Known, Mix, SkewBounds, covers
from keyroll.keychain.model import Keychain
from keyroll.keychain.simulation import ClockParts, Differ, Party, Simulation, Timetable, events_of, from_us, to_us
from keyroll.names import Receiving
from keyroll.plan.chain_agreement import assumed
from keyroll.plan.model import Change, OptionsRefusedError, Request, RouterChange

_MICROSECOND = timedelta(microseconds=1)


def verify(changes: Sequence[Change], request: Request, mirrored: Mapping[str, bool]) -> None:
    """Judge the states of each change: one router changed, in either order, until `latest`; then both changed.

    Raises:
        OptionsRefusedError: a state is not hitless under some mix.
    """
    known: Known = {}  # a plan's rollovers are alike: each pattern is computed once, not once a change
    for position, change in enumerate(changes):
        following = changes[position + 1].earliest if position + 1 < len(changes) else None
        for one, other in itertools.combinations(change.routers, 2):
            if not _have_a_session(one, other, mirrored):
                continue
            names = one.router.name, other.router.name
            before = tuple(_assumed(part.before, part.router.name, mirrored) for part in (one, other))
            after = tuple(_assumed(part.after, part.router.name, mirrored) for part in (one, other))
            if all(chain.keys for chain in before):
                end = change.latest or change.planned + request.pause + request.commit
                _judge_half_changed(names, (after[0], before[1]), change.earliest, end, request.skew)
                _judge_half_changed(names, (before[0], after[1]), change.earliest, end, request.skew)
            _judge_rollovers(names, (after[0], after[1]), change.earliest, following, request.skew, known)


def _have_a_session(one: RouterChange, other: RouterChange, mirrored: Mapping[str, bool]) -> bool:
    """Say whether two routers can have a session: one has the other's ids reversed, or all ids are equal."""
    if mirrored[one.router.name] != mirrored[other.router.name]:
        return True
    return all(key.send_id == key.recv_id for key in one.after.keys)


def _assumed(chain: Keychain, name: str, mirrored: Mapping[str, bool]) -> Keychain:
    return assumed(chain, mirrored=mirrored[name])


def _judge_half_changed(
    names: tuple[str, str], chains: tuple[Keychain, Keychain], begin: datetime, end: datetime, skew: timedelta
) -> None:
    """Judge two chains of which one is changed, from `begin` to `end`: no key may be due in this time."""
    if end <= begin:
        return
    begun, ended = to_us(begin), to_us(end)
    tables = [{receiving: Timetable.of(chain, receiving) for receiving in Receiving} for chain in chains]
    differ: Differ = {}
    # The two greatest skews are enough: no event of either router lies in this time, so a skew between them changes
    # nothing.
    for offset in sorted({-skew, skew}):
        clocks = ClockParts(), ClockParts(offsets=(offset // _MICROSECOND,))
        for mix in MIXES:
            parties = [
                Party(table[receiving], clock, sending)
                for table, clock, (sending, receiving) in zip(tables, clocks, mix, strict=True)
            ]
            simulation = Simulation(parties[0], parties[1], None, differ)
            # Of several states at one instant only the last one lasts.
            for instant, state in dict(simulation.run(events_of(parties, begun, ended))).items():
                dropped = [name for name, direction in zip(names, state, strict=True) if direction.drop is not None]
                if dropped:
                    raise OptionsRefusedError(
                        f"while only one of {names[0]} and {names[1]} is changed, segments from {dropped[0]} would be "
                        f"dropped at {from_us(instant).isoformat()} (policies {_policies(names, mix)})",
                        remedy="use a larger tolerance, or a longer interval between keys",
                    )


def _judge_rollovers(
    names: tuple[str, str],
    chains: tuple[Keychain, Keychain],
    begin: datetime,
    end: datetime | None,
    skew: timedelta,
    known: Known,
) -> None:
    """Judge the rollovers until the next change, at every skew up to the assumed one."""
    bounds = SkewBounds(*chains, known)
    for rollover in rollovers(*chains):
        if rollover.last < begin or (end is not None and rollover.first >= end):
            continue
        for mix, skews in bounds.of(rollover).items():
            if not covers(skews, skew // _MICROSECOND):
                raise OptionsRefusedError(
                    f"the rollover of {rollover.first.isoformat()} between {names[0]} and {names[1]} is not hitless "
                    f"with clocks {skew.total_seconds():g} s apart (policies "
                    f"{_policies(names, mix)})",
                    remedy="use a larger tolerance, or clocks that are closer together (--skew)",
                )


def _policies(names: tuple[str, str], mix: Mix) -> str:
    return ", ".join(
        f"{name} {sending.value}/{receiving.value}" for name, (sending, receiving) in zip(names, mix, strict=True)
    )
