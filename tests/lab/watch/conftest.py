"""Watches of a lab's own routers, which are asked as fast as they answer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.lab.watch.production import Case, Production

QUICK = timedelta(milliseconds=50)
"""From one line to the next. That it is a second on routers that exist is shown by tests/unit/watch; here a watch of
thirty lines would wait for half a minute and show nothing more by it."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("keyroll.watch.pace.BETWEEN", QUICK)


@pytest.fixture
def production(pair, tmp_path):
    def made(case: Case) -> Production:
        found = Production(pair, case, tmp_path)
        found.configure()
        return found

    return made
