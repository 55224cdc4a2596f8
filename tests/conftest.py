"""Settings of property tests, and hooks, for all tests."""

import gc
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# Property tests judge results, never how long an example took: a busy machine must not fail them. `make test` runs few
# examples of each, always the same, so that its result does not depend on chance. `make soak` runs many, and new ones
# each time (`--hypothesis-profile soak`). A test that needs more or fewer than the others uses a factor of
# `settings.default.max_examples`.
settings.register_profile(
    "keyroll", max_examples=24, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
# `derandomize=False`, because on CI hypothesis would otherwise draw the same examples every night.
settings.register_profile("soak", settings.get_profile("keyroll"), max_examples=1000, derandomize=False)
settings.load_profile("keyroll")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without the garbage collector: hardly any object of the collection is garbage.

    The objects are not frozen afterwards: the reader of configurations counts frozen objects, which takes longer the
    more there are.

    Before that, hypothesis makes and caches its table of Unicode categories, in the process that collects for all
    workers. Otherwise each worker that draws a text would spend two seconds on it.
    """
    st.text().validate()
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure() -> None:
    """Collect garbage once, for objects that warn when they are deleted; freeze the rest: pytest would collect twice.

    This saves processor time in each worker.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Do not make items of slow cases that `make test` deselects: there are thousands of them, in each worker."""
    if metafunc.config.getoption("markexpr") == "not slow":
        calls, slow = metafunc._calls, metafunc.definition.get_closest_marker("slow") is not None
        kept = [call for call in calls if not slow and all(mark.name != "slow" for mark in call.marks)]
        # If all cases are slow, one stays and is deselected later: pytest would report an empty parameter set.
        calls[:] = kept or calls[:1]
