"""Watches of a lab's own routers, which are asked as fast as they answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.lab.conftest import Pair
from tests.lab.watch.production import Case, Production

QUICK = timedelta(milliseconds=50)
"""From one line to the next. That it is a second on routers that exist is shown by tests/unit/watch; here a watch of
thirty lines would wait for half a minute and show nothing more by it."""


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
