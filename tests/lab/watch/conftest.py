"""Watches of a lab's own routers, which are sent commands as fast as they answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.lab.conftest import Pair
from tests.lab.watch.production import Case, Production

QUICK = timedelta(milliseconds=50)
"""From one line to the next. On real routers it is a second, which tests/unit/watch tests. Here a watch of thirty lines
would only wait half a minute longer."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyroll.watch.pace.BETWEEN", QUICK)


@pytest.fixture
def production(pair: Pair, tmp_path: Path) -> Callable[[Case], Production]:
    def made(case: Case) -> Production:
        found = Production(pair, case, tmp_path)
        found.configure()
        return found

    return made
