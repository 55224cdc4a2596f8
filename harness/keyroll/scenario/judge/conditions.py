"""The checks that a file can name in `expect`, `expect-within` and `stays`: one class each, with all that it is.

A class says what is written (`written`), where the answer comes from (`source`), how long it may take to come true
(`deadline`), what is expected in words (`expected`), and whether it holds in what was seen (`judge`).
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
from keyroll.scenario.observe.tcp_events import Sight
from keyroll.scenario.observe.wire import Side, Wire
from keyroll.scenario.plan.deadlines import Waits


class Source(enum.Enum):
    """Where the answer to a condition comes from: what has to be read before it can be judged."""

    SAMPLES = "samples"
    """The samples of the sessions, which are taken all the time."""
    SHOWN = "shown"
    """`show security keychain`, asked at each look."""
    WIRE = "wire"
    """The captures, followed while they grow."""
    DROPS = "drops"
    """The counters of drops, read at each look."""


@dataclass(frozen=True, slots=True)
class View:
    """What is known at one look. `since` is the event (ns since 1970) that counts: older states are not looked at."""

    since: int
    samples: Mapping[tuple[RouterName, str], Sample | None]
    chains: Mapping[RouterName, ChainStatus]
    """The chain that `keychain` plans, or that the sessions were pointed to since."""
    wire: Wire
    sessions: Sequence[str]
    flaps_before: Mapping[RouterName | tuple[RouterName, str], int] = field(default_factory=dict)
    """What the routers' BGP flap counters said when the sessions were first up: flaps are counted from there."""
    drops: Mapping[RouterName, Drops] = field(default_factory=dict)
    """What routers have dropped since the event, where it was asked for."""
    own_chains: Mapping[tuple[RouterName, str], ChainStatus | None] = field(default_factory=dict)
    """The chains of sessions that have one of their own; None: it is not shown."""

    def shown(self, router: RouterName, session: str | None) -> tuple[ChainStatus | None, ...]:
        """Return the chain of a session as a router shows it; without one, every chain that its sessions use."""
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
        """Say whether it holds in what was seen, and what was seen."""


def conditions_of(step: Expectation, sessions: Mapping[str, SessionKind] | None = None) -> tuple[Condition, ...]:
    """Return a step's expectations one by one, in the order of the checks, R1's before R2's.

    `sessions` are the file's, by name, where it names them: what is expected of all is then expected of each.
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
    """Yield what is expected of a router: for each session apart (by its name), or once for all."""
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
        """Whether the session is to work."""
        return bool(self.value == self.works)

    def deadline(self, waits: Waits) -> timedelta:
        """A session takes as long to come up, or as long to go down, as its protocol needs."""
        return waits.session_up if self.expects_up else waits.session_down

    def expected(self) -> str:
        """Return the state."""
        return f"{self.name} {self.value}"

    def judge(self, view: View) -> Finding:
        """Look at the last sample."""
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

    What a connection that lost collision resolution (RFC 4271, 6.8) cost on the way up is left out.
    """

    name = "flaps"
    written = BySession[Annotated[int, Field(ge=0)]]
    source = Source.SAMPLES
    session = SessionKind.BGP
    by_session = True

    def deadline(self, waits: Waits) -> timedelta:
        """A counter is there with the next sample."""
        return waits.shown

    def expected(self) -> str:
        """Return the number."""
        return f"flaps {self.value}"

    def judge(self, view: View) -> Finding:
        """Compare the counter with what it said when the sessions were first up; one that is not shown is not 0."""
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
        """The show command answers at once."""
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
        """Return what a chain shows; which one it is where there are several."""
        words = f"{self.name} send {number_or_none(send)}, receive {number_or_none(receive)}"
        return f"{chain}: {words}" if several else words

    @abstractmethod
    def shown(self, chain: ChainStatus) -> tuple[int | None, int | None]:
        """Return the numbers that are shown for send and receive."""


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
        """A segment comes within the hold time."""
        return waits.wire


@check
@dataclass(frozen=True)
class KeyOnWire(OnWire):
    """Key number that a router signs its data with: sent since the last step before, and acknowledged by the peer.

    null: it has sent nothing for its sessions, signed or not.
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
        """Look at every session of the file."""
        if self.value is None:
            sent = _sent(view, self.router, self.of_session)
            return Finding(not sent, f"{len(sent)} segments sent")
        own = self.own(view)
        holds = all(view.wire.handed_over(self.router, session, self.value, since=view.since) for session in own)
        pending = "" if holds else " (pending: not acknowledged since)"
        return Finding(holds, _last_sent(self.router, view, own) + pending)


@dataclass(frozen=True)
class NumberOnWire(OnWire):
    """A number of the TCP-AO option in the last segment that a router sent, for every session of the file."""

    written = BySession[KeyId]
    by_session = True
    option_field: ClassVar[str]
    """The name that RFC 5925 has for it."""

    def expected(self) -> str:
        """Return the number."""
        return f"{self.option_field} {self.value} in the last segment sent"

    def judge(self, view: View) -> Finding:
        """Look at every session of the file; what was sent before the event does not count."""
        own = self.own(view)
        sides = [view.wire.side(self.router, session) for session in own]
        holds = all(side is not None and side.at >= view.since and self.found(side) == self.value for side in sides)
        return Finding(holds, _last_sent(self.router, view, own))

    @abstractmethod
    def found(self, side: Side) -> int:
        """Return the number of a segment."""


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
    """What a router's capture must show since the last step before: that a thing that the file forces did happen."""

    name = "seen"
    written = ByRouter[Sight]

    def expected(self) -> str:
        """Return the event."""
        return f"{self.value} in {self.router}'s capture"

    def judge(self, view: View) -> Finding:
        """Ask the capture."""
        return Finding(*view.wire.seen(self.value, self.router, since=view.since))


@check
@dataclass(frozen=True)
class Dropped(Condition):
    """How many segments a router dropped, by reason, since the last step that did something: at least so many; 0: none.

    Where a platform prints only a total, the condition is compared with the total.
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
        """A segment that is dropped is retransmitted within the hold time."""
        return waits.wire

    def expected(self) -> str:
        """Return the number and the reason."""
        number = f"at least {self.value}" if self.value else "no"
        return f"{number} received segments dropped ({self.reason})"

    def judge(self, view: View) -> Finding:
        """Look at the counters."""
        drops = view.drops.get(self.router)
        if drops is None:
            return Finding(holds=False, observed="the counters were not read")
        found = drops.of(self.reason)
        return Finding(found >= self.value if self.value else found == 0, f"dropped since, {drops.words()}")


def _sent(view: View, router: RouterName, session: str | None) -> Sequence[Judgement]:
    """Return what a router has sent since the event, of one session or of all."""
    if session is None:
        return view.wire.sent_by(router, since=view.since)
    return view.wire.sent_by(router, since=view.since, session=session)


def _last_sent(router: RouterName, view: View, sessions: Sequence[str]) -> str:
    sides = ((session, view.wire.side(router, session)) for session in sessions)
    return "; ".join(f"{session}: {side.words() if side else 'no signed segment'}" for session, side in sides)


def number_or_none(number: int | None) -> str:
    """Return a key number as text, `none` where no key is shown."""
    return "none" if number is None else str(number)
