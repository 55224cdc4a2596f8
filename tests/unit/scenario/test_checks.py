"""Conditions, judged from samples and from what the routers show."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import pytest

from keyroll.junos.records import ChainStatus
from keyroll.scenario.judge.conditions import Flaps, Next, View
from keyroll.scenario.observe.sampler import Sample
from keyroll.scenario.observe.wire import Side, Wire


def _view(flaps: int | None, before: int) -> View:
    sample = Sample("R1", "bgp", 0, 1, up=True, state="Established", flaps=flaps, since=timedelta(), routes=1)
    return View(0, {("R1", "bgp"): sample}, {}, cast("Wire", None), ["bgp"], {"R1": before})


class TestFlaps:
    @pytest.mark.parametrize(("shown", "before", "holds"), [(0, 0, True), (2, 2, True), (1, 0, False), (3, 2, False)])
    def test_flaps_are_counted_from_when_the_session_was_first_up(self, shown: int, before: int, holds: bool) -> None:
        finding = Flaps("R1", 0).judge(_view(shown, before))
        assert finding.holds is holds
        assert finding.observed == f"{shown - before} flaps since the session was up"

    def test_a_counter_that_is_not_shown_is_not_taken_as_zero(self) -> None:
        finding = Flaps("R1", 0).judge(_view(None, 0))
        assert (finding.holds, finding.observed) == (False, "no flap counter is shown")


class TestMissingAndUnknownKeys:
    def test_a_missing_next_key_is_described_in_words(self) -> None:
        chain = ChainStatus("c", 1, 1, None, None, None, 30)
        view = View(0, {}, {"R1": chain}, cast("Wire", None), ["bgp"])
        condition = Next("R1", None)
        assert condition.expected() == "no next key in show security keychain"
        finding = condition.judge(view)
        assert (finding.holds, finding.observed) == (True, "next send none, receive none")

    def test_an_unknown_key_of_a_segment_is_described_by_its_ids(self) -> None:
        assert Side("R1", None, 3, 4, 0).words() == "an unknown key (KeyID 3, RNextKeyID 4)"
