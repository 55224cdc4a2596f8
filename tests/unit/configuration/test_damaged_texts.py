"""A damaged configuration is never green, in any form."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from tests.unit.configuration.four_forms import SECRET, SECRETS, Statement, forms, leaf, level

from keyroll.configuration import Configuration, ConfigurationError, Kind, match, read
from keyroll.configuration.usage import lint_ends, lint_usage, subject_of
from keyroll.keychain.lint import lint
from keyroll.keychain.lint_pair import lint_pair
from keyroll.keychain.rules import Severity

KEY = level(
    "key",
    leaf("secret", SECRET),
    leaf("start-time", "2025-1-1.00:00:00 +0000"),
    leaf("algorithm", "ao"),
    level(
        "ao-attribute",
        leaf("send-id", "11"),
        leaf("recv-id", "12"),
        leaf("tcp-ao-option", "enabled"),
        leaf("cryptographic-algorithm", "aes-128-cmac-96"),
    ),
    name="4",
)
MIRROR = {"11": "12", "12": "11", "192.0.2.1": "192.0.2.2", "192.0.2.2": "192.0.2.1", "192.0.2.1/30": "192.0.2.2/30"}


def router(*, turned: bool = False) -> tuple[Statement, ...]:
    """Return the configuration of one end of a protected session; with `turned`, of the other end."""
    whole = (
        level("system", leaf("host-name", "edge")),
        level("security", level("authentication-key-chains", level("key-chain", KEY, name="PEER"))),
        level(
            "interfaces",
            level(
                "interface",
                level("unit", level("family", level("inet", level("address", name="192.0.2.1/30"))), name="0"),
                name="xe-0/0/0",
            ),
        ),
        level(
            "protocols",
            level(
                "bgp",
                level(
                    "group",
                    leaf("description", "upstream"),
                    leaf("authentication-algorithm", "ao"),
                    leaf("authentication-key-chain", "PEER"),
                    level("neighbor", leaf("description", "west"), name="192.0.2.2"),
                    name="up",
                ),
            ),
        ),
    )
    return mirrored(whole) if turned else whole


def mirrored(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
    return tuple(
        replace(
            one,
            name=one.name and MIRROR.get(one.name, one.name),
            value=one.value and MIRROR.get(one.value, one.value),
            below=None if one.below is None else mirrored(one.below),
        )
        for one in statements
    )


NEAR = forms(router())
NEAR["transcript"] = "\n".join(
    [
        "ops@edge> show configuration | display set",
        *NEAR["set"].splitlines()[:6],
        "---(more 60%)---\r                 \r" + NEAR["set"].splitlines()[6],
        *NEAR["set"].splitlines()[7:],
        "",
        "ops@edge> ",
    ]
)
NEAR["relative"] = "\n".join(
    [
        "[edit security authentication-key-chains key-chain PEER]",
        *(
            line.replace("security authentication-key-chains key-chain PEER ", "")
            for line in NEAR["set"].splitlines()[1:8]
        ),
        "[edit]",
        *NEAR["set"].splitlines()[:1],
        *NEAR["set"].splitlines()[8:],
    ]
)
FAR = read(forms(router(turned=True))["curly"], "far")


def green(configuration: Configuration) -> bool:
    """Say whether everything that is judged about the session and its chains is known and correct."""
    if configuration.doubts or any(one.doubts for router in configuration.routers for one in router.sessions):
        return False
    links = match([*configuration.routers, *FAR.routers]).links
    if len(links) != 1 or not (links[0].one.authentication.ao and links[0].other.authentication.ao):
        return False
    near, far = configuration.main.chain("PEER"), FAR.main.chain("PEER")
    if near is None or far is None or near.doubts:
        return False
    subjects = subject_of(near, "near"), subject_of(far, "far")
    findings = [*lint(subjects[0]), *lint_pair(*subjects), *lint_usage(configuration), *lint_ends(links)]
    return not any(finding.severity is Severity.ERROR for finding in findings)


@pytest.mark.parametrize("form", NEAR)
def test_the_whole_configuration_is_green_in_every_form(form: str) -> None:
    assert green(read(NEAR[form], "near"))


HARMLESS = re.compile(r"description|host-name|ops@edge|^\s*\d*-*\(?more|^$|^\[edit\]$|name\W+xe-0/0/0")
"""Lines that do not affect the session."""
NAMED = re.compile(r"xe-0/0/0|\bup\b|upstream|west|edge\b|\b0\b|configuration\b|display|show|router")
"""Words that are freely chosen names, or belong to a terminal."""


def same_meaning(form: str, line: str, mutation: str, word: str | None) -> bool:
    """Say whether the damaged text may still mean the same, by the kind of damage."""
    if HARMLESS.search(line):
        return True
    if mutation == "double":
        # A repeated statement changes nothing, but a line that opens or closes a level is not a statement.
        return form in {"set", "transcript", "relative"} or not re.search(r"[{}<\[\]]\s*,?$", line) or form == "xml"
    return mutation == "word" and word is not None and NAMED.search(word) is not None


MUTATIONS = st.sampled_from(["cut", "double", "word", "glue"])


def damaged(data: DataObject, text: str) -> tuple[str, str, str, str | None]:
    lines = text.split("\n")
    number = data.draw(st.integers(0, len(lines) - 1))
    mutation = data.draw(MUTATIONS)
    line = lines[number]
    word: str | None = None
    if mutation == "cut":
        del lines[number]
    elif mutation == "double":
        lines.insert(number, line)
    elif mutation == "glue":
        lines[number : number + 2] = [" ".join(lines[number : number + 2])]
    else:
        words = list(re.finditer(r"[\w./:+-]+", line))
        if words:
            found = data.draw(st.sampled_from(words))
            word = found[0]
            lines[number] = line[: found.start()] + "zzq" + line[found.end() :]
        else:
            mutation = "none"
    return "\n".join(lines), line, mutation, word


def read_or_refused(text: str) -> Configuration | None:
    """Return the configuration, or None if a named error refuses the text. No output shows a secret."""
    try:
        configuration = read(text, "near")
        output = [str(one) for one in configuration.findings]
        match([*configuration.routers, *FAR.routers])
        output += [str(one) for chain in configuration.main.chains for one in lint(subject_of(chain, "near"))]
        output += [repr(router) for router in configuration.routers]
    except ConfigurationError as error:
        output, configuration = [str(error), repr(error)], None
    for secret in SECRETS:
        assert secret in names_of(configuration) or not any(secret in one for one in output), secret
    return configuration


def names_of(configuration: Configuration | None) -> str:
    """Return all names in a text. If damage removed `key 4 secret`, the secret looks like a name, and may be shown."""
    if configuration is None:
        return ""
    routers = configuration.routers
    chains = [chain.name for router in routers for chain in router.chains]
    sessions = [f"{one.instance} {one.group} {one.peer}" for router in routers for one in router.sessions]
    used = [one.authentication.chain.value for router in routers for one in router.sessions if one.authentication.chain]
    return " ".join(
        [*chains, *sessions, *used, *(router.name for router in routers), *configuration.tree.get("groups", ())]
    )


def check_damaged_line(data: DataObject, form: str) -> None:
    text, line, mutation, word = damaged(data, NEAR[form])
    configuration = read_or_refused(text)
    if mutation not in {"glue", "none"} and configuration is not None and green(configuration):
        assert same_meaning(form, line, mutation, word), (form, mutation, line, word)


FORMS = st.sampled_from(sorted(NEAR))


def check_damaged_text(data: DataObject, form: str) -> None:
    text = NEAR[form]
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, min(len(text), begin + 30)))
        text = (
            text[:begin]
            + data.draw(st.text(max_size=6) | st.sampled_from(['"', "{", "}", ";", "[", "/*", "\\"]))
            + text[end:]
        )
    read_or_refused(text)


@given(st.data())
@settings(max_examples=60)
def test_a_damaged_line_of_the_session_or_its_chain_is_never_green(data: DataObject) -> None:
    check_damaged_line(data, data.draw(FORMS))


@given(st.data())
@settings(max_examples=40)
def test_a_damaged_text_gives_a_named_error_or_a_finding_and_no_secret(data: DataObject) -> None:
    check_damaged_text(data, data.draw(FORMS))


@pytest.mark.slow
@pytest.mark.parametrize("form", sorted(NEAR))
@given(data=st.data())
@settings(max_examples=10_000)
def test_many_damaged_lines_are_never_green(form: str, data: DataObject) -> None:
    check_damaged_line(data, form)


@pytest.mark.slow
@pytest.mark.parametrize("form", sorted(NEAR))
@given(data=st.data())
@settings(max_examples=7_000)
def test_many_damaged_texts_give_a_named_error_or_a_finding_and_no_secret(form: str, data: DataObject) -> None:
    check_damaged_text(data, form)


@given(st.text())
@settings(max_examples=40)
def test_any_text_is_read_or_gives_a_named_error(text: str) -> None:
    read_or_refused(text)


@pytest.mark.parametrize(
    "statement",
    [
        'secret "$9$aaaa" secret "$9$bbbb"',
        "algorithm ao algorithm md5",
        "start-time 2026-1-1.00:00 start-time 2027-1-1.00:00",
    ],
)
def test_a_repeated_statement_without_a_semicolon_gives_a_finding(statement: str) -> None:
    word = statement.split(maxsplit=1)[0]
    text = f"security {{ authentication-key-chains {{ key-chain a {{ key 0 {{ {statement}; }} }} }} }}"
    output = [str(one) for one in read(text, "near").findings]
    assert any(f"'{word}' does not end: a ';' is missing" in one for one in output)
    assert any(f"'{word}' has more than one value here" in one for one in output)
    assert "bbbb" not in "".join(output)


def test_a_comment_typed_at_a_prompt_changes_nothing() -> None:
    text = "ops@R1# set system host-name R1\nops@R1# # before the change\nops@R1# # set system host-name R2\n"
    read_text = read(text, "near")
    assert read_text.host == "R1"
    assert read_text.findings == read(text.splitlines()[0], "near").findings


def test_a_finding_has_the_line_of_the_damage() -> None:
    text = NEAR["curly"].replace("authentication-algorithm ao;", "authentication-algorithm aoo;")
    (finding,) = read(text, "near").findings
    assert finding.kind is Kind.INVALID_VALUE
    assert NEAR["curly"].split("\n")[(finding.where.line or 0) - 1].strip() == "authentication-algorithm ao;"
