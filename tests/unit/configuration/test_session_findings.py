"""Which findings of a text belong to which session."""

from __future__ import annotations

from keyroll.configuration import Configuration, read

HEAD = "set groups OVERLAY protocols bgp group <RR-*> typo 1\nset protocols bgp apply-groups OVERLAY\n"


def sessions(text: str) -> dict[str, list[str]]:
    """Return, by the session's group, the places of the findings that belong to the session."""
    return {
        session.group or "": [str(finding.where) for finding in session.doubts] for session in _read(text).main.sessions
    }


def _read(text: str) -> Configuration:
    return read(text, "text")


def test_a_finding_belongs_to_the_sessions_at_above_and_below_its_level() -> None:
    found = sessions(
        "set protocols bgp group A neighbor 192.0.2.1\n"
        "set protocols bgp group B neighbor 192.0.2.2\n"
        "set protocols bgp group A neighbor 192.0.2.1 typo\n"
        "set protocols bgp group B typo\n"
        "set protocols bgp typo\n"
        "set protocols ldp typo\n"
    )
    assert found == {"A": ["text:3", "text:5"], "B": ["text:4", "text:5"]}


def test_a_finding_in_an_applied_group_belongs_to_the_sessions_that_its_wildcard_matches() -> None:
    found = sessions(
        HEAD
        + "set protocols bgp group RR-EAST neighbor 192.0.2.1\n"
        + "set protocols bgp group TRANSIT neighbor 192.0.2.2\n"
    )
    assert found == {"RR-EAST": ["text:1"], "TRANSIT": []}


def test_a_finding_in_a_group_that_is_applied_elsewhere_belongs_to_no_session() -> None:
    text = HEAD.replace("set protocols bgp apply-groups", "set protocols ldp apply-groups")
    assert sessions(text + "set protocols bgp group RR-EAST neighbor 192.0.2.1\n") == {"RR-EAST": []}


def test_sessions_with_the_same_findings_share_one_tuple() -> None:
    lines = [f"set protocols typo{number} 1\n" for number in range(200)]
    lines += [f"set protocols bgp group G{number} neighbor 192.0.2.{number}\n" for number in range(200)]
    found = [session.doubts for session in _read("".join(lines)).main.sessions]
    assert len(found) == 200
    assert len(found[0]) == 200
    assert len({id(doubts) for doubts in found}) == 1
