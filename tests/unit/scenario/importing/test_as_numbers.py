"""AS numbers and levels of authentication are kept from a scenario to its configurations and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.library_round_trip import OUTPUT, T0, configuration, imported, imported_files

from keyroll.scenario.file.fields import ROUTERS
from keyroll.scenario.file.read import Case, read_cases

FILE = """\
keyroll: 1
id: round
title: Round
as: {{R1: {own[0]}, R2: {own[1]}}}
sessions:
  - {{bgp: v4-link, local-as: {{R1: {local[0]}, R2: {local[1]}}}, authentication-at: {{R1: {at[0]}, R2: {at[1]}}}}}
  - {{bgp: v6-loopbacks, family: inet6, type: internal, between: loopbacks, local-as: 64999}}
keychain:
  name: chain
  keys:
    - {{id: 0, start: 0m}}
    - {{id: 1, start: 30m}}
steps:
  - apply: {{routers: [R1, R2]}}
  - expect: {{bgp: Established}}
"""
LEVELS = st.sampled_from(("neighbor", "group", "protocol"))
NUMBERS = st.one_of(st.integers(1, 65535), st.integers(65536, 4294967295))


def written(folder: Path, own: object, local: object, at: object) -> Case:
    path = folder / "file.yaml"
    path.write_text(FILE.format(own=own, local=local, at=at))
    return read_cases(path)[0]


def as_and_level(case: Case) -> dict[str, list[tuple[int | None, str]]]:
    """Return for each session the AS and the level of authentication of both routers."""
    scenario = case.scenario
    return {
        one.name: [(scenario.opened_with(one, router), one.level_of(router).value) for router in ROUTERS]
        for one in scenario.sessions
    }


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.tuples(NUMBERS, NUMBERS),
    st.tuples(NUMBERS, NUMBERS).filter(lambda both: both[0] != both[1]),
    st.tuples(LEVELS, LEVELS),
)
def test_as_numbers_and_levels_of_authentication_are_kept_by_the_round_trip(
    tmp_path: Path, own: tuple[int, int], local: tuple[int, int], at: tuple[str, str]
) -> None:
    case = written(tmp_path, own, local, at)
    kept, _ = imported(case, tmp_path, "--keep-names")
    assert kept.scenario.as_numbers == case.scenario.as_numbers
    assert as_and_level(kept) == as_and_level(case)


def test_private_ases_are_equal_where_the_real_ones_are_and_as_wide(tmp_path: Path) -> None:
    """The file may be given to others, and real AS numbers identify a network."""
    case = written(tmp_path, (3000, 4000), (70000, 3000), ("group", "protocol"))
    again, text = imported(case, tmp_path)
    assert again.scenario.as_numbers == {"R1": 64512, "R2": 64513}
    assert as_and_level(again) == {
        "v4-link": [(4200000000, "group"), (64512, "protocol")],
        "v6-loopbacks": [(64514, "neighbor"), (64514, "neighbor")],
    }
    assert not [number for number in ("3000", "4000", "70000") if number in text.split("keychain:")[0]]
    lines = (tmp_path / "R1.conf").read_text().splitlines()
    place = next(number for number, line in enumerate(lines, 1) if "autonomous-system" in line)
    assert f"# R1:{place} and R2:{place}, replaced by private ones" in text


def of_edited(case: Case, folder: Path, edit: Callable[[str], str]) -> tuple[Case, str]:
    """Edit each line of both configurations and import them; return the case and its text."""
    names = []
    for router in ROUTERS:
        lines = configuration(case, router).splitlines()
        names.append(str(folder / f"{router}.conf"))
        Path(names[-1]).write_text("".join(f"{edit(line)}\n" for line in lines))
    (again,) = imported_files(names, folder, T0)
    return again, (folder / OUTPUT).read_text()


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return written(tmp_path, (3000, 4000), (3000, 4000), ("group", "neighbor"))


def test_an_as_that_its_router_does_not_configure_is_taken_from_the_peer(case: Case, tmp_path: Path) -> None:
    again, _ = of_edited(case, tmp_path, lambda line: "" if "autonomous-system 3000" in line else line)
    assert again.scenario.as_numbers == {"R1": 64512, "R2": 64513}


@pytest.mark.parametrize(
    ("word", "instead", "why"),
    [
        ("autonomous-system|local-as|peer-as", None, "the configurations do not show those of both routers"),
        ("local-as 64999", "local-as 64998", "v6-loopbacks is internal, which the routers' ASes do not fit"),
    ],
)
def test_the_lab_uses_its_own_ases_if_those_of_the_routers_cannot_be_played_and_the_file_says_why(
    case: Case, tmp_path: Path, word: str, instead: str | None, why: str
) -> None:
    turn = iter((True, False, False, False))

    def edit(line: str) -> str:
        if not re.search(word, line):
            return line
        return "" if instead is None else line.replace(word, instead) if next(turn) else line

    again, text = of_edited(case, tmp_path, edit)
    assert (again.scenario.as_numbers, as_and_level(again)["v4-link"][0][0]) == ({}, None)
    assert f"# ASes are the lab's own: {why}" in text


def test_a_comment_gives_the_lines_of_the_statements_of_a_session(tmp_path: Path) -> None:
    _, text = imported(written(tmp_path, (3000, 4000), (5000, 4000), ("group", "protocol")), tmp_path)
    lines = [(tmp_path / f"{router}.conf").read_text().splitlines() for router in ROUTERS]
    local = lines[0].index("set protocols bgp group v4-link local-as 5000") + 1
    group = lines[0].index("set protocols bgp group v4-link authentication-key-chain chain") + 1
    protocol = lines[1].index("set protocols bgp authentication-key-chain chain") + 1
    (comment,) = [line for line in text.splitlines() if "bgp: v4-link" in line]
    assert comment.endswith(f", local-as R1:{local}, key-chain R1:{group} and R2:{protocol}")


def test_a_wrong_peer_as_is_reported_as_an_error_without_its_number(case: Case, tmp_path: Path) -> None:
    _, text = of_edited(case, tmp_path, lambda line: line.replace("peer-as 4000", "peer-as 4001"))
    (comment,) = [line for line in text.splitlines() if "not played, but an error in itself" in line]
    assert "R1 to <address> expects AS <number>, but R2 is AS <number> there" in comment
    assert not re.search(r"\b(3000|4000|4001)\b", text)


def test_statements_that_the_file_reproduces_are_not_counted_as_not_played(case: Case, tmp_path: Path) -> None:
    more = "\nset routing-options autonomous-system loops 2\nset protocols bgp group others type external"
    _, text = of_edited(case, tmp_path, lambda line: line + (more if "router-id" in line else ""))
    (counted,) = re.findall(r"# Not played of R1, by statements: (.*)", text)
    found = dict(one.rsplit(" ", 1) for one in counted.split(", "))
    lines = [line.split()[1:] for line in (tmp_path / "R1.conf").read_text().splitlines() if line]
    exports = [line for line in lines if line[:2] == ["protocols", "bgp"] and "export" in line]
    others = [line for line in lines if "others" in line and line[0] == "protocols"]
    assert int(found["protocols"]) == len(exports) + len(others)


def test_an_algorithm_at_another_level_than_its_chain_is_reported(case: Case, tmp_path: Path) -> None:
    again, text = of_edited(
        case, tmp_path, lambda line: line.replace("group v4-link authentication-algorithm", "authentication-algorithm")
    )
    assert as_and_level(again)["v4-link"][0] == (64512, "group")
    assert (
        "R1's authentication-algorithm is configured at the protocol, played where its key-chain is configured" in text
    )


SHARED = """\
keyroll: 1
id: shared
title: R1 has one chain for both sessions, R2 two
sessions: [{bgp: v4-link, authentication-at: {R1: protocol}}, {bgp: v6-link, family: inet6, chain: {R2: other}}]
keychain: {name: chain, keys: [{id: 0, start: 0m}]}
other-chains: [{name: other, secrets-of: chain, keys: [{id: 0, start: 0m}]}]
steps:
  - apply: {routers: [R1, R2]}
"""


def test_a_chain_of_the_protocol_that_becomes_two_is_configured_there_for_one_session_only(tmp_path: Path) -> None:
    path = tmp_path / "shared.yaml"
    path.write_text(SHARED)

    def edit(line: str) -> str:
        return (
            ""
            if "v6-link neighbor" in line
            and " authentication-" in line
            and line.endswith((" chain", " ao"))
            and "::2" in line
            else line
        )

    again, text = of_edited(read_cases(path)[0], tmp_path, edit)
    assert {one.name: one.level_of("R1").value for one in again.scenario.sessions} == {
        "v4-link": "protocol",
        "v6-link": "neighbor",
    }
    assert "R1's key-chain is configured at the protocol, played at the neighbor" in text
