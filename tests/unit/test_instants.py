"""Instants, waiting, and that only one module reads a clock."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keyroll
import pytest_keyroll
from keyroll.instants import FakeClock, Instant, SystemClock, stepped, until

SECOND = timedelta(seconds=1)


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(9000, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_an_instant_of_a_datetime_is_that_datetime(moment: datetime) -> None:
    assert Instant.of(moment).moment == moment


@given(st.integers(0, 2**62), st.timedeltas(timedelta(-1000), timedelta(1000)))
def test_what_is_added_to_an_instant_is_the_difference(ns: int, length: timedelta) -> None:
    begin = Instant(ns)
    assert (begin + length) - begin == length
    assert (begin + length) - length == begin
    assert (begin + length > begin) == (length > timedelta())


def test_the_system_clock_advances_and_agrees_with_the_wall_clock() -> None:
    clock = SystemClock()
    first = clock.now()
    assert abs(stepped(clock)) < SECOND
    clock.pause(timedelta(milliseconds=2))
    assert clock.now() - first >= timedelta(milliseconds=2)
    clock.pause(-SECOND)


def test_a_set_wall_clock_moves_no_instant_and_is_detected() -> None:
    clock = FakeClock()
    before = clock.now()
    clock.set_wall(timedelta(seconds=20))
    assert clock.now() == before
    assert stepped(clock) == timedelta(seconds=20)


def test_until_returns_the_value_that_it_waits_for() -> None:
    clock = FakeClock()
    arrived: list[str] = []
    clock.at(3 * SECOND, lambda: arrived.append("it"))
    found = until(clock, lambda: arrived[0] if arrived else None, deadline=clock.now() + 10 * SECOND, poll=SECOND)
    assert found == "it"
    assert clock.pauses == [SECOND] * 3


@pytest.mark.parametrize("empty", [0, "", frozenset()])
def test_an_empty_value_ends_the_wait(empty: object) -> None:
    """Only None and False mean that the condition does not hold yet."""
    clock = FakeClock()
    assert until(clock, lambda: empty, deadline=clock.now() + SECOND, poll=SECOND) == empty
    assert clock.pauses == []


@pytest.mark.parametrize("not_yet", [None, False])
def test_a_wait_ends_at_the_deadline_with_a_last_check(not_yet: object) -> None:
    clock, asked = FakeClock(), []

    def holds() -> object:
        asked.append(clock.now())
        return not_yet

    begin = clock.now()
    assert until(clock, holds, deadline=begin + timedelta(seconds=2.5), poll=SECOND) is None
    assert [at - begin for at in asked] == [timedelta(seconds=after) for after in (0, 1, 2, 2.5)]


def test_a_deadline_that_has_passed_still_allows_one_check() -> None:
    clock = FakeClock()
    assert until(clock, lambda: "there", deadline=clock.now() - SECOND, poll=SECOND) == "there"
    assert until(clock, lambda: None, deadline=clock.now() - SECOND, poll=SECOND) is None
    assert clock.pauses == []


def test_an_error_of_check_ends_the_wait() -> None:
    clock = FakeClock()
    end = clock.now() + 2 * SECOND

    def check() -> None:
        if clock.now() >= end:
            raise RuntimeError("the lab has died")

    with pytest.raises(RuntimeError, match="died"):
        until(clock, lambda: None, deadline=clock.now() + 60 * SECOND, poll=SECOND, check=check)
    assert clock.now() == end


# ---------------------------------------------------------------- who reads a clock

_BELOW = {"lab", "emulator", "forking.py", "linux.py", "instants.py", "_version.py"}
"""Folders and modules that may read a clock: those below `instants.py`, and that module itself."""
_READERS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"}
    | {"clock_gettime", "clock_gettime_ns", "localtime", "gmtime", "thread_time", "process_time"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}

_NAMED = ("import time", "from time", "time.", "date.", ".wait(")
"""Every formatted module that reads a clock contains one of these texts."""


def _sources() -> Iterator[Path]:
    for path in Path(keyroll.__file__).parent.iterdir():
        if path.name not in _BELOW:
            yield from path.rglob("*.py") if path.is_dir() else path.parent.glob(path.name)
    yield from Path(pytest_keyroll.__file__).parent.rglob("*.py")


def _clock_reads(source: str) -> list[str]:
    """Return what a module imports or calls that reads a clock, or sleeps."""
    if not any(words in source for words in _NAMED):
        return []  # to parse each file would take longer than all other tests of this module
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [f"line {node.lineno}: import {name.name}" for name in node.names if name.name == "time"]
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            found.append(f"line {node.lineno}: from time import")
        elif isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", None)
            if node.attr in _READERS.get(str(owner), ()):
                found.append(f"line {node.lineno}: {owner}.{node.attr}")
        if isinstance(node, ast.Call) and _is_pause(node):
            found.append(f"line {node.lineno}: a wait for an event that nobody sets")
    return found


def _is_pause(call: ast.Call) -> bool:
    """Return whether a call is `Event().wait(…)` or `pause.wait(…)`: a sleep written as a wait for an event."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "wait"):
        return False
    owner = call.func.value
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return isinstance(owner, ast.Call) or "pause" in name


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import monotonic",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime\nstart = datetime.now",
        "from datetime import date\ndate.today()",
        "import threading\nthreading.Event().wait(1)",
        "self._stage.pause.wait(1)",
    ],
)
def test_a_read_of_a_clock_is_found(source: str) -> None:
    assert _clock_reads(source)


def test_only_one_module_reads_a_clock() -> None:
    sources = list(_sources())
    assert len(sources) > 80
    reads = {str(path): found for path in sources if (found := _clock_reads(path.read_text(encoding="utf-8")))}
    assert reads == {}


def _loops_that_pause(source: str) -> list[int]:
    """Return the lines of `while` loops that pause: they poll without `until`."""
    if "while " not in source or not ("pause" in source or "sleep" in source):
        return []  # to parse each file takes too long, as above
    loops = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.While)]
    return [
        loop.lineno
        for loop in loops
        if any(isinstance(node, ast.Attribute) and node.attr in ("pause", "sleep") for node in ast.walk(loop))
    ]


def test_only_until_waits() -> None:
    assert _loops_that_pause("while not ready():\n    clock.pause(poll)\n") == [1]
    assert {str(path): found for path in _sources() if (found := _loops_that_pause(path.read_text("utf-8")))} == {}
