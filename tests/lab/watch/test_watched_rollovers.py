"""Rollovers of a pair that is reached only by SSH: good ones are hitless, bad ones are not, each with its cause."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from ipaddress import IPv4Address
from typing import Any

import pytest
from tests.lab.watch.production import Case, Production, tunnel
from tests.unit.known import known

from keyroll.junos.base_configuration import GROUP, POLICY, Family
from keyroll.names import Algorithm, SessionKind
from keyroll.scenario.record.result import Verdict
from keyroll.watch.engine import Outcome

pytestmark = pytest.mark.lab
BGP, LDP = SessionKind.BGP, SessionKind.LDP
SHA, CMAC = Algorithm.HMAC_SHA_1_96, Algorithm.AES_128_CMAC_96
IN_MAKE_TEST = {"both-late", "other-secret", "flap"}


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


GOOD = {
    "both-late": Case(kinds=(BGP, LDP), late=seconds(3)),
    "bgp-ipv6-cmac": Case(family=Family.INET6, algorithm=CMAC),
    "ldp": Case(kinds=(LDP,)),
    "late-within-tolerance": Case(late=seconds(4), algorithm=CMAC),
    "bgp": Case(),
    "r2-ahead": Case(skew=seconds(3)),
    **{
        f"{'-'.join(kinds)}-{algorithm.value}-{skew:+d}": Case(kinds=kinds, algorithm=algorithm, skew=seconds(skew))
        for kinds, algorithm, skew in itertools.product(((BGP,), (LDP,), (BGP, LDP)), (SHA, CMAC), (-4, 2))
    },
    "bgp-ipv6": Case(family=Family.INET6),
    "ldp-cmac-late": Case(kinds=(LDP,), algorithm=CMAC, late=seconds(5)),
}


def clear_bgp(production: Production) -> None:
    production.pair.sessions["R1"].clear_bgp()


def clear_bgp_on_r2(production: Production) -> None:
    production.pair.sessions["R2"].clear_bgp()


def clear_ldp(production: Production) -> None:
    production.pair.sessions["R1"].clear_ldp(IPv4Address("10.0.12.2"))


def withdraw(production: Production) -> None:
    production.pair.commit("R2", [f"delete protocols bgp group {GROUP} export {POLICY}"])


def withdraw_on_r1(production: Production) -> None:
    production.pair.commit("R1", [f"delete protocols bgp group {GROUP} export {POLICY}"])


def reboot(production: Production) -> None:
    production.pair.sessions["R2"].reboot()


def reboot_r1(production: Production) -> None:
    production.pair.sessions["R1"].reboot()


def disable(production: Production) -> None:
    production.pair.commit("R1", ["deactivate protocols bgp"])


NTP = ("set system ntp server 192.0.2.123",)
HOUR = timedelta(hours=1)

BAD = {
    "other-secret": (Case(other_secret=True), Verdict.FAILED, "no-auth-drops"),
    "flap": (Case(then=clear_bgp), Verdict.FAILED, "no-flap"),
    "lost-routes": (Case(then=withdraw), Verdict.FAILED, "no-route-loss"),
    "lacking": (Case(lacking=True), Verdict.FAILED, "no-auth-drops"),
    "reboot": (Case(then=reboot), None, ""),
    "late": (Case(late=HOUR), Verdict.FAILED, "no-auth-drops"),
    "skew": (Case(skew=-seconds(300)), Verdict.FAILED, "no-auth-drops"),
    "skew-ahead": (Case(skew=seconds(300), late=seconds(300) + HOUR), Verdict.FAILED, "no-auth-drops"),
    "ntp-off": (Case(extra=NTP), Verdict.UNFIT, "NTP is configured and does not set the clock"),
    "other-secret-ldp": (Case(kinds=(LDP,), other_secret=True), Verdict.FAILED, "no-auth-drops"),
    "other-secret-cmac": (Case(algorithm=CMAC, other_secret=True), Verdict.FAILED, "no-auth-drops"),
    "other-secret-ipv6": (Case(family=Family.INET6, other_secret=True), Verdict.FAILED, "no-auth-drops"),
    "lacking-ldp": (Case(kinds=(LDP,), lacking=True), Verdict.FAILED, "no-auth-drops"),
    "late-ldp": (Case(kinds=(LDP,), late=HOUR), Verdict.FAILED, "no-auth-drops"),
    "skew-both": (Case(kinds=(BGP, LDP), skew=-seconds(120)), Verdict.FAILED, "no-auth-drops"),
    "flap-on-r2": (Case(then=clear_bgp_on_r2, algorithm=CMAC), Verdict.FAILED, "no-flap"),
    "flap-before": (Case(then=clear_bgp, roll=False), Verdict.FAILED, "no-flap"),
    "flap-ldp": (Case(kinds=(LDP,), then=clear_ldp), Verdict.FAILED, "no-flap"),
    "lost-routes-on-r2": (Case(then=withdraw_on_r1), Verdict.FAILED, "no-route-loss"),
    "reboot-r1": (Case(then=reboot_r1, kinds=(BGP, LDP)), None, ""),
}
"""The case, the verdict, and its cause. None: red or unfit, depending on which is detected first."""


def some(cases: Iterable[str]) -> list[Any]:
    """Return the cases as parameters: a few in `make test`, all in `make soak`."""
    return [pytest.param(name, marks=() if name in IN_MAKE_TEST else pytest.mark.slow, id=name) for name in cases]


def described(outcome: Outcome) -> str:
    return "\n".join([outcome.headline, *(check.sentence() for check in outcome.result.checks)])


def test_there_are_twenty_good_and_twenty_bad_cases() -> None:
    assert (len(GOOD), len(BAD)) == (20, 20)


@pytest.mark.parametrize("name", some(GOOD))
def test_a_good_rollover_is_hitless(production: Callable[[Case], Production], name: str) -> None:
    outcome = production(GOOD[name]).watched()
    assert outcome.result.verdict is Verdict.PASSED, described(outcome)
    assert known(outcome.state.seen).completed
    written = json.loads((outcome.result.folder / "result.json").read_text())
    assert written["watch"]["rollover"]["completed"]
    assert {turn["key"] for turn in written["watch"]["rollover"]["turns"]} == {1}


@pytest.mark.parametrize("name", some(BAD))
def test_a_faulty_rollover_is_not_hitless_and_its_cause_is_reported(
    production: Callable[[Case], Production], name: str
) -> None:
    case, verdict, cause = BAD[name]
    outcome = production(case).watched()
    if verdict is None:
        assert outcome.result.verdict in (Verdict.FAILED, Verdict.UNFIT), described(outcome)
        assert outcome.result.red or "lost" in (outcome.result.reason or ""), described(outcome)
        return
    assert outcome.result.verdict is verdict, described(outcome)
    causes = (
        [check.name for check in outcome.result.red] if verdict is Verdict.FAILED else [outcome.result.reason or ""]
    )
    assert any(cause in one for one in causes), described(outcome)


@pytest.mark.slow
def test_an_ssh_session_lost_during_the_watch_makes_it_unfit(production: Callable[[Case], Production]) -> None:
    made = production(Case())
    with tunnel(made, "R2") as way:
        object.__setattr__(made.case, "then", lambda _: way.cut())
        outcome = made.watched()
    assert outcome.result.verdict is Verdict.UNFIT, described(outcome)
    assert "R2" in known(outcome.result.reason)
    assert "lost" in known(outcome.result.reason)


@pytest.mark.slow
def test_a_watch_without_a_rollover_before_its_end_is_unfit(production: Callable[[Case], Production]) -> None:
    outcome = production(Case(roll=False)).watched(until=timedelta(seconds=15))
    assert outcome.result.verdict is Verdict.UNFIT
    assert "no rollover was seen to complete until" in known(outcome.result.reason)
