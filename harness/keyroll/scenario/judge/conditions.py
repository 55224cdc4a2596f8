"""Conditions of a step, and how they are judged: from samples, show records and the wire, each to its own deadline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from keyroll.junos.records import ChainStatus
from keyroll.scenario.file.fields import ROUTERS, DropReason, RouterName, SessionName
from keyroll.scenario.file.steps import CHECK_NAMES, Conditions
from keyroll.scenario.observe.drops import Drops
from keyroll.scenario.observe.sampler import Sample
from keyroll.scenario.observe.tcp_events import Sight
from keyroll.scenario.observe.wire import Wire
from keyroll.scenario.plan.deadlines import Waits

SHOWN = frozenset({"active", "next"})
"""Conditions that `show security keychain` answers."""
SAMPLED = frozenset({"bgp", "ldp", "flaps"})
"""Conditions that the samples of the sessions answer."""
ON_WIRE = frozenset({"wire", "keyid", "rnextkeyid", "seen"})
_UP = {"bgp": "Established", "ldp": "Operational"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One expectation of one router: a field of a step, and its value there."""

    name: str
    router: RouterName
    value: str | int | None
    reason: DropReason | None = None
    """Of `drops`: what for."""

    def deadline(self, waits: Waits) -> timedelta:
        """Return how long after the step's event the condition may take to come true."""
        if self.name in _UP:
            return waits.session_up if self.value == _UP[self.name] else waits.session_down
        return waits.wire if self.name in ON_WIRE or self.name == "drops" else waits.shown

    def expected(self) -> str:
        """Return what is expected, in words."""
        match self.name:
            case "active" | "next":
                return f"{self.name} key {_number(self.value)} in show security keychain"
            case "wire" if self.value is None:
                return "no segment of a protected session sent"
            case "wire":
                return f"data signed with key {self.value} and acknowledged by a verified segment"
            case "seen":
                return f"{self.value} in {self.router}'s capture"
            case "keyid" | "rnextkeyid":
                return f"{'KeyID' if self.name == 'keyid' else 'RNextKeyID'} {self.value} in the last segment sent"
            case "drops":
                number = f"at least {self.value}" if self.value else "no"
                return f"{number} received segments dropped ({self.reason})"
            case _:
                return f"{self.name} {self.value}"


@dataclass(frozen=True, slots=True)
class View:
    """What is known at one look. `since` is the event (ns since 1970) that counts: older states are not looked at."""

    since: int
    samples: Mapping[tuple[RouterName, SessionName], Sample | None]
    chains: Mapping[RouterName, ChainStatus]
    wire: Wire
    sessions: Sequence[SessionName]
    flaps_before: Mapping[RouterName, int] = field(default_factory=dict)
    """What the routers' BGP flap counters said when the sessions were first up: flaps are counted from there."""
    drops: Mapping[RouterName, Drops] = field(default_factory=dict)
    """What routers have dropped since the event, where it was asked for."""


def conditions_of(step: Conditions) -> tuple[Condition, ...]:
    """Return a step's expectations one by one, in the order of the file format."""
    return tuple(
        condition
        for name in CHECK_NAMES
        for router in ROUTERS
        if router in getattr(step, name)
        for condition in _conditions(name, router, getattr(step, name)[router])
    )


def _conditions(name: str, router: RouterName, value: Any) -> Iterator[Condition]:  # noqa: ANN401 - a field's own type
    if name == "drops":
        yield from (Condition(name, router, count, reason) for reason, count in value.items())
    else:
        yield Condition(name, router, value)


def judge(condition: Condition, view: View) -> tuple[bool, str]:
    """Say whether a condition holds in what was seen, and what was seen, in words."""
    router = condition.router
    if condition.name in SAMPLED:
        sample = view.samples.get((router, "ldp" if condition.name == "ldp" else "bgp"))
        if sample is None:
            return False, "no sample since then"
        if condition.name == "flaps":
            flaps = None if sample.flaps is None else sample.flaps - view.flaps_before.get(router, 0)
            return flaps == condition.value, f"{flaps} flaps since the session was up"
        return (not sample.up if condition.value == "down" else sample.state == condition.value), sample.words()
    if condition.name in SHOWN:
        return _shown(condition, view.chains.get(router))
    if condition.name in ON_WIRE:
        return _on_wire(condition, view)
    if condition.name == "drops":
        return _dropped(condition, view.drops.get(router))
    return False, f"{condition.name} cannot be observed here"


def _shown(condition: Condition, chain: ChainStatus | None) -> tuple[bool, str]:
    if chain is None:
        return False, "the chain was not shown"
    if condition.name == "active":
        pair = (chain.active_send, chain.active_receive)
        words = f"active send {_number(pair[0])}, receive {_number(pair[1])}"
    else:
        pair = (chain.next_send, chain.next_receive)
        words = f"next send {_number(pair[0])}, receive {_number(pair[1])}"
    return pair == (condition.value, condition.value), words


def _dropped(condition: Condition, drops: Drops | None) -> tuple[bool, str]:
    if drops is None or condition.reason is None:
        return False, "the counters were not read"
    wanted, found = int(condition.value or 0), drops.of(condition.reason)
    return (found >= wanted if wanted else found == 0), f"dropped since, {drops.words()}"


def _on_wire(condition: Condition, view: View) -> tuple[bool, str]:
    if condition.name == "seen":
        return view.wire.seen(cast("Sight", condition.value), condition.router, since=view.since)
    if condition.name == "wire" and condition.value is None:
        sent = view.wire.sent_by(condition.router, since=view.since)
        return not sent, f"{len(sent)} segments sent"
    held, seen = True, []
    for session in view.sessions:
        side = view.wire.side(condition.router, session)
        if condition.name == "wire":
            held = held and view.wire.handed_over(condition.router, session, condition.value, since=view.since)
        elif side is None or side.at < view.since:
            held = False
        else:
            found = side.key_id if condition.name == "keyid" else side.rnext_key_id
            held = held and found == condition.value
        seen.append(f"{session}: {side.words() if side else 'no signed segment'}")
    pending = "" if held or condition.name != "wire" else " (pending: not acknowledged since)"
    return held, "; ".join(seen) + pending


def _number(value: str | int | None) -> str:
    return "None" if value is None else str(value)
