"""The order of a suite for several workers."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pytest_keyroll.order import Batch, Kind, dealt

FIRST, WAITS, COMPUTES = Kind.FIRST, Kind.WAITS, Kind.COMPUTES


def batch(kind, name, count):
    return Batch(kind, [(kind, name, number) for number in range(count)])


def stretches(tests, workers):
    """Divide as pytest-xdist does."""
    found, left = [], list(tests)
    for remaining in range(workers, 0, -1):
        size = len(left) // remaining
        found.append(left[:size])
        left = left[size:]
    return found


def test_each_worker_has_its_share_of_the_labs_with_other_tests_in_between():
    labs = [batch(WAITS, f"lab-{number}", 5) for number in range(12)]
    units = [batch(COMPUTES, f"unit-{number}", 30) for number in range(10)]
    for stretch in stretches(dealt([*labs, *units], 4), 4):
        kinds = [kind for kind, _, _ in stretch]
        assert kinds.count(WAITS) == 15
        assert kinds[0] is WAITS
        assert kinds[-1] is COMPUTES
        assert len({name for kind, name, _ in stretch if kind is WAITS}) == 3, "files stay together"
        assert sum(one is WAITS and other is COMPUTES for one, other in itertools.pairwise(kinds)) >= 2


def test_what_waits_for_the_wall_clock_begins_a_stretch_of_its_own():
    clocks = [batch(FIRST, number, 1) for number in range(2)]
    parts = stretches(dealt([batch(WAITS, "lab", 20), *clocks, batch(COMPUTES, "unit", 50)], 3), 3)
    assert [stretch[0][0] for stretch in parts] == [FIRST, FIRST, WAITS]


@given(
    st.lists(st.tuples(st.sampled_from(Kind), st.integers(0, 30)), max_size=20),
    st.integers(1, 9),
)
def test_every_test_is_played_once_and_those_of_a_file_in_order(given_batches, workers):
    batches = [batch(kind, number, count) for number, (kind, count) in enumerate(given_batches)]
    tests = dealt(batches, workers)
    assert sorted(tests, key=str) == sorted((test for one in batches for test in one.tests), key=str)
    assert dealt(batches, workers) == tests
    for stretch in stretches(tests, workers):
        for name in {name for _, name, _ in stretch}:
            numbers = [number for _, of, number in stretch if of == name]
            assert numbers == sorted(numbers)
