"""Each example of docs/check.md is reported by its rule, with the severity that the table gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from tests.unit.check.conftest import Router
from tests.unit.known import known

from keyroll.check.judge import Question, Report, judge
from keyroll.check.rules import RULES
from keyroll.cli.check_text import text_of
from keyroll.configuration import read
from keyroll.keychain.generate import generate
from keyroll.keychain.junostext import set_lines
from keyroll.keychain.model import Keychain

PAGE = (Path(__file__).parents[3] / "docs/check.md").read_text("utf-8")
T0 = datetime(2030, 1, 1, tzinfo=UTC)
AT = T0 + timedelta(minutes=5)
ROW = re.compile(
    r"^\| `(?P<rule>[a-z0-9-]+)` \| (?P<severity>\w+) \| (?P<sentence>.*?) \| (?P<example>.*) \|$", re.MULTILINE
)
ROWS = {found["rule"]: found for found in ROW.finditer(PAGE)}
KC = "set security authentication-key-chains key-chain KC"
NEIGHBOR = "set protocols bgp group g neighbor 10.0.0.1"
DAY = timedelta(days=1)
ONE = generate(1, name="KC", count=1, first=T0 - 8 * 30 * DAY, tolerance=600)


@dataclass
class Example:
    """The routers of an example, and the question to judge them by."""

    one: Any
    other: Any
    question: Question
    files: tuple[Any, ...] = ()
    raw: str = ""
    """R2's text in curly braces, if set lines cannot express it."""

    @property
    def texts(self) -> list[tuple[str, str]]:
        if self.raw:
            return [(self.one.text, "R1.conf"), (self.raw, "R2.conf")]
        return [(router.text, f"{router.name}.conf") for router in self.files or (self.one, self.other)]

    def report(self) -> Report:
        return judge([read(text, name) for text, name in self.texts], self.question)


def on(*lines: str) -> Callable[[Example], None]:
    """Add lines to R2."""
    return lambda example: example.other.add(*lines)


def key(number: int, *words: str) -> tuple[str, ...]:
    return tuple(f"{KC} key {number} {word}" for word in words)


def without(*words: str) -> Callable[[Example], None]:
    def change(example: Example) -> None:
        for word in words:
            example.other.without(word)

    return change


def swap(old: str, new: str) -> Callable[[Example], None]:
    return lambda example: example.other.swap(old, new)


def ask(**values: Any) -> Callable[[Example], None]:
    def change(example: Example) -> None:
        example.question = replace(example.question, **values)

    return change


def many_keys(example: Example) -> None:
    chain = generate(1, name="KC", count=64, first=T0, interval=timedelta(hours=1), tolerance=600)
    last = chain.keys[-1]
    for router, held in ((example.one, chain), (example.other, chain.mirrored())):
        router.without("key-chains").add(*set_lines(held))
        router.add(*key(64, "secret a", f'start-time "{known(last.start) + DAY:%Y-%m-%d.%H:%M:%S} +0000"'))
    example.other.add(*key(64, "algorithm ao"))


def chain_of(chain: Any) -> Callable[[Example], None]:
    """Give both routers another chain."""

    def change(example: Example) -> None:
        example.one.without("key-chains").add(*set_lines(chain))
        example.other.without("key-chains").add(*set_lines(chain.mirrored()))

    return change


def passive(example: Example) -> None:
    for router in (example.one, example.other):
        router.add("set protocols bgp group g passive")


def old_copy(example: Example) -> None:
    example.files = (example.one, example.one, example.other)


def alone(example: Example) -> None:
    example.files = (example.one,)


def licensed(example: Example) -> None:
    example.raw = (
        "system { host-name R2; }\nprotocols {\n    ##\n    ## Warning: requires 'bgp' license\n    ##\n"
        "    bgp { group g { neighbor 10.0.0.1; } }\n}\n"
        "interfaces { ge-0/0/0 { unit 0 { family inet { address 10.0.0.2/30; } } } }\n"
    )


TIGHT = generate(1, name="KC", count=2, first=T0, tolerance=60)
CLOSE = generate(1, name="KC", count=2, first=T0, interval=timedelta(minutes=15), tolerance=60)
HOUR = generate(1, name="KC", count=3, first=T0 - timedelta(hours=1), interval=timedelta(hours=1), tolerance=3600)

EXAMPLES: dict[str, Callable[[Example], Any]] = {
    "chain-on-one-end": without("authentication-algorithm", "authentication-key-chain"),
    "chain-missing": without("authentication-key-chain KC"),
    "authentication-algorithm-not-ao": without("authentication-algorithm"),
    "chain-not-defined": swap("authentication-key-chain KC", "authentication-key-chain KC-NEW"),
    "chain-not-used": lambda example: example.other.add(
        *(line.replace("key-chain KC", "key-chain OLD") for line in example.other.lines if "key-chains" in line)
    ),
    "md5-beside-chain": on(f'{NEIGHBOR} authentication-key "$9$abc"'),
    "allow-without-tcpao": on("set protocols bgp group g tcpao-auth-mismatch allow-without-tcpao"),
    "as-numbers-differ": swap("peer-as 65001", "peer-as 65009"),
    "group-types-differ": lambda example: example.one.swap("type external", "type internal"),
    "ends-do-not-match": swap("neighbor 10.0.0.1", "neighbor 10.0.0.9"),
    "both-ends-passive": passive,
    "session-down": swap("key 0 ao-attribute tcp-ao-option enabled", "key 0 ao-attribute tcp-ao-option disabled"),
    "rollover-not-hitless": swap("2030-1-1.00:30", "2030-1-1.00:45"),
    "skew-not-borne": lambda example: (chain_of(TIGHT)(example), ask(skew=timedelta(seconds=90))(example)),
    "key-too-old": lambda example: (chain_of(ONE)(example), ask(max_age=180 * DAY)(example)),
    "no-next-key": lambda example: (chain_of(ONE)(example), ask(within=30 * DAY)(example)),
    "secret-unknown": lambda example: setattr(
        example.other, "lines", [re.sub(r"secret \S+$", 'secret "<REMOVED>"; ## SECRET-DATA', line)
                                for line in example.other.lines]),
    "not-understood": on(f"{NEIGHBOR} authenticaton-algorithm ao"),
    "other-end-not-given": alone,
    "router-given-twice": old_copy,
    "ttl-not-judged": on("set protocols bgp group g ttl 255"),
    "bfd-not-judged": on("set protocols bgp group g bfd-liveness-detection minimum-interval 300"),
    "tcp-mss-not-judged": on("set protocols bgp tcp-mss 4096"),
    "graceful-restart-not-judged": on("set routing-options graceful-restart"),
    "ipsec-sa-not-judged": on("set protocols bgp group g ipsec-sa TO-R2"),
    "loopback-filter-not-judged": on(
        "set interfaces lo0 unit 0 family inet filter input P", "set firewall filter P term t from destination-port bgp"
    ),
    "license-not-judged": licensed,
    "duplicate-send-id": lambda example: example.one.swap("send-id 3", "send-id 1"),
    "duplicate-recv-id": lambda example: example.one.swap("recv-id 4", "recv-id 2"),
    "shared-id": lambda example: example.one.swap("send-id 3", "send-id 2"),
    "same-start-time": lambda example: [router.add(*key(2, 'start-time "2030-1-1.00:30:00 +0000"', "secret abc"))
                                       for router in (example.one, example.other)],
    "close-start-times": chain_of(CLOSE),
    "first-start-in-future": ask(at=T0 - DAY),
    "option-not-enabled": without("key 1 ao-attribute tcp-ao-option"),
    "algorithm-not-ao": without("key 1 algorithm"),
    "incomplete-key": without("key 1 start-time"),
    "long-secret": on(*key(1, f"secret {'a1' * 50}")),
    "secret-characters": on(*key(1, "secret abc!")),
    "too-many-keys": many_keys,
    "no-tolerance": swap("tolerance 600", "tolerance 0"),
    "no-keys": lambda example: example.other.without(" key ").without("tolerance").add(KC),
    "key-missing": without("key 1 "),
    "ids-not-reversed": lambda example: example.other
    .swap("key 1 ao-attribute send-id 4", "key 1 ao-attribute send-id 3")
    .swap("key 1 ao-attribute recv-id 3", "key 1 ao-attribute recv-id 4"),
    "secrets-differ": on(*key(1, "secret mistyped")),
    "algorithms-differ": on(*key(1, "ao-attribute cryptographic-algorithm aes-128-cmac-96")),
    "options-differ": swap("key 1 ao-attribute tcp-ao-option enabled", "key 1 ao-attribute tcp-ao-option disabled"),
    "start-times-apart": lambda example: (chain_of(HOUR)(example), swap("2030-1-1.01:00", "2030-1-1.03:00")(example)),
    "start-times-unequal": swap("2030-1-1.00:30:00", "2030-1-1.00:30:10"),
}  # fmt: skip
"""For each rule, changes a matching pair as the page's example says."""


@pytest.fixture
def example_of(pair: Callable[..., tuple[Router, Router]]) -> Callable[[str], Example]:
    """Return a function that makes the example of a rule."""

    def make(rule: str) -> Example:
        one, other = pair()
        example = Example(one, other, Question(AT))
        EXAMPLES[rule](example)
        return example

    return make


def test_the_page_has_every_rule_once_with_its_severity_and_sentence() -> None:
    assert {rule.id: (rule.severity.value, rule.sentence) for rule in RULES} == {
        name: (row["severity"], row["sentence"]) for name, row in ROWS.items()
    }
    assert list(ROWS) == [*EXAMPLES]


@pytest.mark.parametrize("rule", EXAMPLES)
def test_each_example_is_reported_by_its_rule_as_the_page_says(example_of: Callable[[str], Example], rule: str) -> None:
    example = example_of(rule)
    found = [finding for finding in example.report().findings if finding.rule.id == rule]
    assert {finding.severity.value for finding in found} == {ROWS[rule]["severity"]}
    messages = " ".join(finding.message for finding in found)
    texts = [words(text) for text, _ in example.texts]
    raw = "".join(text for text, _ in example.texts)
    for quoted in re.findall(r"`([^`]*)`", ROWS[rule]["example"]):
        if quoted.startswith(("--", "keyroll ")):
            continue  # the command line: the example's question is the same
        assert quoted in messages or quoted in raw or any(words(quoted) <= text for text in texts), quoted


def words(text: str) -> set[str]:
    return set(re.sub(r'[;{}"…]|\$9\$\S*', " ", text).split()) - {"secret", "<REMOVED>", "##", "SECRET-DATA"}


def test_the_prediction_on_the_page_is_the_one_that_is_printed(
    pair: Callable[..., tuple[Router, Router]], late: Keychain
) -> None:
    block = PAGE.partition("    2030-01-01 00:30:00 +0000 R1")
    shown = (block[1] + block[2].partition("\n\n")[0]).splitlines()
    one, other = pair(peer=late)
    printed = [click.unstyle(line) for line in text_of(judge([one.read(), other.read()], Question(AT)))]
    joined = " ".join(printed)
    for line in shown:
        text = line.strip().removesuffix("…").strip()
        assert " ".join(text.split()) in " ".join(joined.split()), text
