"""Secrets are redacted in every place and form of a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.curly_text import curly

from keyroll.junos.redact import redact, secrets_in
from keyroll.keychain.junostext import Encoding, set_lines
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import SHOWN, Secret

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=126)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("set security … key 0 secret l4b start-time now", "set security … key 0 secret <secret> start-time now"),
        ('    secret "$9$kP5FCA0O1hqm6ApBSy"; ## SECRET-DATA', "    secret <secret>; ## SECRET-DATA"),
        ('+   secret "a b\\" c";', "+   secret <secret>;"),
        ('set x secret "never closed', "set x secret <secret>"),
        ("set system login encrypted-password $6$ab$cd/ef", "set system login encrypted-password <secret>"),
        ("set bgp group G authentication-key geheim", "set bgp group G authentication-key <secret>"),
        ("set protocols bgp group G authentication-key-chain c", None),
        ("    May not be configured with authentication-key\nerror: x", None),
        ("error: bad text $9$xk3NVYq.53/taZnCu1yrwYg4UHf5F/A0z3 here", "error: bad text <secret> here"),
        ('    some-new-statement "in clear"; ## SECRET-DATA', "    some-new-statement <secret>; ## SECRET-DATA"),
        ("key-chain c { key 0 { secret x; } }", "key-chain c { key 0 { secret <secret>; } }"),
    ],
)  # fmt: skip
def test_a_secret_is_redacted_by_the_statement_that_contains_it(text: str, shown: str | None) -> None:
    assert redact(text) == (text if shown is None else shown)


def test_a_known_secret_is_found_anywhere_but_a_short_one_only_as_a_word() -> None:
    assert redact("error: near 'hunter22'", [Secret("hunter22")]) == "error: near '<secret>'"
    assert redact("error: a bad apple 'a'", [Secret("a")]) == "error: <secret> bad apple '<secret>'"
    assert redact('near "q\\"q\\\\z"', [Secret('q"q\\z')]) == 'near "<secret>"'


def as_set_lines(secret: Secret, encoding: Encoding) -> str:
    return "\n".join(set_lines(Keychain("c", (Key(0, secret),)), encoding))


def as_curly(secret: Secret, encoding: Encoding) -> str:
    return curly([Keychain("c", (Key(0, secret),))], encoding)


@given(SECRETS)
def test_no_form_of_a_chain_shows_its_secret(text: str) -> None:
    secret, marker = Secret(text), Secret("Zq7-Zq7")
    for encoding in Encoding:
        for write in (as_set_lines, as_curly):
            shown = redact(write(secret, encoding))
            assert shown == redact(write(marker, encoding))
            assert "Zq7" not in shown
            if text not in SHOWN:  # a secret such as "secret" is found in its own placeholder
                assert redact(shown, [secret]) == redact(redact(shown, [secret]), [secret])


@given(SECRETS)
def test_a_secret_in_a_set_line_is_found(text: str) -> None:
    (line,) = [line for line in set_lines(Keychain("c", (Key(0, Secret(text)),))) if " secret " in line]
    assert secrets_in(line) == [Secret(text)]
