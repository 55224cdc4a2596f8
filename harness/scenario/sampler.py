"""Samples of the sessions, taken throughout a run on SSH sessions of their own, at most ten a second.

A state that cannot be read breaks the run; it never counts as "down" or "ok".
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from harness.errors import KeyrollError
from harness.junos.exchange import Exchange
from harness.junos.records import BgpPeer, BgpState, BgpSummary
from harness.scenario.clocks import ns_of
from harness.scenario.errors import RunBrokenError

COMMAND = "show bgp summary"
PERIOD = timedelta(milliseconds=100)


class Session(Protocol):
    """What a sampler needs of a router session."""

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
    """One router's BGP session at an instant: the state was true somewhere between `asked` and `at` (ns since 1970)."""

    router: str
    asked: int
    at: int
    state: BgpState
    flaps: int
    since: timedelta
    routes: int
    """Active routes from the peer, all tables."""

    @property
    def up(self) -> bool:
        """Whether the session works."""
        return self.state is BgpState.ESTABLISHED


def sample_of(exchange: Exchange, peer: IPv4Address | IPv6Address) -> Sample:
    """Make a sample of an answer to `show bgp summary`. Raises RunError when the peer is not shown."""
    row: BgpPeer = exchange.parsed_as(BgpSummary).peer(peer)
    return Sample(
        exchange.host,
        ns_of(exchange.start),
        ns_of(exchange.end),
        row.state,
        row.flaps,
        row.since,
        sum(rib.active for rib in row.ribs),
    )


class Sampler:
    """Samples routers in the background, each in a thread of its own, from `watch` until `stop`."""

    def __init__(
        self,
        connect: Callable[[str], Session],
        peers: Mapping[str, IPv4Address | IPv6Address],
        *,
        changed: Callable[[Sample], None] | None = None,
    ) -> None:
        self._connect = connect
        self._peers = peers
        self._changed = changed
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}
        self._samples: dict[str, list[Sample]] = {name: [] for name in peers}
        self._arrived = threading.Condition(self._lock)
        self._broken: KeyrollError | None = None

    def watch(self, router: str) -> None:
        """Start to sample a router whose session is configured; asking again changes nothing."""
        if router not in self._threads:
            self._threads[router] = threading.Thread(target=self._run, args=(router,), name=f"samples-{router}")
            self._threads[router].start()

    def stop(self) -> None:
        """End all sampling and log out."""
        self._stop.set()
        for thread in self._threads.values():
            thread.join()

    def samples(self, router: str) -> tuple[Sample, ...]:
        """Return the router's samples so far, in order.

        Raises:
            RunBrokenError: sampling has broken.
        """
        with self._lock:
            self._raise_if_broken()
            return tuple(self._samples[router])

    def fresh(self, router: str, asked_after: int, *, within: timedelta) -> Sample:
        """Return the first sample that was asked for after an instant (ns since 1970), waiting for it if need be.

        Raises:
            RunBrokenError: sampling has broken, or no sample came within `within` from now.
        """
        with self._arrived:
            found = self._arrived.wait_for(
                lambda: self._broken or self._first_after(router, asked_after), timeout=within.total_seconds()
            )
            self._raise_if_broken()
            if not isinstance(found, Sample):
                raise RunBrokenError(f"{router}: no sample of '{COMMAND}' within {within.total_seconds():g} s")
            return found

    def _first_after(self, router: str, instant: int) -> Sample | None:
        later = None
        for sample in reversed(self._samples[router]):
            if sample.asked < instant:
                break
            later = sample
        return later

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise RunBrokenError(f"the sampling of the sessions broke: {self._broken}") from self._broken

    def _run(self, router: str) -> None:
        session = self._connect(router)
        try:
            session.connect()
            while not self._stop.is_set():
                sample = sample_of(session.show(COMMAND), self._peers[router])
                self._take(router, sample)
                spent = timedelta(microseconds=(sample.at - sample.asked) // 1000)
                self._stop.wait(max(0.0, (PERIOD - spent).total_seconds()))
        except KeyrollError as error:
            with self._arrived:
                self._broken = self._broken or error
                self._arrived.notify_all()
        finally:
            session.close()

    def _take(self, router: str, sample: Sample) -> None:
        with self._arrived:
            last = self._samples[router][-1] if self._samples[router] else None
            self._samples[router].append(sample)
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
