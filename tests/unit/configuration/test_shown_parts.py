"""Terminal logs whose commands show a part of the configuration: the rest is unknown."""

from __future__ import annotations

import pytest

from keyroll.configuration import Configuration, Kind, read
from keyroll.configuration.usage import lint_usage

CHAIN = """\
set security authentication-key-chains key-chain IX key 2 secret "late train"
set security authentication-key-chains key-chain IX key 2 algorithm ao
"""
BGP = """\
set protocols bgp group ix authentication-key-chain IX
set protocols bgp group ix authentication-algorithm ao
set protocols bgp group ix neighbor 203.0.113.7
"""


def log(command: str, output: str) -> Configuration:
    return read(f"ops@edge> {command}\n{output}\nops@edge> exit\n", "log")


@pytest.mark.parametrize(
    "command",
    [
        "show configuration | display set",
        "sh conf | d set",
        "show config | display set | no-more",
        'show configuration | display set | match "bgp|key-chain"',
    ],
)
def test_a_command_that_shows_all_statements_gives_no_finding(command: str) -> None:
    configuration = log(command, CHAIN + BGP)
    assert configuration.findings == ()
    (session,) = configuration.main.sessions
    assert session.authentication.ao


@pytest.mark.parametrize(
    "pipe",
    ["match 203.0.113", "except algorithm", "find bgp", "last 20", 'match "neighbor|key-chain"', "exc algorithm"],
)
def test_a_command_that_leaves_lines_out_leaves_its_sessions_in_doubt(pipe: str) -> None:
    configuration = log(f"show configuration | display set | {pipe}", CHAIN + BGP)
    assert {one.kind for one in configuration.findings} == {Kind.OMITTED}
    assert all(session.doubts for session in configuration.main.sessions)


@pytest.mark.parametrize(
    "command", ["show configuration protocols bgp | display set", "show configuration | display set | match bgp"]
)
def test_a_chain_that_was_not_shown_is_not_reported_as_undefined(command: str) -> None:
    configuration = log(command, BGP)
    assert [one.kind for one in configuration.findings] == [Kind.OMITTED]
    assert all(session.doubts for session in configuration.main.sessions)
    assert lint_usage(configuration) == []


def test_chains_that_were_shown_without_sessions_give_no_finding() -> None:
    assert log("show configuration security | display set", CHAIN).findings == ()
    assert log("show configuration | display set | match key-chains", CHAIN).findings == ()


def test_parts_that_are_shown_by_several_commands_are_one_configuration() -> None:
    shown = [("security", CHAIN), ("protocols", BGP)]
    text = "".join(f"ops@edge> show configuration {level} | display set\n{lines}\n" for level, lines in shown)
    assert read(text, "log").findings == ()


def test_json_numbers_with_a_unit_and_without_quotes_are_read() -> None:
    group = '{"name" : "ix", "neighbor" : [{"name" : "203.0.113.7"}]}'
    text = (
        '{"configuration" : {"system" : {"syslog" : {"archive" : {"size" : 3m, "files" : 20}}},\n'
        f' "protocols" : {{"bgp" : {{"group" : [{group}]}}}}}}}}'
    )
    configuration = read(text, "reply")
    assert configuration.findings == ()
    assert len(configuration.main.sessions) == 1


def test_one_neighbor_in_two_spellings_is_a_conflict() -> None:
    neighbors = "neighbor 2001:DB8::7 { passive; } neighbor 2001:db8:0::7; neighbor 2001:db8::8;"
    text = f"protocols {{ bgp {{ group ix {{ {neighbors} }} }} }}"
    assert [one.kind for one in read(text, "text").findings] == [Kind.CONFLICT]
