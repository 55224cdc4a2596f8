"""Faults of two configurations are reported: in the file, without router names, or as the error of the import."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.scenario.importing.test_import import AT, FIRST, SECOND, configuration, key, lion, tiger

from keyroll.cli.main import keyroll
from keyroll.errors import InputError

CHAIN = "security authentication-key-chains key-chain SECRETNAME"
NEIGHBOR = "protocols bgp group peers neighbor 10.9.0.1"


def written(folder: Path, one: str, other: str, *words: str) -> str:
    """Import two configurations; return what the command prints."""
    (folder / "one.conf").write_text(one)
    (folder / "other.conf").write_text(other)
    names = [str(folder / "one.conf"), str(folder / "other.conf")]
    result = CliRunner().invoke(keyroll, ["import", *names, "--at", AT, *words], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.output


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (f"set {CHAIN} key 1 secret kx7-typed", "key 1 of R1 and key 1 of R2 have different secrets (R2:"),
        (f"set {CHAIN} key 1 ao-attribute send-id 9", "use send-id 4 and recv-id 3 here"),
        (
            f"set {CHAIN} key 1 ao-attribute cryptographic-algorithm aes-128-cmac-96",
            "hmac-sha-1-96 there, aes-128-cmac-96 here",
        ),
        (f'set {CHAIN} key 1 start-time "2027-1-15.09:00:00 +0000"', "more than the tolerance of 3600 s"),
        (f"delete {CHAIN} key 1", "key 1 (send-id 3 and recv-id 4) has no counterpart on R2"),
        (f"deactivate {CHAIN} key 1", "key 1 (send-id 3 and recv-id 4) has no counterpart on R2"),
        (f"set {CHAIN} key 1 ao-attribute tcp-ao-option disabled", "tcp-ao-option"),
        (f"set {CHAIN} key 0 secret kx7-typed", "R1 sends with key 0 (KeyID 1), and these segments are dropped"),
    ],
)
def test_the_file_states_the_fault_without_names_of_the_routers(tmp_path: Path, more: str, message: str) -> None:
    text = written(tmp_path, lion(), tiger() + f"{more}\n")
    head = text.partition("keyroll: 1")[0]
    assert message in head
    assert "SECRETNAME" not in text
    assert "lion" not in text
    assert "kx7-typed" not in text


def test_unequal_clocks_are_named_with_their_rollover(tmp_path: Path) -> None:
    text = written(tmp_path, lion(), tiger(), "--skew", "-2h")
    apart = "the clocks are further apart than the tolerances allow"
    assert f"not hitless under 8 of 16 mixes of policies with R2's clock 2h behind: {apart}" in text


def test_the_step_of_a_rollover_says_why_it_is_not_hitless(tmp_path: Path) -> None:
    tolerance = f"set {CHAIN} tolerance 0\n"
    text = written(tmp_path, lion(more=tolerance), tiger(more=tolerance))
    assert "not hitless under 7 of 16 mixes of policies: R" in text
    assert "not accept that key" in text


def test_times_are_not_hidden_as_addresses_and_addresses_before_a_colon_are(tmp_path: Path) -> None:
    text = written(tmp_path, lion(), tiger() + f'set {CHAIN} key 1 start-time "2027-1-15.09:00:00 +0000"\n')
    assert "key 1 of R1 starts at 2027-1-15.02:00:00 +0100" in text
    text = written(tmp_path, lion(more="set protocols bgp group peers multipath\n"), tiger())
    assert "BGP R1 to <address>: multipath" in text


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (f"set {NEIGHBOR} authentication-key-chain WRONG", "key-chain WRONG is not defined"),
        (
            f"delete {NEIGHBOR} authentication-algorithm\ndelete {NEIGHBOR} authentication-key-chain",
            "BGP lion to 10.9.0.2 is protected with TCP-AO, but the other end, BGP tiger to 10.9.0.1, is not",
        ),
        ("delete protocols bgp group peers", "tiger has that address but has no BGP session with an address of lion"),
    ],
)
def test_the_reason_is_given_if_no_session_can_be_played(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(InputError, match="is protected with TCP-AO at both ends: ") as caught:
        written(tmp_path, lion(), tiger() + f"{more}\n")
    assert message in str(caught.value)


def test_sessions_without_authentication_are_distinguished_from_no_sessions(tmp_path: Path) -> None:
    bare = (f"delete protocols bgp group peers neighbor 10.9.0.{peer}" for peer in (2, 1))
    texts = [f"{text}{line} authentication-algorithm\n{line} authentication-key-chain\n"
             for text, line in zip((lion(), tiger()), bare, strict=True)]  # fmt: skip
    with pytest.raises(InputError, match="the sessions between them have no TCP-AO at either end"):
        written(tmp_path, *texts)
    with pytest.raises(InputError, match="they share no session"):
        written(tmp_path, "set system host-name lion\n", "set system host-name tiger\n")


TWO = """\
set interfaces ge-0/0/1 unit 0 family inet address 10.9.9.{own}/24
set protocols bgp group more neighbor 10.9.9.{peer} peer-as 64501
set protocols bgp group more neighbor 10.9.9.{peer} authentication-algorithm ao
set protocols bgp group more neighbor 10.9.9.{peer} authentication-key-chain SECRETNAME
"""


def test_a_session_that_cannot_be_played_beside_one_that_can_is_reported_as_an_error(tmp_path: Path) -> None:
    bare = TWO.format(own=2, peer=1).split("\n", 2)
    text = written(tmp_path, lion(more=TWO.format(own=1, peer=2)), tiger(more="\n".join(bare[:2]) + "\n"))
    assert "#   - not played, but an error in itself: BGP R1 to <address> is protected with TCP-AO" in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("set protocols bgp group peers multipath", "BGP R1 to <address>: multipath is configured"),
        ("set protocols bgp mtu-discovery", "BGP R1 to <address>: mtu-discovery is configured"),
        ("set system internet-options path-mtu-discovery", "R1: path-mtu-discovery is configured"),
        ("set routing-options nonstop-routing", "nonstop-routing is configured"),
        ("set protocols bgp group peers neighbor 10.9.0.2 tcp-mss 1000", "tcp-mss is configured"),
        ("set protocols bgp group peers ttl 255", "ttl is configured"),
    ],
)
def test_a_statement_that_may_change_the_verdict_is_reported_with_its_line(
    tmp_path: Path, line: str, message: str
) -> None:
    text = written(tmp_path, lion(more=f"{line}\n"), tiger())
    (found,) = [one for one in text.splitlines() if message in one]
    assert found.endswith("(R1:7)")


def test_names_of_instances_are_left_out_unless_requested(tmp_path: Path) -> None:
    """The file may be given to others, and such names may identify customers."""
    more = (
        "set routing-instances yellow instance-type virtual-router\nset routing-instances yellow interface ge-0/0/0.0\n"
    )
    routers = (
        configuration("lion", "10.9.0.1", "10.9.0.2", keys=key(0, *FIRST), more=more),
        configuration("tiger", "10.9.0.2", "10.9.0.1", keys=key(0, FIRST[0], 2, 1), more=more),
    )
    moved = [text.replace("set protocols bgp", "set routing-instances yellow protocols bgp") for text in routers]
    hidden, kept = written(tmp_path, *moved), written(tmp_path, *moved, "--keep-names")
    assert "the session is in routing instance <name>, and is played in the main one" in hidden
    assert "yellow" not in hidden
    assert "instance yellow" in kept
    assert f"# R1 is lion ({tmp_path / 'one.conf'})." in kept
    assert str(tmp_path) not in hidden


def test_a_planned_key_is_distinguished_from_lines_of_the_saved_configuration(tmp_path: Path) -> None:
    (tmp_path / "c1.set").write_text(key(2, SECOND[0].replace("1-15", "4-15"), 5, 6))
    text = written(tmp_path, lion(), tiger(), "--change", f"R1={tmp_path / 'c1.set'}")
    assert "held-by: R1}  # R1 planned:1" in text
    assert "keyroll check finds wrong:" in text
    assert "key 2 (send-id 5 and recv-id 6) has no counterpart on R2" in text


def test_a_commit_from_md5_to_tcp_ao_is_played_with_the_rollovers_after_it(tmp_path: Path) -> None:
    words = []
    texts = []
    for name, text, peer in (("lion", lion(), "10.9.0.2"), ("tiger", tiger(), "10.9.0.1")):
        ao = [line for line in text.splitlines() if " authentication-" in line]
        neighbor = f"protocols bgp group peers neighbor {peer} authentication-key"
        texts.append("".join(f"{line}\n" for line in text.splitlines() if line not in ao) + f"set {neighbor} old\n")
        (tmp_path / f"{name}.set").write_text("\n".join([f"delete {neighbor}", *ao]) + "\n")
        words += ["--change", f"{name}={tmp_path / name}.set"]
    text = written(tmp_path, *texts, *words)
    assert "# keyroll check predicts: the commit turns TCP-AO on, and each session is reset once" in text
    assert "2027-01-15T01:00:00+00:00: keyroll check predicts: hitless under all policies" in text
    assert "change-chain" not in text
    with pytest.raises(InputError, match="is protected with TCP-AO, but the other end, BGP tiger"):
        written(tmp_path, *texts, *words[:2])
