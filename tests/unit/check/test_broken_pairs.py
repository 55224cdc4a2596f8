"""Pairs of configurations with one wrong statement: its rule reports it, and no other, wherever the session is.

Each placement configures the same protected session elsewhere (at a neighbor, in a group, an instance, a logical
system, as LDP); each break changes R2's configuration. If a break is reported in one placement and not in another, the
session was misread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keyroll.check.judge import Question, Report, Verdict, judge
from keyroll.configuration import read
from keyroll.keychain.generate import generate
from keyroll.keychain.junostext import set_lines

T0 = datetime(2030, 1, 1, tzinfo=UTC)
AT = T0 + timedelta(minutes=5)
CHAIN = generate(1, name="KC", count=2, first=T0, tolerance=600)
KC = "security authentication-key-chains key-chain KC"
PREDICTED = {"session-down", "rollover-not-hitless", "skew-not-borne"}
"""Rules of the prediction, which an error in a chain breaks as well; the error's own rule must be reported too."""


@dataclass(frozen=True)
class Placement:
    """Where a session is configured: the words before its own, its addresses, and whether it is BGP or LDP."""

    before: str = ""
    """The words above `protocols`: of a logical system, of an instance, or none."""
    at: str = "neighbor"
    """The level of the authentication statements."""
    ends: tuple[str, str] = ("10.0.0.1", "10.0.0.2")
    kind: str = "bgp"

    @property
    def system(self) -> str:
        return self.before.partition("routing-instances")[0]

    def lines(self, number: int) -> list[str]:
        own, peer = self.ends[number], self.ends[1 - number]
        chain = (CHAIN, CHAIN.mirrored())[number]
        top = f"{self.before}protocols {self.kind}"
        family, length = ("inet6", 64) if ":" in own else ("inet", 30)
        found = [
            f"set system host-name R{number + 1}",
            f"set {self.system}interfaces ge-0/0/0 unit 0 family {family} address {own}/{length}",
            *set_lines(chain),
        ]
        if "routing-instances" in self.before:
            found.append(f"set {self.before}interface ge-0/0/0.0")
        if self.kind == "ldp":
            level = f"{top} {self.at.format(peer)}"
            return [*found, f"set {top} interface ge-0/0/0.0", *self._authentication(level)]
        found += [
            f"set {self.before}routing-options autonomous-system 6500{number + 1}",
            f"set {top} group g type external",
            f"set {top} group g neighbor {peer} peer-as 6500{2 - number}",
        ]
        levels = {
            "neighbor": f"{top} group g neighbor {peer}",
            "group": f"{top} group g",
            "protocol": top,
            "apply-groups": f"groups AO {top} group <*>",
        }
        found += self._authentication(levels[self.at])
        # With another statement the group exists also if a break removes these: Junos refuses an undefined group.
        group = ["set groups AO system services ssh", "set apply-groups AO"] if self.at == "apply-groups" else []
        return found + group

    @staticmethod
    def _authentication(level: str) -> list[str]:
        return [f"set {level} authentication-algorithm ao", f"set {level} authentication-key-chain KC"]


V6 = ("2001:db8::1", "2001:db8::2")
PLACEMENTS = {
    "neighbor": Placement(),
    "group": Placement(at="group"),
    "protocol": Placement(at="protocol"),
    "apply-groups": Placement(at="apply-groups"),
    "ipv6": Placement(ends=V6),
    "instance": Placement("routing-instances CUST "),
    "logical-system": Placement("logical-systems LS "),
    "instance-of-a-logical-system": Placement("logical-systems LS routing-instances CUST ", ends=V6),
    "ldp": Placement(kind="ldp", at="session {}"),
    "ldp-session-group": Placement(kind="ldp", at="session-group {}/32"),
    "ldp-session-group-of-a-network": Placement(kind="ldp", at="session-group 10.0.0.0/24"),
    "ldp-in-an-instance": Placement("routing-instances CUST ", kind="ldp", at="session-group 10.0.0.0/24"),
}
Change = Callable[[list[str]], list[str]]


def without(words: str) -> Change:
    return lambda lines: [line for line in lines if not re.search(words, line)]


def swap(old: str, new: str) -> Change:
    return lambda lines: [re.sub(old, new, line) for line in lines]


def chain(*words: str) -> Change:
    return lambda lines: [*lines, *(f"set {KC} {word}" for word in words)]


def beside(statement: str) -> Change:
    """Add a statement beside the authentication statements."""

    def change(lines: list[str]) -> list[str]:
        level = next(line for line in lines if "authentication-key-chain KC" in line)
        return [*lines, level.replace("authentication-key-chain KC", statement)]

    return change


def deactivated(words: str) -> Change:
    """Deactivate the authentication statements that match: the command names a statement without its value."""
    return lambda lines: [
        *lines,
        *(
            re.sub(r"^set (.*?authentication-\S+) \S+$", r"deactivate \1", line)
            for line in lines
            if re.search(words, line)
        ),
    ]


def deactivated_session(lines: list[str]) -> list[str]:
    level = next(
        found[1]
        for line in lines
        if (found := re.match(r"set (.*protocols \S+ (?:group g neighbor|session\S*) \S+)", line))
    )
    return [*lines, f"deactivate {level}"]


ANYWHERE: dict[str, tuple[Change, str]] = {
    "no authentication": (without("protocols.*authentication-"), "chain-on-one-end"),
    "authentication deactivated": (
        deactivated(r"protocols.*authentication-(algorithm|key-chain) "), "chain-on-one-end"),
    "no algorithm": (without("authentication-algorithm"), "authentication-algorithm-not-ao"),
    "algorithm deactivated": (deactivated("authentication-algorithm"), "authentication-algorithm-not-ao"),
    "an older algorithm": (swap("algorithm ao$(?<!key . algorithm ao)", "algorithm hmac-sha-1-96"),
                           "authentication-algorithm-not-ao"),
    "no chain": (without("authentication-key-chain KC"), "chain-missing"),
    "chain deactivated": (deactivated("authentication-key-chain KC"), "chain-missing"),
    "a chain of another name": (
        swap("authentication-key-chain KC", "authentication-key-chain KX"), "chain-not-defined"),
    "a chain in lower case": (swap("authentication-key-chain KC", "authentication-key-chain kc"), "chain-not-defined"),
    "the chain's definition deactivated": (lambda lines: [*lines, f"deactivate {KC}"], "chain-not-defined"),
    "md5 beside": (beside("authentication-key abc"), "md5-beside-chain"),
    "session deactivated": (deactivated_session, "ends-do-not-match"),
    "the session of another address": (
        lambda lines: swap(r"(session-group 10\.0)\.0\.0", r"\1.9.0")(
            swap(r"((?:neighbor|session|session-group) (?:10\.0\.0\.|2001:db8::))1", r"\g<1>9")(lines)),
        "ends-do-not-match"),
    "no key 1": (without("key 1 "), "key-missing"),
    "key 1 deactivated": (lambda lines: [*lines, f"deactivate {KC} key 1"], "key-missing"),
    "ids not reversed": (lambda lines: swap("recv-id 3", "recv-id 4")(swap("send-id 4", "send-id 3")(lines)),
                         "ids-not-reversed"),
    "another secret": (chain("key 1 secret mistyped"), "secrets-differ"),
    "another cryptographic-algorithm": (
        chain("key 1 ao-attribute cryptographic-algorithm aes-128-cmac-96"), "algorithms-differ"),
    "option of the next key disabled": (swap("(key 1 ao-attribute tcp-ao-option) enabled", r"\1 disabled"),
                            "options-differ"),
    "option left out": (without("key 1 ao-attribute tcp-ao-option"), "option-not-enabled"),
    "option of the active key disabled": (swap("(key 0 ao-attribute tcp-ao-option) enabled", r"\1 disabled"),
                                          "session-down"),
    "algorithm of a key left out": (without("key 1 algorithm"), "algorithm-not-ao"),
    "start-time left out": (without("key 1 start-time"), "incomplete-key"),
    "secret left out": (without("key 1 secret"), "incomplete-key"),
    "send-id left out": (without("key 1 ao-attribute send-id"), "incomplete-key"),
    "one send-id twice": (swap("send-id 4", "send-id 2"), "duplicate-send-id"),
    "one recv-id twice": (swap("recv-id 3", "recv-id 1"), "duplicate-recv-id"),
    "start-times apart": (swap("2030-1-1.00:30", "2030-1-1.00:45"), "start-times-apart"),
    "two keys of one start-time": (swap("2030-1-1.00:30", "2030-1-1.00:00"), "same-start-time"),
    "no key has started": (swap("2030-1-1.00:00", "2030-1-1.00:20"), "first-start-in-future"),
    "no keys": (without("key [01] "), "no-keys"),
}  # fmt: skip
"""Breaks of a session in any placement, each with the rule that reports it."""


def judged(placement: Placement, change: Change = list, *, both: bool = False) -> Report:
    lines = [change(placement.lines(0)) if both else placement.lines(0), change(placement.lines(1))]
    texts = ["".join(f"{line}\n" for line in found) for found in lines]
    return judge([read(text, f"R{number}.conf") for number, text in enumerate(texts, 1)], Question(AT))


@pytest.mark.parametrize("placement", PLACEMENTS.values(), ids=PLACEMENTS)
def test_a_matching_pair_is_ok_in_every_placement(placement: Placement) -> None:
    report = judged(placement)
    assert [session.verdict for session in report.sessions] == [Verdict.OK]
    assert report.findings == ()
    assert report.complete


def cases() -> Iterator[Any]:
    """Yield each break in each placement; `make test` runs one placement of each break."""
    for number, (what, (change, rule)) in enumerate(ANYWHERE.items()):
        for place, (where, placement) in enumerate(PLACEMENTS.items()):
            sample = place == number % len(PLACEMENTS)
            marks = () if sample else (pytest.mark.slow,)
            yield pytest.param(placement, change, rule, id=f"{what}, {where}", marks=marks)


@pytest.mark.parametrize(("placement", "change", "rule"), list(cases()))
def test_a_break_at_one_end_is_reported_by_its_rule_in_every_placement(
    placement: Placement, change: Callable[[list[str]], list[str]], rule: str
) -> None:
    report = judged(placement, change)
    if placement.kind == "ldp" and rule == "ends-do-not-match":
        rule = "chain-on-one-end"  # R2 makes the session without a statement for it: LDP discovers its peer
    errors = errors_of(report)
    assert rule in errors
    assert errors - PREDICTED - {rule} <= FOLLOWS.get(rule, set())
    # A session of R2 with an address that no router has is unknown, but the first one, R1's, is bad.
    assert report.sessions[0].verdict is Verdict.BAD


def errors_of(report: Report) -> set[str]:
    return {finding.rule.id for finding in report.findings if finding.severity.value == "error"}


FOLLOWS = {
    "chain-missing": {"chain-on-one-end"},
    "options-differ": {"option-not-enabled"},
    "option-not-enabled": {"options-differ"},
    "session-down": {"option-not-enabled", "options-differ"},
    "incomplete-key": {"ids-not-reversed"},
    "duplicate-send-id": {"ids-not-reversed"},
    "duplicate-recv-id": {"ids-not-reversed"},
    "same-start-time": {"start-times-apart"},
    "first-start-in-future": {"start-times-apart"},
    "no-keys": {"key-missing"},
}
"""The rules that a mistake breaks besides its own: these findings are correct too."""

BGP = {name: placement for name, placement in PLACEMENTS.items() if placement.kind == "bgp"}
OF_BGP: dict[str, tuple[Change, str]] = {
    "peer-as": (swap("peer-as 65001", "peer-as 65009"), "as-numbers-differ"),
    "autonomous-system": (swap("autonomous-system 65002", "autonomous-system 65003"), "as-numbers-differ"),
    "local-as": (lambda lines: [*lines, *(f"{line.partition(' type ')[0]} local-as 65007"
                                          for line in lines if " type " in line)], "as-numbers-differ"),
    "type": (swap("type external", "type internal"), "group-types-differ"),
    "local-address": (lambda lines: [*lines, *(f"{line.partition(' type ')[0]} local-address 192.0.2.1"
                                               for line in lines if " type " in line)], "ends-do-not-match"),
}  # fmt: skip


@pytest.mark.parametrize("placement", BGP.values(), ids=BGP)
@pytest.mark.parametrize(("change", "rule"), OF_BGP.values(), ids=OF_BGP)
def test_a_break_of_bgp_is_reported_by_its_rule_in_every_placement(
    placement: Placement, change: Callable[[list[str]], list[str]], rule: str
) -> None:
    report = judged(placement, change)
    assert rule in errors_of(report)
    assert errors_of(report) <= {rule, "as-numbers-differ"}
    assert report.sessions[0].verdict is Verdict.BAD


@pytest.mark.parametrize("placement", BGP.values(), ids=BGP)
def test_two_passive_ends_are_an_error_and_one_is_not(placement: Placement) -> None:
    def passive(lines: list[str]) -> list[str]:
        return [*lines, *(f"{line.partition(' type ')[0]} passive" for line in lines if " type " in line)]

    assert judged(placement, passive).findings == ()
    assert errors_of(judged(placement, passive, both=True)) == {"both-ends-passive"}


@pytest.mark.parametrize("other", ["another secret", "start-times apart", "no key 1", "send-id left out"])
def test_of_two_mistakes_neither_hides_the_other(other: str) -> None:
    change, rule = ANYWHERE[other]
    report = judged(PLACEMENTS["group"], lambda lines: beside("authentication-key abc")(change(lines)))
    assert {"md5-beside-chain", rule} <= errors_of(report)


def test_ldp_prefixes_of_routers_without_a_common_network_make_no_session() -> None:
    far = Placement(kind="ldp", at="session-group 0.0.0.0/0", ends=("10.0.0.1", "10.9.0.2"))
    report = judged(far)
    assert {finding.rule.id for finding in report.findings} == {"other-end-not-given"}
    assert report.count(Verdict.UNKNOWN) == 2
