"""Drop counters: by reason if the lab counts so, otherwise the total that Junos prints; and conditions on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.scenario.steps import expectation

from keyroll.junos.exchange import Exchange
from keyroll.junos.records import TcpStatistics
from keyroll.names import DropReason
from keyroll.scenario.errors import RunBrokenError
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.file.steps import read_step
from keyroll.scenario.judge.conditions import Dropped, View, conditions_of
from keyroll.scenario.observe.drops import STATISTICS, DropCounters, Drops
from keyroll.scenario.observe.wire import Wire

ICMP = "ICMP packets ignored by TCP"
UNSEEN = cast("Wire", None)
"""The captures, which conditions on drop counters do not use."""


class Book:
    """A lab that counts drops by reason."""

    def received_drops(self, router: str) -> dict[str, int]:
        return {"R1": {}, "R2": {"bad-mac": 3, "icmp-error": 2, "congestion": 9}}[router]


class NoCommands:
    """A pair of routers to which no command may be sent."""

    def show(self, command: str, names: Sequence[RouterName] | None = None) -> Mapping[RouterName, Exchange]:
        raise AssertionError(f"{command!r} was sent to {names}")


def totals(count: int, *, icmp: int | None = None) -> SimpleNamespace:
    """Return a pair of routers that print only totals."""
    counters = () if icmp is None else ((ICMP, icmp),)
    now = datetime.now(UTC)

    def show(command: str, routers: list[str]) -> dict[str, Exchange]:
        assert command == STATISTICS
        record = TcpStatistics(counters, send_dropped=0, receive_dropped=count)
        return {router: Exchange(router, command, "", now, now, record) for router in routers}

    return SimpleNamespace(show=show)


def test_the_counters_of_a_lab_that_counts_by_reason_are_used_and_no_router_is_queried() -> None:
    drops = DropCounters(NoCommands(), Book()).read()
    assert drops["R2"].of(DropReason.BAD_MAC) == 3
    assert drops["R2"].of(DropReason.NO_OPTION) == 0
    assert drops["R2"].of("any") == 3, "ICMP errors and full queues are not failures of authentication"
    assert drops["R2"].of(DropReason.ICMP_ERROR) == 2
    assert drops["R2"].words() == "by reason: bad-mac 3, congestion 9, icmp-error 2"


def test_a_total_is_used_for_every_reason_and_is_reported_as_a_total() -> None:
    (drops,) = DropCounters(totals(4, icmp=1), None).read(["R2"]).values()
    assert (drops.of(DropReason.BAD_MAC), drops.of("any"), drops.of(DropReason.ICMP_ERROR)) == (4, 4, 1)
    assert drops.words() == "by total (the router prints no reasons): any 4, icmp-error 1"


def test_icmp_errors_that_a_router_does_not_count_are_unknown_and_not_zero() -> None:
    (drops,) = DropCounters(totals(4), None).read(["R2"]).values()
    with pytest.raises(RunBrokenError, match="ICMP"):
        drops.of(DropReason.ICMP_ERROR)


def test_drops_are_counted_since_an_earlier_reading() -> None:
    now, before = Drops({"bad-mac": 5, "no-option": 1}, by_reason=True), Drops({"bad-mac": 3}, by_reason=True)
    assert now.since(before).counts == {"bad-mac": 2, "no-option": 1}


def view(**counts: int) -> View:
    drops: dict[RouterName, Drops] = {
        "R2": Drops({name.replace("_", "-"): count for name, count in counts.items()}, by_reason=True)
    }
    return View(0, {}, {}, UNSEEN, ["bgp"], {}, drops)


@pytest.mark.parametrize(
    ("wanted", "counts", "holds"),
    [(2, {"bad_mac": 2}, True), (2, {"bad_mac": 3}, True), (2, {"bad_mac": 1}, False), (2, {"no_option": 2}, False),
     (0, {}, True), (0, {"bad_mac": 1}, False), (0, {"no_option": 1}, True)],
)  # fmt: skip
def test_a_number_means_at_least_that_many_drops_for_the_reason_and_0_means_none(
    wanted: int, counts: dict[str, int], holds: bool
) -> None:
    finding = Dropped("R2", wanted, DropReason.BAD_MAC).judge(view(**counts))
    assert finding.holds is holds
    assert finding.observed.startswith("dropped since, by reason: ")


def test_each_reason_is_a_condition_for_both_routers_or_for_one() -> None:
    both: Any = conditions_of(expectation({"drops": {"bad-mac": 1, "no-option": 0}}))
    assert [(one.router, one.reason, one.value) for one in both] == [
        ("R1", "bad-mac", 1), ("R1", "no-option", 0), ("R2", "bad-mac", 1), ("R2", "no-option", 0)
    ]  # fmt: skip
    (one,) = conditions_of(expectation({"drops": {"R2": {"md5-present": 1}}}))
    assert (one.router, one.expected()) == ("R2", "at least 1 received segments dropped (md5-present)")


@pytest.mark.parametrize(
    "drops", [{"R2": 3}, {"R1": {}, "bad-mac": 1}, {"bad-luck": 1}, 3, {}, {"R2": {"bad-mac": -1}}], ids=str
)
def test_any_other_drop_condition_is_an_error_in_the_file(drops: dict[str, int | dict[str, int]] | int) -> None:
    with pytest.raises(ValueError, match="drops"):
        read_step({"expect": {"drops": drops}})
