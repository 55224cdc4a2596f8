"""Options of a run that are given as text."""

import pytest

from keyroll.errors import InputError
from keyroll.scenario.options import read_instant


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "1970-01-01", "2900-01-01", "9999-12-31T23:59:59Z"]
)
def test_an_instant_that_a_router_clock_cannot_show_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"invalid instant '.*': routers' clocks take the years 1990 to 2899"):
        read_instant(text)


def test_an_instant_without_a_zone_is_utc() -> None:
    assert read_instant("2030-01-01T00:00:00") == read_instant("2030-01-01T00:00:00Z")
