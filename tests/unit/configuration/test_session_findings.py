"""Which findings a session carries, with many of both."""

from __future__ import annotations

from keyroll.configuration import Configuration, read

HEAD = "set groups OVERLAY protocols bgp group <RR-*> typo 1\nset protocols bgp apply-groups OVERLAY\n"


def sessions(text: str) -> dict[str, list[str]]:
    """Return, for each session's group, the lines of the findings that it carries."""
    return {
        session.group or "": [str(finding.where) for finding in session.doubts] for session in _read(text).main.sessions
    }


def _read(text: str) -> Configuration:
    return read(text, "text")


def test_a_finding_bears_on_its_level_and_what_stands_above_and_below_it() -> None:
    found = sessions(
        "set protocols bgp group A neighbor 192.0.2.1\n"
        "set protocols bgp group B neighbor 192.0.2.2\n"
        "set protocols bgp group A neighbor 192.0.2.1 typo\n"
        "set protocols bgp group B typo\n"
        "set protocols bgp typo\n"
        "set protocols ldp typo\n"
    )
    assert found == {"A": ["text:3", "text:5"], "B": ["text:4", "text:5"]}


def test_a_finding_in_a_group_bears_on_the_names_that_its_wildcard_stands_for() -> None:
    found = sessions(
        HEAD
        + "set protocols bgp group RR-EAST neighbor 192.0.2.1\n"
        + "set protocols bgp group TRANSIT neighbor 192.0.2.2\n"
    )
    assert found == {"RR-EAST": ["text:1"], "TRANSIT": []}


def test_a_group_that_is_applied_elsewhere_brings_no_finding() -> None:
    text = HEAD.replace("set protocols bgp apply-groups", "set protocols ldp apply-groups")
    assert sessions(text + "set protocols bgp group RR-EAST neighbor 192.0.2.1\n") == {"RR-EAST": []}


def test_sessions_that_carry_the_same_findings_share_them() -> None:
    lines = [f"set protocols typo{number} 1\n" for number in range(200)]
    lines += [f"set protocols bgp group G{number} neighbor 192.0.2.{number}\n" for number in range(200)]
    carried = [session.doubts for session in _read("".join(lines)).main.sessions]
    assert len(carried) == 200
    assert len(carried[0]) == 200
    assert len({id(doubts) for doubts in carried}) == 1
