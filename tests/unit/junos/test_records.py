"""Lookups in records, and times as Junos writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyroll.errors import RunError
from keyroll.junos.convert import duration
from keyroll.junos.errors import ClockError
from keyroll.junos.output import parse
from keyroll.junos.records import BgpSummary, LdpSessions, RouteSummary, SecurityKeychain, SystemUptime


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("23", 23), ("7:50", 470), ("37:07", 2227), ("4:19:15", 15555), ("00:01:26", 86), ("3w2d 4:19:15", 2002755),
     ("1d 23:58", 172680), ("1w 0:01", 604860), ("2d", 172800), ("3w", 1814400)],
)  # fmt: skip
def test_times_in_each_form_of_junos_are_read(text: str, seconds: int) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", " ", "never", "1:2:3:4", "3w2d4:19", "-1", "5m", "1d 2d"])
def test_invalid_times_are_errors(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        duration(text)


@given(st.integers(0, 10**8))
def test_a_time_in_the_long_form_is_read(seconds: int) -> None:
    weeks, rest = divmod(seconds, 604800)
    days, rest = divmod(rest, 86400)
    clock = f"{rest // 3600}:{rest // 60 % 60:02}:{rest % 60:02}"
    assert duration(f"{weeks}w{days}d {clock}") == timedelta(seconds=seconds)


def test_an_entry_that_is_not_shown_is_an_error_and_not_down() -> None:
    with pytest.raises(RunError, match=r"10\.0\.0\.2 is not in 'show bgp summary', which shows no peer"):
        BgpSummary(0, 0, ()).peer(ip_address("10.0.0.2"))
    with pytest.raises(RunError, match="key-chain 'c' is not in"):
        SecurityKeychain(()).chain("c")
    with pytest.raises(RunError, match="LDP session"):
        LdpSessions(()).session(ip_address("10.0.0.2"))


def test_a_protocol_without_a_line_has_no_active_routes() -> None:
    summary = parse("show route summary", "Autonomous system number: 1\nRouter ID: 1.1.1.1\n", router="R1")
    assert isinstance(summary, RouteSummary)
    assert summary.active("inet.0", "BGP") == 0


def test_a_clock_in_an_abbreviated_zone_is_an_error() -> None:
    uptime = SystemUptime(datetime(2030, 1, 1), "MSK", None, None, None, None, None)  # noqa: DTZ001 - what a router shows
    with pytest.raises(ClockError, match="zone MSK"):
        _ = uptime.current


def uptime(local: datetime, zone: str) -> SystemUptime:
    return SystemUptime(local, zone, None, None, None, None, None)


@pytest.mark.parametrize(
    ("zone", "shown", "local", "hour"),
    [
        ("America/Sao_Paulo", "BRT", datetime.fromisoformat("2030-06-01T12:00"), 15),  # -03 in this machine's zone data
        ("Asia/Dubai", "GST", datetime.fromisoformat("2030-06-01T12:00"), 8),
        ("Asia/Tokyo", "+09", datetime.fromisoformat("2030-06-01T12:00"), 3),  # JST in this machine's zone data
        ("Europe/Berlin", "CEST", datetime.fromisoformat("2030-06-01T12:00"), 10),
        (
            "Europe/Berlin",
            "+01",
            datetime.fromisoformat("2030-10-27T02:30"),
            1,
        ),  # this time comes twice; +01 names the second
    ],
)
def test_a_clock_in_a_zone_whose_abbreviation_this_machine_does_not_have_is_read(
    zone: str, shown: str, local: datetime, hour: int
) -> None:
    assert uptime(local, shown).in_zone(ZoneInfo(zone)) == local.replace(hour=hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "shown", "local"),
    [
        ("Europe/Berlin", "EST", datetime.fromisoformat("2030-06-01T12:00")),  # another zone's name
        ("Europe/Berlin", "MEZ", datetime.fromisoformat("2030-10-27T02:30")),  # this time comes twice
        ("Asia/Tokyo", "+05", datetime.fromisoformat("2030-06-01T12:00")),
        ("Europe/Berlin", "CET", datetime.fromisoformat("2030-03-31T02:30")),  # this time does not exist
    ],
)
def test_a_clock_that_may_be_another_instant_is_not_read(zone: str, shown: str, local: datetime) -> None:
    with pytest.raises(ClockError):
        uptime(local, shown).in_zone(ZoneInfo(zone))
