"""Conditions judged from what was seen."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import pytest

from keyroll.scenario.judge.conditions import Flaps, View
from keyroll.scenario.observe.sampler import Sample
from keyroll.scenario.observe.wire import Wire


def _view(flaps: int | None, before: int) -> View:
    sample = Sample("R1", "bgp", 0, 1, up=True, state="Established", flaps=flaps, since=timedelta(), routes=1)
    return View(0, {("R1", "bgp"): sample}, {}, cast("Wire", None), ["bgp"], {"R1": before})


class TestFlaps:
    @pytest.mark.parametrize(("shown", "before", "holds"), [(0, 0, True), (2, 2, True), (1, 0, False), (3, 2, False)])
    def test_are_counted_from_when_the_session_was_first_up(self, shown, before, holds):
        finding = Flaps("R1", 0).judge(_view(shown, before))
        assert finding.holds is holds
        assert finding.observed == f"{shown - before} flaps since the session was up"

    def test_a_counter_that_is_not_shown_is_never_nought(self):
        assert not Flaps("R1", 0).judge(_view(None, 0)).holds
