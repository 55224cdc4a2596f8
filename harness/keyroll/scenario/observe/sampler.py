"""Sample the state of the sessions throughout a run, over separate SSH sessions, at most four times a second.

A flap between two samples is not missed: the routers count flaps, and print since when a session is up.

If a state cannot be read, the run is broken; an unread state never counts as "down" or "ok".
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from keyroll.errors import KeyrollError, RunError
from keyroll.instants import SYSTEM, Clock, Instant
from keyroll.junos.exchange import Exchange
from keyroll.junos.records import BgpState, BgpSummary, LdpDatabase, LdpSessions, LdpState
from keyroll.names import SessionKind
from keyroll.scenario.errors import MachineBusyError, RunBrokenError
from keyroll.scenario.observe.host_stalls import Stall, blind_together
from keyroll.scenario.observe.router_clock import ns_of

Address = IPv4Address | IPv6Address

COMMANDS: Mapping[SessionKind, tuple[str, ...]] = {
    SessionKind.BGP: ("show bgp summary",),
    SessionKind.LDP: ("show ldp session detail", "show ldp database"),
}
"""The commands for a sample of a session."""
PERIOD = timedelta(milliseconds=250)
"""Interval between samples. Each sample costs both ends an SSH exchange, most of the processor time of a run."""


class Session(Protocol):
    """The interface to a router session that a sampler needs."""

    def connect(self) -> None:
        """Log in."""
        ...

    def show(self, command: str) -> Exchange:
        """Send an operational command."""
        ...

    def close(self) -> None:
        """Log out."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """The state of one session of a router at some instant between `asked` and `at` (ns since 1970)."""

    router: str
    session: str
    """The name of the session."""
    asked: int
    at: int
    up: bool
    """Whether the session works."""
    state: str
    """The state as the router prints it: Established, Operational, …"""
    flaps: int | None
    """The router's flap counter; None if it prints none (LDP, before the first flap)."""
    since: timedelta | None
    """Since when it is up (or down); None if the router does not print it."""
    routes: int | None
    """BGP: active routes from the peer, all tables."""
    labels: frozenset[tuple[str, int]] | None = None
    """LDP: the prefixes for which the peer advertises labels, each with its label."""

    @property
    def carries(self) -> bool:
        """Whether the session is up and the peer has advertised routes or labels."""
        return self.up and self.routes != 0 and (self.labels is None or bool(self.labels))

    def words(self) -> str:
        """Return the state as text: `bgp Established, 0 flaps`."""
        return f"{self.session} {self.state}" + (f", {self.flaps} flaps" if self.flaps is not None else "")


def bgp_sample(exchanges: Sequence[Exchange], peer: Address) -> Sample:
    """Make a sample from the output of `show bgp summary`. Raises RunError when the peer is not in it."""
    (exchange,) = exchanges
    row = exchange.parsed_as(BgpSummary).peer(peer)
    return Sample(
        exchange.host,
        SessionKind.BGP,
        ns_of(exchange.start),
        ns_of(exchange.end),
        row.state is BgpState.ESTABLISHED,
        row.state.value,
        row.flaps,
        row.since,
        sum(rib.active for rib in row.ribs),
    )


def ldp_sample(exchanges: Sequence[Exchange], peer: Address) -> Sample:
    """Make a sample from the output of `show ldp session detail`, followed by `show ldp database` for its labels.

    A session that is not in the output does not exist: Junos lists a session only with a hello adjacency. Raises
    RunError when LDP does not run at all.
    """
    detail, *more = exchanges
    shown, known = detail.parsed_as(LdpSessions), [database.parsed_as(LdpDatabase) for database in more]
    if not shown.running or not all(database.running for database in known):
        raise RunError(f"{detail.host}: LDP is not running")
    row = next((session for session in shown.sessions if session.address == peer), None)
    state = row.state if row is not None else LdpState.NONEXISTENT
    return Sample(
        detail.host,
        SessionKind.LDP,
        ns_of(detail.start),
        ns_of(exchanges[-1].end),
        state is LdpState.OPERATIONAL,
        state.value,
        row.flaps if row is not None else None,
        row.up_for if row is not None else None,
        None,
        known[0].received() if known else None,
    )


_READERS: Mapping[SessionKind, Callable[[Sequence[Exchange], Address], Sample]] = {
    SessionKind.BGP: bgp_sample,
    SessionKind.LDP: ldp_sample,
}


class Sampler:
    """Samples routers in the background, one thread for each router, from `watch` until `stop`."""

    def __init__(
        self,
        connect: Callable[[str], Session],
        peers: Mapping[str, Mapping[str, Address]],
        *,
        kinds: Mapping[str, SessionKind] | None = None,
        changed: Callable[[Sample], None] | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        """`kinds` gives the kind of each session; without it, a session has the name of its kind."""
        self._connect = connect
        self._kinds = kinds if kinds is not None else {kind.value: kind for kind in SessionKind}
        self._peers = peers
        self._changed = changed
        self._clock = clock
        self._stops: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}
        self._samples: dict[tuple[str, str], list[Sample]] = {
            (router, session): [] for router, sessions in peers.items() for session in sessions
        }
        self._arrived = threading.Condition(self._lock)
        self._broken: KeyrollError | None = None
        self._rounds: dict[str, Instant] = {}
        """By sampled router: when its last round of samples was complete."""
        self._late: dict[str, list[Stall]] = {router: [] for router in peers}

    def watch(self, router: str) -> None:
        """Start to sample a router whose session is configured. A second call changes nothing."""
        if router not in self._threads:
            self._stops[router] = threading.Event()
            self._threads[router] = threading.Thread(target=self._run, args=(router,), name=f"samples-{router}")
            self._threads[router].start()

    def unwatch(self, router: str) -> None:
        """Stop sampling a router and log out; `watch` starts it again."""
        if router in self._threads:
            self._stops[router].set()
            self._threads.pop(router).join()
            with self._lock:
                self._rounds.pop(router, None)

    def stop(self) -> None:
        """Stop all sampling and log out."""
        for stop in self._stops.values():
            stop.set()
        for router in list(self._threads):
            self.unwatch(router)

    def samples(self, router: str, session: str) -> tuple[Sample, ...]:
        """Return the samples of a router's session so far, in order.

        Raises:
            RunBrokenError: sampling has broken.
        """
        with self._lock:
            self._raise_if_broken()
            return tuple(self._samples[router, session])

    def latest(self, router: str, session: str) -> Sample | None:
        """Return the last sample of a router's session, or None. Raises RunBrokenError."""
        with self._lock:
            self._raise_if_broken()
            samples = self._samples[router, session]
            return samples[-1] if samples else None

    def await_fresh(self, router: str, asked_after: int, *, within: timedelta) -> None:
        """Wait until every session of a router has a sample that was requested after an instant (ns since 1970).

        Raises:
            RunBrokenError: sampling is broken.
            MachineBusyError: there is no such sample after `within`.
        """
        with self._arrived:
            came = self._arrived.wait_for(
                lambda: (
                    self._broken is not None
                    or all(
                        self._samples[router, session] and self._samples[router, session][-1].asked >= asked_after
                        for session in self._peers[router]
                    )
                ),
                timeout=within.total_seconds(),
            )
            self._raise_if_broken()
            if not came:
                # A router that does not answer at all breaks the sampling, at the deadline of its command.
                raise MachineBusyError(
                    f"{router}: no sample of its sessions within {within.total_seconds():g} s",
                    remedy="run fewer labs at once, or use a greater --wait-scale",
                )

    def blind(self, *, limit: timedelta) -> tuple[Stall, ...]:
        """Return the gaps, longer than `limit`, in which no sampled router gave a complete round of samples."""
        now = self._clock.now()
        with self._lock:
            late = {router: list(stalls) for router, stalls in self._late.items() if stalls or router in self._rounds}
            for router, last in self._rounds.items():
                late[router].append(Stall(last, now))
        return blind_together(list(late.values()), limit=limit)

    def _note_round(self, router: str) -> None:
        now = self._clock.now()
        with self._lock:
            last = self._rounds.get(router, now)
            if now - last > 2 * PERIOD:
                self._late[router].append(Stall(last, now))
            self._rounds[router] = now

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise RunBrokenError(f"cannot sample the sessions: {self._broken}") from self._broken

    def _run(self, router: str) -> None:
        """Sample until `stop`. An error of any kind is recorded, so that no caller waits for samples for ever."""
        stop = self._stops[router]
        try:
            with contextlib.closing(self._connect(router)) as session:
                session.connect()
                self._note_round(router)
                while not stop.is_set():
                    begun = self._clock.now()
                    self._look(router, session)
                    self._note_round(router)
                    stop.wait(max(0.0, (begun + PERIOD - self._clock.now()).total_seconds()))
        except KeyrollError as error:
            self._break(error)
        except Exception as error:  # noqa: BLE001 - this thread's last frame
            self._break(RunBrokenError(f"{router}: {type(error).__name__}: {error}"))

    def _look(self, router: str, session: Session) -> None:
        """Take one sample of each of a router's sessions; what tells of all sessions of a kind is asked once."""
        answers: dict[SessionKind, list[Exchange]] = {}
        for name, peer in self._peers[router].items():
            kind = self._kinds[name]
            if kind not in answers:
                answers[kind] = [session.show(command) for command in COMMANDS[kind]]
            self._take(replace(_READERS[kind](answers[kind], peer), session=name))

    def _break(self, error: KeyrollError) -> None:
        with self._arrived:
            self._broken = self._broken or error
            self._arrived.notify_all()

    def _take(self, sample: Sample) -> None:
        with self._arrived:
            samples = self._samples[sample.router, sample.session]
            last = samples[-1] if samples else None
            samples.append(sample)
            self._arrived.notify_all()
        if self._changed and (last is None or (last.state, last.flaps) != (sample.state, sample.flaps)):
            self._changed(sample)


def longest_gap(samples: tuple[Sample, ...], since: int, until: int) -> timedelta:
    """Return the longest stretch of `since` to `until` (ns) in which no state was read."""
    longest, last = 0, since
    for sample in samples:
        if sample.at > since:
            longest = max(longest, min(sample.at, until) - last)
            last = max(last, min(sample.at, until))
    return timedelta(microseconds=max(longest, until - last) // 1000)
