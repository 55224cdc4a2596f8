import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import pytest
from tests.unit.check.conftest import Router
from tests.unit.known import known

from keyroll.check import judge as judging
from keyroll.check.as_json import as_data
from keyroll.check.coming_rollovers import DEFAULT_MIXES, predict_rollovers
from keyroll.check.judge import Question, Verdict, judge
from keyroll.check.merged_findings import merged
from keyroll.check.rules import RULES
from keyroll.configuration import read, zone_of
from keyroll.keychain.generate import generate
from keyroll.keychain.model import Keychain
from keyroll.keychain.rules import RULES as CHAIN_RULES

T0 = datetime(2030, 1, 1, tzinfo=UTC)
AT = T0 + timedelta(minutes=5)
NEIGHBOR = "set protocols bgp group g neighbor 10.0.0.1"


def judged(
    *routers: Router,
    **values: Any,
) -> judging.Report:
    return judge([router.read() for router in routers], Question(AT, **values))


def rules_of(report: judging.Report) -> set[str]:
    return {finding.rule.id for finding in report.findings}


def test_two_matching_configurations_are_ok_and_nothing_is_found(pair: Callable[..., tuple[Router, Router]]) -> None:
    report = judged(*pair())
    assert [session.verdict for session in report.sessions] == [Verdict.OK]
    assert report.findings == ()
    assert report.routers == ("R1", "R2")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda r2: r2.without("authentication-"), "chain-on-one-end"),
        (lambda r2: r2.without("authentication-algorithm"), "authentication-algorithm-not-ao"),
        (lambda r2: r2.without("authentication-key-chain"), "chain-missing"),
        (lambda r2: r2.swap("authentication-algorithm ao", "authentication-algorithm aes-128-cmac-96"),
         "authentication-algorithm-not-ao"),
        (lambda r2: r2.swap("authentication-key-chain KC", "authentication-key-chain OTHER"), "chain-not-defined"),
        (lambda r2: r2.add(f"{NEIGHBOR} authentication-key secret"), "md5-beside-chain"),
        (lambda r2: r2.swap("peer-as 65001", "peer-as 65009"), "as-numbers-differ"),
        (lambda r2: r2.swap("type external", "type internal"), "group-types-differ"),
        (lambda r2: r2.swap("neighbor 10.0.0.1", "neighbor 10.0.0.9"), "ends-do-not-match"),
        (lambda r2: r2.swap("send-id 4", "send-id 40"), "ids-not-reversed"),
        (lambda r2: r2.without("key 1 "), "key-missing"),
        (lambda r2: r2.swap("2030-1-1.00:30", "2030-1-1.00:45"), "start-times-apart"),
        (lambda r2: r2.swap("key 0 ao-attribute tcp-ao-option enabled", "key 0 ao-attribute tcp-ao-option disabled"),
         "session-down"),
    ],
)  # fmt: skip
def test_a_mistake_at_one_end_is_an_error_of_its_rule_with_its_line(
    pair: Callable[..., tuple[Router, Router]], change: Callable[[Router], Router], rule: str
) -> None:
    one, other = pair()
    report = judged(one, change(other))
    assert report.count(Verdict.BAD) >= 1
    (finding,) = [finding for finding in report.findings if finding.rule.id == rule][:1]
    assert finding.severity.value == "error"
    assert finding.where.file in {"R1.conf", "R2.conf"}
    assert finding.where.line is not None


def test_a_rollover_that_is_not_hitless_is_an_error_and_so_is_a_skew_at_which_it_is_not(
    pair: Callable[..., tuple[Router, Router]], late: Keychain
) -> None:
    assert "rollover-not-hitless" in rules_of(judged(*pair(peer=late)))
    routers = pair()
    assert judged(*routers, skew=timedelta(seconds=600)).findings == ()
    report = judged(*routers, skew=timedelta(seconds=601))
    assert rules_of(report) == {"skew-not-borne"}
    assert report.count(Verdict.BAD) == 1


def test_only_the_requested_mixes_are_judged(pair: Callable[..., tuple[Router, Router]]) -> None:
    strict = generate(1, name="KC", count=2, first=T0, tolerance=0)
    nothing = timedelta()
    assert "rollover-not-hitless" in rules_of(judged(*pair(strict), skew=nothing))
    assert "rollover-not-hitless" not in rules_of(judged(*pair(strict), skew=nothing, mixes=DEFAULT_MIXES))


def test_unknown_secrets_are_assumed_to_match_and_reported(pair: Callable[..., tuple[Router, Router]]) -> None:
    one, other = pair()
    other.lines = [
        f"{line.partition(' secret ')[0]} secret <REMOVED>" if " secret " in line else line for line in other.lines
    ]
    report = judged(one, other)
    assert rules_of(report) == {"secret-unknown"}
    assert [session.verdict for session in report.sessions] == [Verdict.UNKNOWN]
    (chains,) = report.pairs
    assert chains.assumed(chains.coming.rollovers[0]) == ((0, 0), (1, 1))
    assert judged(one, other, without_secrets=True).count(Verdict.OK) == 1


def test_secrets_that_are_known_and_differ_are_an_error_that_outweighs_what_is_unknown(
    pair: Callable[..., tuple[Router, Router]],
) -> None:
    one, other = pair()
    other.lines = [
        line if " secret " not in line else f"{line.partition(' secret ')[0]} secret {secret}"
        for line, secret in zip(other.lines, ["x"] * 8 + ["<REMOVED>"] * 20, strict=False)
    ]
    other.swap("key 0 secret <REMOVED>", "key 0 secret mistyped")
    report = judged(one, other)
    assert {"secrets-differ", "secret-unknown"} <= rules_of(report)
    assert report.count(Verdict.BAD) == 1
    # The session has both findings: neither hides the other.
    severities = {finding.severity.value for finding in report.sessions[0].findings}
    assert {"error", "unknown"} <= severities


def test_a_session_whose_other_end_is_not_given_is_unknown(pair: Callable[..., tuple[Router, Router]]) -> None:
    one, _ = pair()
    report = judged(one)
    assert rules_of(report) == {"other-end-not-given"}
    assert report.count(Verdict.UNKNOWN) == 1


def test_a_line_that_is_not_understood_leaves_the_session_unknown(pair: Callable[..., tuple[Router, Router]]) -> None:
    one, other = pair()
    report = judged(one, other.add(f"{NEIGHBOR} authenticaton-algorithm ao"))
    assert "not-understood" in rules_of(report)
    assert report.count(Verdict.UNKNOWN) == 1


def test_a_fault_of_a_retired_key_is_advice(pair: Callable[..., tuple[Router, Router]]) -> None:
    chain = generate(1, name="KC", count=3, first=T0 - timedelta(days=1), tolerance=600)
    one, other = pair(chain)
    report = judged(one, other.without("key 0 "))
    assert report.count(Verdict.OK) == 1
    (finding,) = [finding for finding in report.findings if finding.rule.id == "key-missing"]
    assert finding.severity.value == "advice"
    assert finding.message.endswith("(retired)")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("set protocols bgp group g ttl 255", "ttl-not-judged"),
        ("set protocols bgp group g bfd-liveness-detection minimum-interval 300", "bfd-not-judged"),
        ("set protocols bgp tcp-mss 1400", "tcp-mss-not-judged"),
        ("set routing-options graceful-restart", "graceful-restart-not-judged"),
        ("set protocols bgp group g ipsec-sa TO-R1", "ipsec-sa-not-judged"),
    ],
)
def test_statements_that_are_not_judged_give_a_note_and_do_not_change_the_verdict(
    pair: Callable[..., tuple[Router, Router]], line: str, rule: str
) -> None:
    one, other = pair()
    report = judged(one, other.add(line))
    assert rules_of(report) == {rule}
    assert report.count(Verdict.OK) == 1


def test_a_loopback_filter_that_names_the_sessions_port_gives_a_note(
    pair: Callable[..., tuple[Router, Router]],
) -> None:
    one, other = pair()
    applied = "set interfaces lo0 unit 0 family inet filter input PROTECT"
    other.add(applied, "set firewall family inet filter PROTECT term bgp from port bgp")
    assert rules_of(judged(one, other)) == {"loopback-filter-not-judged"}
    other.swap("port bgp", "port 100-200")
    assert rules_of(judged(one, other)) == {"loopback-filter-not-judged"}
    other.swap("port 100-200", "port 180-200")
    assert rules_of(judged(one, other)) == set()


def test_statements_of_a_logical_system_give_notes_for_its_sessions(pair: Callable[..., tuple[Router, Router]]) -> None:
    one, other = pair()
    inside = [line.replace("set ", "set logical-systems LS ", 1) for line in other.lines if "host-name" not in line]
    other.lines = ["set system host-name R2", *inside]
    assert rules_of(judged(one, other)) == set()
    other.add("set logical-systems LS routing-options graceful-restart")
    other.add("set logical-systems LS interfaces lo0 unit 1 family inet filter input P")
    other.add("set logical-systems LS firewall filter P term bgp from port 179")
    report = judged(one, other)
    assert rules_of(report) == {"graceful-restart-not-judged", "loopback-filter-not-judged"}


def test_a_router_given_twice_is_reported_and_its_sessions_are_unknown(
    pair: Callable[..., tuple[Router, Router]],
) -> None:
    one, other = pair()
    report = judged(one, one, other)
    assert rules_of(report) == {"router-given-twice"}
    assert report.count(Verdict.OK) == 0
    assert not report.complete
    (finding, *_) = report.findings
    assert "R1 is given 2 times" in finding.message


def test_an_error_that_a_line_not_understood_may_explain_is_unknown(pair: Callable[..., tuple[Router, Router]]) -> None:
    one, other = pair()
    assert judged(one, other.without("key 1 ao-attribute send-id")).count(Verdict.BAD) == 1
    other.add("set security authentication-key-chains key-chain KC key 1 ao-attribute send-idd 4")
    report = judged(one, other)
    assert report.count(Verdict.UNKNOWN) == 1
    (predicted,) = [finding for finding in report.findings if finding.rule.id == "rollover-not-hitless"]
    assert predicted.severity.value == "unknown"


def test_a_fault_that_begins_after_the_planned_change_is_advice_before_it(
    pair: Callable[..., tuple[Router, Router]],
) -> None:
    one, other = pair()
    short = other.without("key 1 ")
    assert judged(one, short).count(Verdict.BAD) == 1
    report = judged(one, short, change_by=AT + timedelta(minutes=10))
    assert report.count(Verdict.OK) == 1
    assert {finding.severity.value for finding in report.findings} == {"advice"}
    # Key 1 starts 25 minutes after AT.
    assert judged(one, short, change_by=AT + timedelta(minutes=25)).count(Verdict.BAD) == 1
    # With clocks this far apart key 1 may start before the change.
    assert judged(one, short, change_by=AT + timedelta(minutes=24), skew=timedelta(minutes=2)).count(Verdict.BAD) == 1


def test_violations_of_site_policy_are_warnings(pair: Callable[..., tuple[Router, Router]]) -> None:
    one, other = pair()
    day = timedelta(days=1)
    assert "no-next-key" not in rules_of(judged(one, other, within=day))
    assert "no-next-key" in rules_of(judged(one, other, within=timedelta(minutes=10)))
    assert "key-too-old" in rules_of(judged(one, other, max_age=timedelta(minutes=20)))
    report = judged(one.add("set protocols bgp group g tcpao-auth-mismatch allow-without-tcpao"), other, max_age=day)
    assert rules_of(report) == {"allow-without-tcpao"}
    assert report.count(Verdict.OK) == 1


def test_an_unused_chain_is_reported(pair: Callable[..., tuple[Router, Router]]) -> None:
    one, other = pair()
    extra = [line.replace("key-chain KC", "key-chain OLD") for line in one.lines if "key-chains" in line]
    assert rules_of(judged(one.add(*extra), other)) == {"chain-not-used"}


def test_sessions_without_tcp_ao_are_counted_and_not_judged(pair: Callable[..., tuple[Router, Router]]) -> None:
    one, other = pair()
    report = judged(one.without("authentication-"), other.without("authentication-"))
    assert (report.sessions, report.unprotected) == ((), 1)


def test_equal_pairs_of_chains_are_judged_once(
    pair: Callable[..., tuple[Router, Router]], monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted = Mock(wraps=predict_rollovers)
    monkeypatch.setattr(judging, "predict_rollovers", predicted)
    routers = []
    for number in range(4):
        one, other = pair()
        for router in (one, other):
            router.swap("10.0.0.", f"10.0.{number}.").swap("host-name R", f"host-name N{number}R")
        routers += [one, other]
    report = judged(*routers)
    assert report.count(Verdict.OK) == 4
    assert predicted.call_count == len(report.pairs) == 1
    assert {session.pair for session in report.sessions} == {0}


def test_the_json_has_a_version_and_a_verdict_for_each_session(
    pair: Callable[..., tuple[Router, Router]], late: Keychain
) -> None:
    data = json.loads(json.dumps(as_data(judged(*pair(peer=late)))))
    assert data["version"] == 1
    assert [session["verdict"] for session in data["sessions"]] == ["bad"]
    (rollover,) = data["pairs"][0]["rollovers"]
    assert rollover["skew"]["bounds"] == [{"low": 300.0, "low_closed": True, "high": 1500.0, "high_closed": True}]
    assert sum(not mix["hitless"] for mix in rollover["mixes"].values()) == 7
    first = rollover["mixes"]["clock+tolerance/clock+tolerance"]
    assert first["dropped"][0] == {
        "from": "R1", "to": "R2", "key": 1, "keyid": 3, "reason": "too-early",
        "begin": "2030-01-01T00:30:00+00:00", "end": "2030-01-01T00:35:00+00:00",
    }  # fmt: skip
    assert first["falls"]["earliest"] == "2030-01-01T00:31:00+00:00"


def test_no_secret_is_in_the_output(pair: Callable[..., tuple[Router, Router]]) -> None:
    one, other = pair()
    secrets = [known(key.secret).reveal_text() for chain in one.read().main.chains for key in chain.keychain.keys]
    text = json.dumps(as_data(judged(one, other.swap("secret ", "secret x"))))
    assert not any(secret in text for secret in secrets)


def test_a_routers_zone_is_its_configured_time_zone_if_that_is_known(
    pair: Callable[..., tuple[Router, Router]],
) -> None:
    one, _ = pair()
    assert zone_of(one.read()) is None
    assert zone_of(one.add("set system time-zone Europe/Berlin").read()) == ZoneInfo("Europe/Berlin")
    assert zone_of(one.swap("Europe/Berlin", "GMT+2").read()) is None


def test_start_times_in_a_zone_that_is_not_known_leave_their_sessions_unknown(
    pair: Callable[..., tuple[Router, Router]],
) -> None:
    one, other = pair()
    other.add("set system time-zone Mars/Olympus")
    assert judged(one, other).sessions[0].verdict is Verdict.OK  # each start-time names its own zone
    report = judged(one, other.swap(' +0000"', '"'))
    assert report.sessions[0].verdict is Verdict.UNKNOWN
    (finding,) = report.sessions[0].findings
    assert "time-zone Mars/Olympus is not known" in finding.message
    assert finding.where.line == len(other.lines)


def test_a_hold_time_of_zero_never_ends_a_session(pair: Callable[..., tuple[Router, Router]]) -> None:
    one, other = pair()
    report = judged(one.add("set protocols bgp hold-time 0"), other.without("key 1 "))
    (chains,) = report.pairs
    assert chains.hold is None
    assert all(outcome.fall is None for outcome in chains.coming.rollovers[0].outcomes.values())


def test_no_two_rules_have_the_same_id() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    # `rollover-not-hitless` reports each rollover that `not-robust` would report once for all.
    assert {rule.id for rule in CHAIN_RULES} - set(ids) == {"not-robust"}


def test_a_missing_other_end_is_unknown_if_the_other_text_is_damaged(
    pair: Callable[..., tuple[Router, Router]],
) -> None:
    one, other = pair()
    other.without("neighbor 10.0.0.1").add("set protocols bgp grup g neighbor 10.0.0.1 peer-as 65001")
    (session,) = judged(one, other).sessions
    assert session.verdict is Verdict.UNKNOWN
    assert {finding.rule.id for finding in session.findings} == {"not-understood"}


def test_a_router_without_host_name_is_named_by_its_file_or_its_routing_engines(
    pair: Callable[..., tuple[Router, Router]],
) -> None:
    one, other = pair()
    texts = [router.without("host-name").text for router in (one, other)]
    named = [read(text, name) for text, name in zip(texts, ("a/east.conf", "b/west.conf"), strict=True)]
    assert judge(named, Question(AT)).routers == ("east", "west")
    alike = [read(text, name) for text, name in zip(texts, ("a/show.txt", "b/show.txt"), strict=True)]
    report = judge(alike, Question(AT))
    assert report.routers == ("a/show.txt", "b/show.txt")
    assert report.count(Verdict.OK) == 1
    engines = "".join(f"set groups re{n} system host-name core{n}\nset apply-groups re{n}\n" for n in (0, 1))
    assert read(texts[0] + engines, "a/east.conf").main.name == "core0"


def test_a_statement_of_a_group_is_reported_once_for_all_its_neighbors(
    pair: Callable[..., tuple[Router, Router]],
) -> None:
    one, _ = pair()
    one.add("set protocols bgp group g tcp-mss 1400")
    for number in (6, 10):
        one.add(*(line.replace("10.0.0.2", f"10.0.0.{number}") for line in one.lines if "neighbor 10.0.0.2" in line))
    found = {same.first.rule.id: same for same in merged(judged(one).findings)}
    assert set(found) == {"other-end-not-given", "tcp-mss-not-judged"}
    assert found["tcp-mss-not-judged"].message == "BGP R1 to 10.0.0.2 and 2 more: tcp-mss is configured"
    lines = [number for number, line in enumerate(one.lines, 1) if "peer-as" in line]
    assert found["other-end-not-given"].place == f"R1.conf:{', '.join(map(str, lines))}"


def test_a_missing_license_is_a_note_and_hides_no_session() -> None:
    text = "protocols {{\n{}    bgp {{ group g {{ neighbor 10.0.0.1; }} }}\n}}\n"
    warned = read(text.format("    ##\n    ## Warning: requires 'bgp' license\n    ##\n"), "R1.conf")
    report = judge([warned], Question(AT))
    assert {finding.rule.id for finding in report.findings} == {"license-not-judged"}
    assert report.complete
    other = read(text.format("    ##\n    ## Warning: configuration block ignored\n    ##\n"), "R1.conf")
    assert not judge([other], Question(AT)).complete
