"""The checks that a file can name in `expect`, `expect-within` and `stays`, with one class for each.

A class has the type of its value in the file (`written`), the source of the answer (`source`), how long the condition
may take to come true (`deadline`), what is expected in words (`expected`), and the judgement of a view (`judge`).
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import BeforeValidator, Field

from keyroll.capture import Judgement
from keyroll.junos.records import ChainStatus
from keyroll.names import SessionKind
from keyroll.scenario.file.expectations import Expectation
from keyroll.scenario.file.fields import (
    ROUTERS,
    ByRouter,
    BySession,
    DroppedFor,
    KeyId,
    KeyNumber,
    RouterName,
    spread_by_reason,
)
from keyroll.scenario.file.registry import CHECKS, WrittenCheck, check
from keyroll.scenario.judge.findings import Finding
from keyroll.scenario.observe.drops import Drops
from keyroll.scenario.observe.sampler import Sample
from keyroll.scenario.observe.tcp_events import TcpEvent
from keyroll.scenario.observe.wire import Side, Wire
from keyroll.scenario.plan.deadlines import Waits


class Source(enum.Enum):
    """Where the answer to a condition comes from: what has to be read before it can be judged."""

    SAMPLES = "samples"
    """The samples of the sessions, which are taken continuously."""
    SHOWN = "shown"
    """`show security keychain`, sent for each view."""
    WIRE = "wire"
    """The captures, followed while they grow."""
    DROPS = "drops"
    """The counters of drops, read for each view."""


@dataclass(frozen=True, slots=True)
class View:
    """The state of both routers at one time.

    `since` (ns since 1970) is the event that the conditions refer to: what was observed before it does not count.
    """

    since: int
    samples: Mapping[tuple[RouterName, str], Sample | None]
    chains: Mapping[RouterName, ChainStatus]
    """The chain that `keychain` plans, or that the sessions were pointed to since."""
    wire: Wire
    sessions: Sequence[str]
    flaps_before: Mapping[RouterName | tuple[RouterName, str], int] = field(default_factory=dict)
    """The routers' BGP flap counters when the sessions were first up: flaps are counted from there."""
    drops: Mapping[RouterName, Drops] = field(default_factory=dict)
    """What routers have dropped since the event, if a condition needs it."""
    own_chains: Mapping[tuple[RouterName, str], ChainStatus | None] = field(default_factory=dict)
    """The chains of sessions that have their own; None: the router does not show it."""

    def shown(self, router: RouterName, session: str | None) -> tuple[ChainStatus | None, ...]:
        """Return the chain of a session as a router shows it; without `session`, every chain that its sessions use."""
        if session is not None:
            return (self.own_chains.get((router, session), self.chains.get(router)),)
        own = {name: self.own_chains[router, name] for name in self.sessions if (router, name) in self.own_chains}
        usual = () if own and len(own) == len(self.sessions) else (self.chains.get(router),)
        return (*usual, *own.values())


@dataclass(frozen=True)
class Condition(WrittenCheck, ABC):
    """One expectation of one router: a field of a step, and its value there."""

    source: ClassVar[Source]

    router: RouterName
    value: Any
    of_session: str | None = field(default=None, kw_only=True)
    """The session that it is about, where the file names its sessions; None: all."""

    @classmethod
    def of(cls, router: RouterName, value: Any) -> Iterable[Self]:  # noqa: ANN401 - the type is `written`
        """Return the conditions that a field makes of one router: one, as a rule."""
        return (cls(router, value),)

    @abstractmethod
    def deadline(self, waits: Waits) -> timedelta:
        """Return how long after the step's event the condition may take to come true."""

    @abstractmethod
    def expected(self) -> str:
        """Return what is expected, in words."""

    @abstractmethod
    def judge(self, view: View) -> Finding:
        """Say whether it holds in a view, and what was observed."""


def conditions_of(step: Expectation, sessions: Mapping[str, SessionKind] | None = None) -> tuple[Condition, ...]:
    """Return a step's expectations one by one, in the order of the checks, R1's before R2's.

    `sessions` are the kinds of the file's sessions by name, if it names them: a condition for all sessions then becomes
    one for each.
    """
    named = sessions or {}
    return tuple(
        condition if session is None else replace(condition, of_session=session)
        for name, values in step.conditions().items()
        for router in ROUTERS
        for kind in (cast("type[Condition]", CHECKS[name]),)
        for session, value in _values(kind, values, router, named)
        for condition in kind.of(router, value)
    )


def _values(
    kind: type[Condition], values: Mapping[str, Any], router: RouterName, named: Mapping[str, SessionKind]
) -> Iterator[tuple[str | None, Any]]:
    """Yield what is expected of a router: for each session separately (by its name), or once for all (None)."""
    if router in values:
        each = [name for name, of in named.items() if kind.session in (None, of)] if kind.by_session else []
        yield from ((session, values[router]) for session in each or (None,))
    for place, value in values.items():
        session, dot, at = place.rpartition(".")
        if dot and at == router:
            yield session, value


@dataclass(frozen=True)
class SessionState(Condition):
    """The state of a session, as the router shows it; `down` is any state but the one in which the session works."""

    source = Source.SAMPLES
    by_session = True
    works: ClassVar[str]
    """The state in which the session works."""
    kind: ClassVar[SessionKind]

    @property
    def expects_up(self) -> bool:
        """Whether the session must work."""
        return bool(self.value == self.works)

    def deadline(self, waits: Waits) -> timedelta:
        """Return how long a session takes to come up, or to go down."""
        return waits.session_up if self.expects_up else waits.session_down

    def expected(self) -> str:
        """Return the state."""
        return f"{self.name} {self.value}"

    def judge(self, view: View) -> Finding:
        """Judge the last sample."""
        sample = view.samples.get((self.router, self.of_session or self.kind))
        if sample is None:
            return _NO_SAMPLE
        holds = not sample.up if self.value == "down" else sample.state == self.value
        return Finding(holds, sample.words())


_NO_SAMPLE = Finding(holds=False, observed="no sample since then")


@check
@dataclass(frozen=True)
class Bgp(SessionState):
    """The state of the BGP session in `show bgp summary`."""

    name = "bgp"
    written = BySession[Literal["Established", "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "down"]]
    session = SessionKind.BGP
    works = "Established"
    kind = SessionKind.BGP


@check
@dataclass(frozen=True)
class Ldp(SessionState):
    """The state of the LDP session in `show ldp session detail`."""

    name = "ldp"
    written = BySession[Literal["Operational", "Nonexistent", "Initialized", "OpenRec", "OpenSent", "down"]]
    session = SessionKind.LDP
    works = "Operational"
    kind = SessionKind.LDP


@check
@dataclass(frozen=True)
class Flaps(Condition):
    """Flaps of the BGP session since it was first up on both routers, as `show bgp summary` counts them.

    Flaps before that are not counted: BGP's collision resolution (RFC 4271, section 6.8) may cause one.
    """

    name = "flaps"
    written = BySession[Annotated[int, Field(ge=0)]]
    source = Source.SAMPLES
    session = SessionKind.BGP
    by_session = True

    def deadline(self, waits: Waits) -> timedelta:
        """Return how long the next sample may take."""
        return waits.shown

    def expected(self) -> str:
        """Return the number."""
        return f"flaps {self.value}"

    def judge(self, view: View) -> Finding:
        """Compare the counter with its value when the sessions were first up; a counter that is not shown is not 0."""
        sample = view.samples.get((self.router, self.of_session or SessionKind.BGP))
        if sample is None:
            return _NO_SAMPLE
        before = view.flaps_before.get((self.router, self.of_session) if self.of_session else self.router, 0)
        if sample.flaps is None:
            return Finding(holds=False, observed="no flap counter is shown")
        flaps = sample.flaps - before
        return Finding(flaps == self.value, f"{flaps} flaps since the session was up")


@dataclass(frozen=True)
class ShownKey(Condition):
    """A key number in `show security keychain`, the same for send and receive; null means that it shows none."""

    written = BySession[KeyNumber | None]
    source = Source.SHOWN
    names_keys = True

    def deadline(self, waits: Waits) -> timedelta:
        """Return how long the show command may take."""
        return waits.shown

    def expected(self) -> str:
        """Return the key number, or that none is shown."""
        key = f"no {self.name} key" if self.value is None else f"{self.name} key {self.value}"
        return f"{key} in show security keychain"

    def judge(self, view: View) -> Finding:
        """Compare both directions."""
        chains = view.shown(self.router, self.of_session)
        found = [None if chain is None else (chain.name, *self.shown(chain)) for chain in chains]
        if not found or None in found:
            return Finding(holds=False, observed="the chain was not shown")
        known = [one for one in found if one is not None]
        holds = all((send, receive) == (self.value, self.value) for _, send, receive in known)
        return Finding(holds, "; ".join(self._words(*one, several=len(known) > 1) for one in known))

    def _words(self, chain: str, send: int | None, receive: int | None, *, several: bool) -> str:
        """Return what a chain shows, with its name if there are several."""
        words = f"{self.name} send {number_or_none(send)}, receive {number_or_none(receive)}"
        return f"{chain}: {words}" if several else words

    @abstractmethod
    def shown(self, chain: ChainStatus) -> tuple[int | None, int | None]:
        """Return the numbers that are shown for send and receive; None: Junos prints None."""


@check
@dataclass(frozen=True)
class Active(ShownKey):
    """Key number under Active-ID."""

    name = "active"

    def shown(self, chain: ChainStatus) -> tuple[int | None, int | None]:
        """Return the active keys."""
        return chain.active_send, chain.active_receive


@check
@dataclass(frozen=True)
class Next(ShownKey):
    """Key number under Next-ID."""

    name = "next"

    def shown(self, chain: ChainStatus) -> tuple[int | None, int | None]:
        """Return the next keys."""
        return chain.next_send, chain.next_receive


@dataclass(frozen=True)
class OnWire(Condition):
    """What the captures show of a router."""

    source = Source.WIRE

    def own(self, view: View) -> Sequence[str]:
        """Return the sessions that it is about."""
        return view.sessions if self.of_session is None else (self.of_session,)

    def deadline(self, waits: Waits) -> timedelta:
        """Return how long it may take until a segment is sent and acknowledged: about the hold time."""
        return waits.wire


@check
@dataclass(frozen=True)
class KeyOnWire(OnWire):
    """Key number of the data that a router has sent since the last step that acted, and that the peer has acknowledged.

    null: the router has sent nothing for its sessions since then, signed or not.
    """

    name = "wire"
    written = BySession[KeyNumber | None]
    names_keys = True
    by_session = True

    def expected(self) -> str:
        """Return what the capture must show."""
        if self.value is None:
            return "no segment of a protected session sent"
        return f"data signed with key {self.value} and acknowledged by a verified segment"

    def judge(self, view: View) -> Finding:
        """Judge what was sent for every session that it is about."""
        if self.value is None:
            sent = _sent(view, self.router, self.of_session)
            return Finding(not sent, f"{len(sent)} segments sent")
        own = self.own(view)
        holds = all(view.wire.acknowledged_with(self.router, session, self.value, since=view.since) for session in own)
        pending = "" if holds else " (pending: not acknowledged since)"
        return Finding(holds, _last_sent(self.router, view, own) + pending)


@dataclass(frozen=True)
class NumberOnWire(OnWire):
    """A number of the TCP-AO option in the last segment that a router sent, for every session of the file."""

    written = BySession[KeyId]
    by_session = True
    option_field: ClassVar[str]
    """The field's name in RFC 5925, section 2.2."""

    def expected(self) -> str:
        """Return the number."""
        return f"{self.option_field} {self.value} in the last segment sent"

    def judge(self, view: View) -> Finding:
        """Judge the last segment of every session that it is about; segments from before the event do not count."""
        own = self.own(view)
        sides = [view.wire.side(self.router, session) for session in own]
        holds = all(side is not None and side.at >= view.since and self.found(side) == self.value for side in sides)
        return Finding(holds, _last_sent(self.router, view, own))

    @abstractmethod
    def found(self, side: Side) -> int:
        """Return the field's value in a segment."""


@check
@dataclass(frozen=True)
class KeyIdOnWire(NumberOnWire):
    """KeyID in the last segment that a router sent."""

    name = "keyid"
    option_field = "KeyID"

    def found(self, side: Side) -> int:
        """Return the KeyID."""
        return side.key_id


@check
@dataclass(frozen=True)
class RNextKeyIdOnWire(NumberOnWire):
    """RNextKeyID in the last segment that a router sent."""

    name = "rnextkeyid"
    option_field = "RNextKeyID"

    def found(self, side: Side) -> int:
        """Return the RNextKeyID."""
        return side.rnext_key_id


@check
@dataclass(frozen=True)
class Seen(OnWire):
    """An event that the file forces, which a router's capture must show since the last step that acted."""

    name = "seen"
    written = ByRouter[TcpEvent]

    def expected(self) -> str:
        """Return the event."""
        return f"{self.value} in {self.router}'s capture"

    def judge(self, view: View) -> Finding:
        """Search the capture."""
        return Finding(*view.wire.seen(self.value, self.router, since=view.since))


@check
@dataclass(frozen=True)
class Dropped(Condition):
    """How many segments a router has dropped for a reason since the last step that acted: at least this many; 0: none.

    If a platform prints only a total, the total is compared.
    """

    name = "drops"
    written = Annotated[
        dict[RouterName, dict[DroppedFor, Annotated[int, Field(ge=0)]]], BeforeValidator(spread_by_reason)
    ]
    source = Source.DROPS
    reason: DroppedFor

    @classmethod
    def of(cls, router: RouterName, value: Any) -> Iterator[Self]:  # noqa: ANN401 - the type is `written`
        """Return one condition for each reason."""
        for reason, number in value.items():
            yield cls(router, number, reason)

    def deadline(self, waits: Waits) -> timedelta:
        """Return how long a drop may take: a dropped segment is retransmitted within the hold time."""
        return waits.wire

    def expected(self) -> str:
        """Return the number and the reason."""
        number = f"at least {self.value}" if self.value else "no"
        return f"{number} received segments dropped ({self.reason})"

    def judge(self, view: View) -> Finding:
        """Judge the counters."""
        drops = view.drops.get(self.router)
        if drops is None:
            return Finding(holds=False, observed="the counters were not read")
        found = drops.of(self.reason)
        return Finding(found >= self.value if self.value else found == 0, f"dropped since, {drops.words()}")


def _sent(view: View, router: RouterName, session: str | None) -> Sequence[Judgement]:
    """Return what a router has sent since the event, for one session or for all."""
    if session is None:
        return view.wire.sent_by(router, since=view.since)
    return view.wire.sent_by(router, since=view.since, session=session)


def _last_sent(router: RouterName, view: View, sessions: Sequence[str]) -> str:
    sides = ((session, view.wire.side(router, session)) for session in sessions)
    return "; ".join(f"{session}: {side.words() if side else 'no signed segment'}" for session, side in sides)


def number_or_none(number: int | None) -> str:
    """Return a key number as text, `none` where no key is shown."""
    return "none" if number is None else str(number)
