"""Start-times, as Junos stores them and as people type them."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.known import known

from keyroll.keychain.starttime import StartTimeError, format_start_stored, parse_start

BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = st.integers(0, 130 * 365 * 86400).map(lambda s: datetime(1970, 1, 2, tzinfo=UTC) + timedelta(0, s))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    "stored",  # as six real devices show them
    [
        "2021-6-29.00:00:00 +0000",
        "2020-6-16.01:00:00 +0530",
        "2023-1-1.00:00:00 +0000",
        "2022-8-26.08:38:16 -0400",
        "2016-12-31.16:00:00 -0800",
        "2023-11-29.06:01:00 +0000",
    ],
)
def test_start_times_of_real_devices_are_read_and_written_to_the_byte(stored: str) -> None:
    moment = parse_start(stored)
    assert format_start_stored(moment, known(moment.tzinfo)) == stored
    assert parse_start(f'"{stored}"') == moment


@pytest.mark.parametrize(
    "typed",
    ["2023-01-01.00:00", "2023-1-1.00:00", "2023-01-01.00:00:00", " 2023-01-01.00:00 ", "2023-1-1.0:00 +0000",
     "2023-01-01.05:30 +05:30", "2022-12-31.19:00:00-0500"],
)  # fmt: skip
def test_the_forms_that_people_type_all_mean_the_same_instant(typed: str) -> None:
    assert parse_start(typed) == datetime(2023, 1, 1, tzinfo=UTC)


def test_without_a_zone_the_routers_zone_applies() -> None:
    assert parse_start("2026-07-01.12:00", BERLIN) == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert parse_start("2026-12-01.12:00", BERLIN) == datetime(2026, 12, 1, 11, tzinfo=UTC)
    assert parse_start("2026-07-01.12:00 +0000", BERLIN) == datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_a_skipped_local_time_is_refused_and_a_repeated_one_is_its_first_occurrence() -> None:
    with pytest.raises(StartTimeError, match="does not exist in Europe/Berlin"):
        parse_start("2026-03-29.02:30", BERLIN)
    assert parse_start("2026-10-25.02:30", BERLIN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("now", datetime(2026, 1, 31, 10, 0, 5, tzinfo=UTC)),
        ("5min", datetime(2026, 1, 31, 10, 5, 5, tzinfo=UTC)),
        ("90 minutes", datetime(2026, 1, 31, 11, 30, 5, tzinfo=UTC)),
        ("3hour", datetime(2026, 1, 31, 13, 0, 5, tzinfo=UTC)),
        ("2day", datetime(2026, 2, 2, 10, 0, 5, tzinfo=UTC)),
        ("1month", datetime(2026, 2, 28, 10, 0, 5, tzinfo=UTC)),
        ("12month", datetime(2027, 1, 31, 10, 0, 5, tzinfo=UTC)),
    ],
)
def test_relative_forms_count_from_the_routers_clock(typed: str, moment: datetime) -> None:
    assert parse_start(typed, now=datetime(2026, 1, 31, 10, 0, 5, 999, tzinfo=UTC)) == moment
    with pytest.raises(StartTimeError, match="counts from the router's clock"):
        parse_start(typed)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("2026-25-2.14:25:00 -0300", "month must be in 1..12"),  # in a public lab guide, day and month swapped
        ("2026-02-29.00:00", "day is out of range"),
        ("2026-01-01.24:00", "hour must be in"),
        ("2026-01-01.10:60", "minute must be in"),
        ("2026-01-01.10:00:60", "second must be in"),
        ("0000-01-01.10:00", "year 0 is out of range"),
        ("2026-01-01 10:00", "invalid start-time"),
        ("2026-01-01.10", "invalid start-time"),
        ("2026-01-01.10:00 UTC", "invalid start-time"),
        ("2026-01-01.10:00 +2500", "invalid zone"),
        ("2026-01-01.10:00 +0060", "invalid zone"),
        ("", "invalid start-time"),
        ("soon", "invalid start-time"),
        ("\u0662\u0660\u0662\u0666-01-01.10:00", "invalid start-time"),
        ("999999month", "beyond the year 9999"),
        ("999999hours", None),
    ],
)
def test_an_invalid_start_time_is_a_named_error(typed: str, message: str | None) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    if message is None:
        assert parse_start(typed, now=now) > now
        return
    with pytest.raises(StartTimeError, match=message):
        parse_start(typed, now=now)


def test_text_that_may_be_a_misplaced_secret_is_not_quoted() -> None:
    for text in ("$9$abcdefg", "alongsecretthatslippedintothewrongplace"):
        with pytest.raises(StartTimeError) as caught:
            parse_start(text)
        assert text not in str(caught.value)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(StartTimeError, match="needs a time zone"):
        format_start_stored(datetime(2030, 1, 1))  # noqa: DTZ001 - the missing zone is what is tested


@given(MOMENTS, OFFSETS)
def test_a_written_start_time_reads_back_as_the_same_instant(moment: datetime, zone: timezone) -> None:
    assert parse_start(format_start_stored(moment, zone)) == moment


@given(MOMENTS)
def test_a_start_time_in_a_zone_with_summer_time_is_its_instant_or_one_hour_before(moment: datetime) -> None:
    """A local time that occurs twice is read as its first occurrence."""
    read = parse_start(f"{moment.astimezone(BERLIN):%Y-%m-%d.%H:%M:%S}", BERLIN)
    assert moment - read in (timedelta(), timedelta(hours=1))
    assert read.tzinfo is not BERLIN


@given(st.text() | st.from_regex(r"\A\d{4}-\d{1,2}-\d{1,2}\.\d{1,2}:\d{2}(:\d{2})?( ?[+-]\d{4})?\Z"))
def test_any_text_is_a_start_time_or_a_named_error(text: str) -> None:
    with suppress(StartTimeError):
        assert parse_start(text).tzinfo is not None


@pytest.mark.parametrize(
    "zone", [UTC, ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York"), timezone(timedelta(hours=9))]
)
@pytest.mark.parametrize(
    "text", ["0001-01-01.00:00:00 +1400", "9999-12-31.23:59:59 -1200", "0001-01-01.00:00", "9999-12-31.23:59:59"]
)
def test_every_start_time_has_an_instant_in_utc(text: str, zone: timezone | ZoneInfo) -> None:
    """The schedule and the rules calculate in UTC, so a start-time outside its range is refused when it is read."""
    with suppress(StartTimeError):
        start = parse_start(text, zone)
        assert start.astimezone(UTC).astimezone(start.tzinfo) == start


def test_a_start_time_without_an_instant_in_utc_is_refused() -> None:
    with pytest.raises(StartTimeError, match="beyond the years 1 to 9999"):
        parse_start("0001-01-01.00:00:00 +1400")
    with pytest.raises(StartTimeError, match="beyond the years 1 to 9999"):
        parse_start("9999-12-31.23:59:59", timezone(timedelta(hours=-5)))
