"""A configuration gives the same sessions, chains and findings in each of its four forms."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.configuration.four_forms import SECRETS, Statement, curly, forms, leaf, level, set_lines

from keyroll.configuration import ConfigurationError, read
from keyroll.configuration.reading import Configuration
from keyroll.configuration.sessions import Placed

NAMES = st.sampled_from(["A", "B", "CORE-1", "CORE-2", "ix"])
ADDRESSES = st.sampled_from(["192.0.2.2", "192.0.2.6", "198.51.100.3", "2001:db8::2", "nonsense"])
CHAIN_NAMES = st.sampled_from(["KA", "KB"])
FLAGS = st.booleans()


def some(draw: st.DrawFn, *choices: Statement) -> tuple[Statement, ...]:
    """Return a random selection of the statements."""
    return tuple(one for one in choices if draw(FLAGS))


@st.composite
def authentication(draw: st.DrawFn) -> tuple[Statement, ...]:
    algorithm = draw(st.sampled_from(["ao", "ao", "hmac-sha-1-96", "bogus"]))
    return some(
        draw,
        leaf("authentication-algorithm", algorithm, inactive=draw(FLAGS)),
        leaf("authentication-key-chain", draw(CHAIN_NAMES)),
        leaf("authentication-key", draw(st.sampled_from(SECRETS))),
        leaf("tcpao-auth-mismatch", "allow-without-tcpao"),
    )


@st.composite
def bgp_groups(draw: st.DrawFn, names: st.SearchStrategy[str] = NAMES) -> tuple[Statement, ...]:
    found = []
    for name in draw(st.lists(names, max_size=2, unique=True)):
        neighbors = [
            level(
                "neighbor",
                *draw(authentication()),
                *some(draw, leaf("peer-as", "64501")),
                name=peer,
                inactive=draw(FLAGS),
            )
            for peer in draw(st.lists(ADDRESSES, max_size=2, unique=True))
        ]
        found.append(
            level(
                "group",
                *draw(authentication()),
                *some(
                    draw,
                    leaf("type", draw(st.sampled_from(["internal", "external", "sideways"]))),
                    leaf("local-address", "192.0.2.1"),
                    Statement("export", values=("P1", "P2")),
                    Statement("passive"),
                    level("family", level("inet", Statement("unicast"))),
                    Statement("allow", values=("198.51.100.0/24",)),
                    leaf("hold-time", draw(st.sampled_from(["30", "0", "x"]))),
                    Statement("apply-groups", values=("G1",)),
                    leaf("bogus-word", "7"),
                ),
                *neighbors,
                name=name,
            )
        )
    return tuple(found)


@st.composite
def keys(draw: st.DrawFn) -> Statement:
    number = draw(st.sampled_from(["1", "2", "70"]))
    return level(
        "key",
        *some(
            draw,
            leaf("secret", draw(st.sampled_from([*SECRETS, "<removed>"]))),
            leaf("start-time", draw(st.sampled_from(["2025-1-1.00:00:00 +0000", "2025-13-1.00:00"]))),
            leaf("algorithm", "ao"),
            level(
                "ao-attribute", leaf("send-id", "1"), *some(draw, leaf("recv-id", draw(st.sampled_from(["2", "900"]))))
            ),
        ),
        name=number,
    )


@st.composite
def protocols(draw: st.DrawFn, names: st.SearchStrategy[str] = NAMES) -> Statement:
    bgp = level(
        "bgp",
        *draw(authentication()),
        *some(draw, Statement("apply-groups", values=tuple(draw(st.permutations(["G1", "G2"]))))),
        *draw(bgp_groups(names)),
    )
    ldp = level("ldp", level("session", leaf("authentication-algorithm", "ao"), name="192.0.2.9"))
    return level("protocols", bgp, *some(draw, ldp))


@st.composite
def configurations(draw: st.DrawFn) -> tuple[Statement, ...]:
    wild = st.sampled_from(["<*>", "<CORE-*>", "<[AB]>", "A", "CORE-1"])
    groups = [
        level("groups", draw(protocols(wild)), name=name)
        for name in draw(st.sets(st.sampled_from(["G1", "G2", "re0"])))
    ]
    chains = [
        level("key-chain", *draw(st.lists(keys(), max_size=2, unique_by=lambda key: key.name)), name=name)
        for name in draw(st.sets(CHAIN_NAMES))
    ]
    address = level("address", name="192.0.2.1/24")
    interface = level("interface", level("unit", level("family", level("inet", address)), name="0"), name="ge-0/0/0")
    return (
        *groups,
        *some(draw, Statement("apply-groups", values=("G1",)), Statement("apply-groups", values=("re0",)))[:1],
        level("security", level("authentication-key-chains", *chains)),
        level("interfaces", interface),
        level("routing-options", leaf("autonomous-system", "64500")),
        draw(protocols()),
        level("routing-instances", level("instance", draw(protocols()), name="red")),
    )


def meaning(configuration: Configuration) -> tuple[object, ...]:
    """Return the sessions, chains and findings of a configuration, without places."""

    def bare(placed: Placed[Any] | None) -> tuple[str, str | None] | None:
        return None if placed is None else (str(placed.value), placed.group)

    sessions = [
        (
            one.kind, one.router, one.instance, one.group, str(one.peer), str(one.local), one.type, one.local_as,
            one.peer_as,
            bare(one.hold_time), one.families, one.multihop, one.passive, bare(one.authentication.algorithm),
            bare(one.authentication.chain), one.authentication.md5 is None, bare(one.authentication.without_ao),
            sorted((doubt.kind.value, doubt.message) for doubt in one.doubts),
        )
        for router in configuration.routers for one in router.sessions
    ]  # fmt: skip
    chains = [
        (
            chain.name,
            [(key.id, key.send_id, key.recv_id, key.start, key.scheme, str(key.secret)) for key in chain.keychain.keys],
        )
        for chain in configuration.main.chains
    ]
    findings = sorted((one.kind.value, one.message, one.path) for one in configuration.findings)
    return sorted(map(repr, sessions)), chains, findings


def check_forms(statements: tuple[Statement, ...]) -> None:
    found = {form: meaning(read(text, "router")) for form, text in forms(statements).items()}
    assert found["set"] == found["curly"]
    assert found["xml"] == found["curly"]
    assert found["json"] == found["curly"]


@given(configurations())
@settings(max_examples=12)
def test_the_four_forms_give_the_same_sessions_chains_and_findings(statements: tuple[Statement, ...]) -> None:
    check_forms(statements)


@pytest.mark.slow
@given(configurations())
@settings(max_examples=2_000)
def test_many_configurations_give_the_same_in_the_four_forms(statements: tuple[Statement, ...]) -> None:
    check_forms(statements)


WORDS = st.sampled_from(
    [
        "protocols",
        "bgp",
        "group",
        "neighbor",
        "type",
        "zz1",
        "zz2",
        "system",
        "policy-options",
        "then",
        "a b",
        "x;y",
        "7",
    ]
)
TREES = st.recursive(
    st.builds(Statement, WORDS, value=st.none() | WORDS)
    | st.builds(lambda word, value: Statement(word, values=(value, value + "2")), WORDS, WORDS),
    lambda inner: st.builds(
        lambda word, name, below: Statement(word, name=name, below=tuple(below)),
        WORDS, st.none() | WORDS, st.lists(inner, min_size=1, max_size=4),
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(TREES, min_size=1, max_size=4))
@settings(max_examples=25)
def test_set_and_curly_give_the_same_word_paths(trees: list[Statement]) -> None:
    text = "\n".join(curly(tuple(trees)))
    assume(not re.search(r"\bbgp \d", text))  # VyOS writes an AS like this, so the curly form is refused as VyOS's
    try:
        one = read(text, "x")
    except ConfigurationError as error:
        with pytest.raises(ConfigurationError, match=re.escape(error.message)):
            read("\n".join(set_lines(tuple(trees))), "x")
        return
    other = read("\n".join(set_lines(tuple(trees))), "x")
    assert sorted(one.tree.paths()) == sorted(other.tree.paths())
