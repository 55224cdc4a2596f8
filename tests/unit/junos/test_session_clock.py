"""A router's clock: set, read back, in its own zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.junos.conftest import Device
from tests.unit.junos.uptime import T0, UPTIME

from keyroll.junos.errors import (
    ClockError,
)
from keyroll.junos.session import RouterSession
from keyroll.junos.time_zone import SHOW_ZONE, zone_of


class Clock:
    """A router's clock that does not run; `set date` sets it, unless it `ignores` that."""

    def __init__(self, device: Device, *, ignores: bool = False) -> None:
        self.now, self.ignores = T0, ignores
        device.replies["show system uptime"] = lambda _device, _line: UPTIME.format(now=self.now)
        device.replies[SHOW_ZONE] = ""
        device.replies["set date 203001010031.07"] = self.set

    def set(self, _device: Device, line: str) -> str:
        if not self.ignores:
            self.now = datetime.strptime(line.rsplit(maxsplit=1)[-1], "%Y%m%d%H%M.%S").replace(tzinfo=UTC)
        return self.now.strftime("%a %b %e %H:%M:%S UTC %Y")


def test_the_clock_is_set_and_read_back(device: Device) -> None:
    Clock(device)
    with RouterSession(device.target()) as session:
        asked = T0 + timedelta(minutes=31, seconds=7, microseconds=900)
        assert session.set_clock(asked) == T0 + timedelta(minutes=31, seconds=7)


class TestAnotherZone:
    """Junos shows and takes local time; the zone's name is in the configuration, as abbreviations are ambiguous."""

    def test_the_clock_is_set_in_the_routers_zone_and_read_back(self, device: Device) -> None:
        received: list[str] = []

        def set_date(_device: Device, line: str) -> str:
            received.append(line)
            return "Sun Mar 31 03:00:00"

        device.replies[SHOW_ZONE] = "time-zone Europe/Berlin;"
        device.replies["set date 203003310300.00"] = set_date
        shown = UPTIME.replace("{now:%Y-%m-%d %H:%M:%S} UTC", "2030-03-31 03:00:00 CEST", 1)
        device.replies["show system uptime"] = shown
        summer = datetime(2030, 3, 31, 1, tzinfo=UTC)
        with RouterSession(device.target()) as session:
            assert session.set_clock(summer) == summer
        assert received == ["set date 203003310300.00"]

    @pytest.mark.parametrize(("abbreviation", "hour"), [("CEST", 0), ("CET", 1)])
    def test_a_repeated_hour_is_resolved_by_its_abbreviation(
        self, device: Device, abbreviation: str, hour: int
    ) -> None:
        device.replies[SHOW_ZONE] = "time-zone Europe/Berlin;"
        shown = UPTIME.replace("{now:%Y-%m-%d %H:%M:%S} UTC", f"2030-10-27 02:30:00 {abbreviation}", 1)
        device.replies["show system uptime"] = shown
        with RouterSession(device.target()) as session:
            assert session.clock() == datetime(2030, 10, 27, hour, 30, tzinfo=UTC)

    @pytest.mark.parametrize("local", ["2030-03-31 02:30:00 CET", "2030-07-01 12:00:00 CET", "2030-07-01 12:00:00 XYZ"])
    def test_a_time_that_the_zone_does_not_have_is_an_error(self, device: Device, local: str) -> None:
        device.replies[SHOW_ZONE] = "time-zone Europe/Berlin;"
        device.replies["show system uptime"] = UPTIME.replace("{now:%Y-%m-%d %H:%M:%S} UTC", local, 1)
        with RouterSession(device.target()) as session, pytest.raises(ClockError, match="does not have"):
            session.clock()

    def test_a_zone_that_this_machine_does_not_have_is_an_error(self) -> None:
        with pytest.raises(ClockError, match="Mars/Olympus"):
            zone_of("time-zone Mars/Olympus;")
        assert zone_of("") is UTC


def test_a_clock_that_does_not_move_is_an_error(device: Device) -> None:
    Clock(device, ignores=True)
    with (
        RouterSession(device.target()) as session,
        pytest.raises(ClockError, match="set to 2030-01-01 00:31:07 UTC, but"),
    ):
        session.set_clock(T0 + timedelta(minutes=31, seconds=7))
