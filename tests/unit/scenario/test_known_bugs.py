"""A known bug must occur on its platform and releases, and is not accepted elsewhere."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from keyroll.scenario.file.scenario import KnownBug
from keyroll.scenario.labs.known_bugs import is_known_here, verdict_with
from keyroll.scenario.record.result import Verdict

BUG = KnownBug.model_validate({"id": "PR1", "platform": "crpd", "releases": ["23.2R1.15"]})


def known_on(platform: str, *releases: str, bug: KnownBug | None = BUG) -> bool:
    lab = SimpleNamespace(routers={"R1": SimpleNamespace(platform=platform)})
    answers = [SimpleNamespace(junos=release) for release in releases]
    shown = {name: SimpleNamespace(parsed_as=lambda _, one=one: one) for name, one in zip("AB", answers, strict=False)}
    pair = SimpleNamespace(show=lambda _: shown)
    return is_known_here(bug, cast("Any", lab), cast("Any", pair))


def test_a_known_bug_applies_only_to_its_platform_and_releases() -> None:
    assert known_on("crpd", "23.2R1.15", "24.1R1")
    assert not known_on("crpd", "24.1R1")
    assert not known_on("vjunos-router", "23.2R1.15")
    assert not known_on("crpd", "23.2R1.15", bug=None)


def test_a_known_bug_without_releases_applies_to_all_and_no_router_is_queried() -> None:
    assert known_on("crpd", bug=BUG.model_copy(update={"releases": ()}))


@pytest.mark.parametrize(
    ("bug", "red", "verdict"),
    [
        (None, False, Verdict.PASSED),
        (None, True, Verdict.FAILED),
        (BUG, True, Verdict.KNOWN_BUG),
        (BUG, False, Verdict.FAILED),
    ],
)
def test_a_known_bug_that_does_not_occur_is_a_failure(bug: KnownBug | None, red: bool, verdict: Verdict) -> None:
    found, reason = verdict_with(bug, red=red)
    assert found is verdict
    assert (reason is None) is (bug is None)
