"""Segments that routers dropped because of authentication: by reason if the lab knows it, else Junos' total.

Junos prints one total of segments that did not verify, and one of ignored ICMP errors (`show system statistics tcp`).
The lab of an emulated router also knows the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from keyroll.junos.exchange import Exchange
from keyroll.junos.records import TcpStatistics
from keyroll.lab.protocol import CountsDrops
from keyroll.names import DropReason
from keyroll.scenario.errors import RunBrokenError
from keyroll.scenario.file.fields import ANY, ROUTERS, DroppedFor, RouterName

STATISTICS = "show system statistics tcp"
_ICMP_IGNORED = "ICMP packets ignored by TCP"
_NOT_AUTHENTICATION = frozenset({DropReason.ICMP_ERROR, DropReason.CONGESTION})


class Shows(Protocol):
    """The interface to the routers' sessions; `keyroll.junos.pair.Pair` implements it."""

    def show(self, command: str, names: Sequence[RouterName] | None = None) -> Mapping[RouterName, Exchange]:
        """Send an operational command to the named routers at the same time."""
        ...


@dataclass(frozen=True, slots=True)
class Drops:
    """A router's drops since it started, or since an earlier reading. `by_reason` False: only totals are known."""

    counts: Mapping[str, int]
    by_reason: bool

    def since(self, before: Drops) -> Drops:
        """Return the drops since an earlier reading."""
        names = {*self.counts, *before.counts}
        return Drops({name: self.counts.get(name, 0) - before.counts.get(name, 0) for name in names}, self.by_reason)

    def of(self, reason: DroppedFor) -> int:
        """Return how many were dropped for a reason; if reasons are unknown, how many for any reason.

        Raises:
            RunBrokenError: the router does not count ICMP errors that it ignores.
        """
        if reason == DropReason.ICMP_ERROR and not self.by_reason and DropReason.ICMP_ERROR not in self.counts:
            raise RunBrokenError(f"a router does not say how many ICMP errors it ignored ('{_ICMP_IGNORED}')")
        if reason == DropReason.ICMP_ERROR or (self.by_reason and reason != ANY):
            return self.counts.get(reason, 0)
        return sum(count for name, count in self.counts.items() if name not in _NOT_AUTHENTICATION)

    def words(self) -> str:
        """Return them as text, with the kind of count: `by reason: bad-mac 3`."""
        told = ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()) if count) or "none"
        return f"by {'reason' if self.by_reason else 'total (the router prints no reasons)'}: {told}"


class DropCounters:
    """Reads the counters of a lab's routers."""

    def __init__(self, pair: Shows, book: CountsDrops | None) -> None:
        self._pair = pair
        self._book = book

    def read(self, routers: Sequence[RouterName] = ROUTERS) -> dict[RouterName, Drops]:
        """Return each router's counters since it started. Raises RunError when they cannot be read."""
        if self._book is not None:
            return {router: Drops(self._book.received_drops(router), by_reason=True) for router in routers}
        return {
            router: _totals(exchange.parsed_as(TcpStatistics))
            for router, exchange in self._pair.show(STATISTICS, routers).items()
        }


def _totals(statistics: TcpStatistics) -> Drops:
    ignored = dict(statistics.counters).get(_ICMP_IGNORED)
    icmp: dict[str, int] = {} if ignored is None else {DropReason.ICMP_ERROR: ignored}
    return Drops({ANY: statistics.receive_dropped, **icmp}, by_reason=False)
