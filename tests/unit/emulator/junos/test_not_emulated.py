"""Commands that only a real router has are refused as not emulated; other unknown words are syntax errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from keyroll.emulator.junos.shell.commands.configuration import CONFIGURATION
from keyroll.emulator.junos.shell.commands.operational import OPERATIONAL
from keyroll.emulator.junos.shell.pipes import PIPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.emulator.junos.conftest import Console, FullBackend

    from keyroll.emulator.junos.shell.grammar import Term


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("show chassis hardware", "show chassis"),
        ("sh chas hard", "show chassis"),
        ("show ospf neighbor | match Full", "show ospf"),
        ("show interfaces extensive", "show interfaces extensive"),
        ("show interfaces ge-0/0/0 extensive", "show interfaces interface-name extensive"),
        ("show interfaces", "show interfaces"),
        ("show route 10.0.0.0/8 detail", "show route destination detail"),
        ("show bgp group", "show bgp group"),
        ("show log jsrpd", "show log file"),
        ("show version | save /var/tmp/x", "save"),
        ("show configuration | display xml", "display xml"),
        ("start shell", "start"),
        ("traceroute 10.0.0.1", "traceroute"),
        ("request system snapshot", "request system snapshot"),
    ],
)
def test_a_command_that_only_a_real_router_has_is_refused_as_not_emulated(
    console: Console, line: str, named: str
) -> None:
    assert console.type(line) == f"error: not emulated: '{named}' (a real router has this command)"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("save backup.conf", "save"),
        ("wildcard delete interfaces ge-*", "wildcard"),
        ("rollback rescue", "rollback rescue"),
        ("load factory-default", "load factory-default"),
        ("load merge /var/tmp/x.conf", "load merge file"),
        ("commit at 10:00", "commit at"),
        ("run show chassis hardware", "run show chassis"),
        ("annotate system x", "annotate"),
    ],
)
def test_a_configuration_command_that_only_a_real_router_has_is_refused_as_not_emulated(
    console: Console, line: str, named: str
) -> None:
    console.type("configure")
    assert console.type(line) == f"error: not emulated: '{named}' (a real router has this command)"


@pytest.mark.parametrize(
    "line", ["show foo", "foo", "show route foo", "request", "clear bgp foo", "show version | foo"]
)
def test_an_unknown_word_gets_junos_own_error_message(console: Console, line: str) -> None:
    assert "not emulated" not in console.type(line)
    assert re.match(r"(unknown command|syntax error|invalid prefix)", console.type(line).splitlines()[-1])


def test_no_emulated_command_is_also_in_the_table_of_absent_commands() -> None:
    for terms in (OPERATIONAL, CONFIGURATION, PIPES):
        assert not [name for name in names(terms, hidden=True) if name in names(terms, hidden=False)]


def names(terms: Sequence[Term], *, hidden: bool, place: str = "") -> list[str]:
    """Return the paths of all hidden keywords, or of all others."""
    found = []
    for term in terms:
        path = f"{place} {term.name}"
        if term.hidden is hidden and term.value is None:
            found.append(path)
        found += names(term.children, hidden=hidden, place=path)
    return found


def test_ldp_runs_on_all_interfaces_but_the_disabled_one(console: Console, full: FullBackend) -> None:
    lines = [
        "set interfaces ge-0/0/0 unit 0 family inet address 10.0.12.1/30",
        "set protocols ldp interface all",
        "set protocols ldp interface fxp0.0 disable",
    ]
    assert console.type("configure", *lines, "commit").splitlines()[-1] == "commit complete"
    ldp = full.intents[-1].ldp
    assert ldp is not None
    assert [interface.name for interface in ldp.interfaces] == ["ge-0/0/0.0"]
    assert "fxp0.0 {\n    disable;" in console.type("show protocols ldp")
