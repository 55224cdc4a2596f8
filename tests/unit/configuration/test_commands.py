"""Commands that change statements of earlier set lines: delete, deactivate, rename, in full and abbreviated."""

from __future__ import annotations

import pytest

from keyroll.configuration import Configuration, Kind, read

LINES = """\
set security authentication-key-chains key-chain EDGE key 1 secret "summer rain"
set security authentication-key-chains key-chain EDGE key 1 algorithm ao
set protocols bgp group east type external
set protocols bgp group east authentication-key-chain EDGE
set protocols bgp group east authentication-algorithm ao
set protocols bgp group east neighbor 198.51.100.1
set protocols bgp group east neighbor 198.51.100.14
"""


def after(command: str) -> Configuration:
    return read(f"{LINES}{command}\n", "typed")


def peers(configuration: Configuration) -> list[str]:
    return [str(session.peer) for session in configuration.main.sessions]


@pytest.mark.parametrize(
    "command",
    [
        "delete protocols bgp group east neighbor 198.51.100.1",
        "delete prot bgp grou east neig 198.51.100.1",
        "deactivate prot bgp grou east neighbor 198.51.100.1",
        "set prot bgp grou east neig 198.51.100.1\ndelete protocols bgp group east neighbor 198.51.100.1",
        "edit prot bgp grou east\ndelete neig 198.51.100.1",
    ],
)
def test_a_neighbor_is_deleted_also_by_abbreviated_words(command: str) -> None:
    configuration = after(command)
    assert peers(configuration) == ["198.51.100.14"]
    assert configuration.findings == ()


def test_a_level_is_entered_also_by_abbreviated_words() -> None:
    configuration = after("edit prot bgp grou west\nset neig 203.0.113.1\nup\nset grou west authentication-key-ch EDGE")
    assert configuration.findings == ()
    assert [one.authentication.chain is not None for one in configuration.main.sessions] == [True] * 3


def test_a_level_whose_last_entry_is_deleted_gives_no_finding() -> None:
    configuration = after("".join(f"delete protocols bgp group east neighbor 198.51.100.{n}\n" for n in (1, 14)))
    assert peers(configuration) == []
    assert configuration.findings == ()


def test_a_statement_whose_value_is_deleted_is_deleted() -> None:
    configuration = after("delete protocols bgp group east type external")
    assert configuration.main.sessions[0].type is None
    assert configuration.findings == ()


def test_the_tag_delete_removes_its_statement() -> None:
    text = "interfaces { xe-0/0/0 { unit 0 { family inet { address 192.0.2.1/31; } } delete: unit 0; } }\n"
    configuration = read(text, "loaded")
    assert configuration.main.all_addresses() == frozenset()
    assert configuration.findings == ()


def test_a_chain_that_is_renamed_by_abbreviated_words_keeps_its_keys() -> None:
    configuration = after("rename sec authentication-key-ch key-chain EDGE to key-chain CORE")
    (chain,) = configuration.main.chains
    assert (chain.name, [key.id for key in chain.keychain.keys]) == ("CORE", [1])


@pytest.mark.parametrize(
    "command",
    [
        "delete protocols bgp group east nieghbor 198.51.100.1",
        "delete protocols bgp gr east neighbor 198.51.100.1",
        "delete protocls bgp",
    ],
)
def test_a_delete_of_an_unknown_statement_gives_a_finding(command: str) -> None:
    configuration = after(command)
    assert [(one.kind, one.where.line) for one in configuration.findings] == [(Kind.NOT_UNDERSTOOD, 8)]
    assert all(session.doubts for session in configuration.main.sessions)


def test_a_delete_of_a_statement_that_was_never_set_gives_no_finding() -> None:
    assert after("delete protocols bgp group west neighbor 203.0.113.1").findings == ()


@pytest.mark.parametrize("name", ["apply-groups", "apply-groups-except", "apply-macro"])
def test_a_chain_that_is_named_like_a_statement_is_unknown_and_not_undefined(name: str) -> None:
    configuration = read(LINES.replace("EDGE", name), "named")
    assert [one.kind for one in configuration.findings] == [Kind.NOT_UNDERSTOOD]
    assert all(session.doubts for session in configuration.main.sessions)


def test_a_chain_whose_name_only_begins_like_a_statement_is_read() -> None:
    configuration = read(LINES.replace("EDGE", "apply-edge").replace("east", "apply-east"), "named")
    assert [chain.name for chain in configuration.main.chains] == ["apply-edge"]
    assert [session.group for session in configuration.main.sessions] == ["apply-east", "apply-east"]
    assert configuration.findings == ()
