"""Lint rules about one keychain, and about the two keychains of a session."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.curly_text import curly
from tests.unit.known import known

from keyroll.configuration import read
from keyroll.configuration.usage import subject_of
from keyroll.keychain import rules
from keyroll.keychain.generate import Ids, generate
from keyroll.keychain.lint import Finding, Subject, lint
from keyroll.keychain.lint_pair import lint_course, lint_pair
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.rules import RULES, Severity
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm

T0 = datetime(2030, 1, 1, tzinfo=UTC)
CHAIN = generate(1, name="c", count=3, first=T0)
PEER = CHAIN.mirrored()


def subject(chain: Keychain = CHAIN, name: str = "R1") -> Subject:
    return Subject.bare(chain, name)


def ids(findings: list[Finding]) -> list[str]:
    return [finding.rule.id for finding in findings]


def changed(chain: Keychain, key: int, **values: Any) -> Keychain:
    return replace(chain, keys=tuple(replace(k, **values) if k.id == key else k for k in chain.keys))


def minutes(number: int) -> datetime:
    return T0 + timedelta(minutes=number)


def test_a_generated_chain_breaks_no_rule() -> None:
    assert lint(subject(), at=T0) == []


@pytest.mark.parametrize(
    ("chain", "broken"),
    [
        (changed(CHAIN, 1, send_id=1), ["duplicate-send-id", "shared-id"]),
        (changed(CHAIN, 1, recv_id=2), ["duplicate-recv-id", "shared-id"]),
        (changed(CHAIN, 1, send_id=2), ["shared-id"]),
        (changed(CHAIN, 1, start=T0), ["same-start-time"]),
        (changed(CHAIN, 1, start=minutes(29)), ["close-start-times"]),
        (changed(CHAIN, 1, start=minutes(31)), ["close-start-times"]),
        (changed(CHAIN, 1, tcp_ao_option=None), ["option-not-enabled"]),
        (changed(CHAIN, 1, tcp_ao_option=False), ["option-not-enabled"]),
        (changed(CHAIN, 1, scheme=None), ["algorithm-not-ao"]),
        (changed(CHAIN, 1, scheme="md5"), ["algorithm-not-ao"]),
        (changed(CHAIN, 1, secret=None), ["incomplete-key"]),
        (changed(CHAIN, 1, start=None), ["incomplete-key"]),
        (changed(CHAIN, 1, send_id=None, recv_id=None), ["incomplete-key"]),
        (changed(CHAIN, 1, secret=Secret("x" * 80)), []),
        (changed(CHAIN, 1, secret=Secret("x" * 81)), ["long-secret"]),
        (changed(CHAIN, 1, secret=Secret("with space")), ["secret-characters"]),
        (changed(CHAIN, 1, secret=Secret("größe")), ["secret-characters"]),
        (replace(CHAIN, tolerance=0), ["no-tolerance"]),
        (replace(CHAIN, keys=()), ["no-keys"]),
        (generate(1, name="c", count=64, first=T0, ids=Ids.EQUAL), []),
    ],
)
def test_each_rule_about_one_chain_finds_its_fault(chain: Keychain, broken: list[str]) -> None:
    assert ids(lint(subject(chain))) == broken


def test_the_first_start_must_have_passed_at_the_given_instant() -> None:
    assert ids(lint(subject(), at=T0 - timedelta(seconds=1))) == ["first-start-in-future"]
    assert lint(subject(), at=T0) == []


def test_a_finding_says_what_and_where_and_which_keys() -> None:
    text = curly([changed(CHAIN, 1, send_id=1)])
    first, second = lint(subject_of(read(text, "R1.conf").main.chains[0], "R1.conf"))
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "send-id 1;" in row and n > 12)
    assert str(first) == f"R1.conf:{line}: error: keys 0 and 1 both have send-id 1 [duplicate-send-id]"
    assert first.keys == (0, 1)
    assert second.message.endswith("key 0 has send-id 1 and recv-id 2, key 1 has send-id 1 and recv-id 4")


def test_mirrored_chains_break_no_rule_together() -> None:
    assert lint_pair(subject(), subject(PEER, "R2")) == []
    assert lint_course(subject(), subject(PEER, "R2")) == []


@pytest.mark.parametrize(
    ("peer", "broken"),
    [
        (CHAIN, ["ids-not-reversed"] * 3),
        (changed(PEER, 1, send_id=99), ["ids-not-reversed"]),
        (replace(PEER, keys=PEER.keys[:2]), ["key-missing"]),
        (changed(PEER, 1, secret=Secret("other")), ["secrets-differ"]),
        (changed(PEER, 1, algorithm=Algorithm.AES_128_CMAC_96), ["algorithms-differ"]),
        (changed(PEER, 1, algorithm=None), []),  # R1 has the default algorithm
        (changed(PEER, 1, tcp_ao_option=None), ["options-differ"]),
        (changed(PEER, 1, include_options=False), ["options-differ"]),
        (changed(PEER, 1, start=minutes(91)), ["start-times-apart"]),
        (changed(PEER, 1, start=minutes(90)), ["start-times-unequal"]),
        (replace(PEER, name="local_name"), []),
        (replace(PEER, keys=tuple(replace(key, id=key.id + 10) for key in PEER.keys)), []),
    ],
)
def test_each_rule_about_two_chains_finds_its_fault(peer: Keychain, broken: list[str]) -> None:
    assert ids(lint_pair(subject(), subject(peer, "R2"))) == broken


def test_a_key_that_only_one_router_has_is_named_with_both_routers() -> None:
    (finding,) = lint_pair(subject(replace(CHAIN, keys=CHAIN.keys[:2])), subject(PEER, "R2"))
    assert finding.message == "key 2 (send-id 6 and recv-id 5) has no counterpart on R1"
    assert finding.where.file == "R2"


def test_keys_with_the_same_ids_are_paired_by_their_numbers() -> None:
    twice = changed(CHAIN, 1, send_id=1, recv_id=2)
    peer = twice.mirrored()
    swapped = replace(peer, keys=(peer.keys[1], peer.keys[0], peer.keys[2]))
    assert lint_pair(subject(twice), subject(swapped, "R2")) == []
    without_first = replace(twice, keys=twice.keys[1:])
    (finding,) = lint_pair(subject(without_first), subject(peer, "R2"))
    assert (finding.rule.id, finding.keys) == ("key-missing", (0,))


def test_the_smaller_of_two_tolerances_applies() -> None:
    one = replace(CHAIN, tolerance=100)
    peer = changed(PEER, 2, start=known(CHAIN.keys[2].start) + timedelta(seconds=101))
    assert ids(lint_pair(subject(one), subject(peer, "R2"))) == ["start-times-apart"]


def test_a_plan_that_is_hitless_under_only_some_policies_is_not_robust() -> None:
    strict = replace(CHAIN, tolerance=0)
    (finding,) = lint_course(subject(strict), subject(strict.mirrored(), "R2"))
    assert finding.rule.id == "not-robust"
    assert "of 16 mixes of key policies are not hitless" in finding.message
    assert "2030-1-1.00:30:00 +0000" in finding.message


def test_chains_that_never_send_give_no_prediction_findings() -> None:
    assert lint_course(subject(Keychain("c", (Key(0),))), subject(PEER, "R2")) == []


def test_a_tolerance_beyond_the_calendar_gives_no_finding() -> None:
    late = generate(1, name="c", first=datetime(9990, 1, 1, tzinfo=UTC), tolerance=4294967295)
    assert lint_course(subject(late), subject(late.mirrored(), "R2")) == []


def test_every_rule_has_its_own_id_a_sentence_and_a_source() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.sentence.endswith(".") and rule.source for rule in RULES)
    named = {value for value in vars(rules).values() if isinstance(value, rules.Rule)}
    assert named == set(RULES)


def test_no_finding_shows_a_secret() -> None:
    one = changed(CHAIN, 1, secret=Secret("hunter2 " * 12))
    other = changed(PEER, 1, secret=Secret("hunter2"))
    findings = [*lint(subject(one)), *lint_pair(subject(one), subject(other, "R2"))]
    assert "secrets-differ" in ids(findings)
    assert "hunter2" not in repr(findings) + "".join(map(str, findings))


@given(st.integers(), st.integers(1, 64), st.sampled_from(Ids), st.integers(1, 126))
def test_a_generated_chain_has_no_errors_with_its_mirrored_chain(seed: int, count: int, ids_: Ids, length: int) -> None:
    chain = generate(seed, name="c", count=count, first=T0, ids=ids_, secret_length=length)
    findings = [*lint(subject(chain), at=T0), *lint_pair(subject(chain), subject(chain.mirrored(), "R2"))]
    assert {finding.rule.id for finding in findings} <= {"long-secret"}
    assert all(finding.severity is not Severity.ERROR for finding in findings)
