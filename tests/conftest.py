"""Shared by all tests."""

import gc
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# A busy machine is no finding: property tests judge results, never how long an example took. `make test` plays few
# examples of each, the same every time: what it says of a change must not depend on chance. `make soak` plays many, and
# others each time (`--hypothesis-profile soak`). A test that is to have more or fewer than the others says so by a
# factor of `settings.default.max_examples`.
settings.register_profile(
    "keyroll", max_examples=24, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
# Where hypothesis finds itself on CI it would draw the same examples every night.
settings.register_profile("soak", settings.get_profile("keyroll"), max_examples=1000, derandomize=False)
settings.load_profile("keyroll")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector: of what collecting makes, hardly anything is garbage.

    Not frozen afterwards: reading a configuration asks how much is, which takes the longer the more there is.

    The table of Unicode's categories is made before, by the one process that collects for all workers: without a cached
    one, hypothesis needs two seconds for it, in every worker that draws a text.
    """
    st.text().validate()
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure() -> None:
    """Look once through all that there is, for what warns when it is lost: pytest does it twice, for each worker."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make hardly an item of what `make test` would leave out: there are thousands, for each worker."""
    if metafunc.config.getoption("markexpr") == "not slow":
        calls, slow = metafunc._calls, metafunc.definition.get_closest_marker("slow") is not None
        kept = [call for call in calls if not slow and all(mark.name != "slow" for mark in call.marks)]
        # Where all are slow one stays, to be left out later: without any it would be a test without parameters.
        calls[:] = kept or calls[:1]
