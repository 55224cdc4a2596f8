"""Durations as people write them in a scenario file."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyroll.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0m", timedelta()),
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("1h30m", timedelta(minutes=90)),
        ("-5m", timedelta(minutes=-5)),
        ("+5m", timedelta(minutes=5)),
        ("20ms", timedelta(milliseconds=20)),
        ("1m20ms", timedelta(minutes=1, milliseconds=20)),
        ("1d2h3m4.5s", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text", ["", "30", "m", "1.5h", "30m1h", "5 m", "-", "s", 30, True, None, ["30m"], "9" * 30 + "d"]
)
def test_an_invalid_duration_is_refused(text: str | int | bool | list[str] | None) -> None:
    with pytest.raises(ValueError, match="should be"):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(days=-3650), max_value=timedelta(days=3650)))
def test_a_written_duration_reads_back_as_the_same_duration(length: timedelta) -> None:
    length -= length % timedelta(milliseconds=1)
    assert parse_duration(format_duration(length)) == length
