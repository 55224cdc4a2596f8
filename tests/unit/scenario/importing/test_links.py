"""The link of a session: a unit with a VLAN is played on that VLAN, and each parallel link on a VLAN of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from keyroll.cli.main import keyroll

CHAIN = "set security authentication-key-chains key-chain KC"
VLAN = "vlan-id"


def configuration(router: int, *links: tuple[str, int | None]) -> str:
    """Return a router whose links (unit, VLAN) have an IPv4 and an IPv6 session each, all on one chain."""
    peer = 3 - router
    lines = [f"set system host-name R{router}", f"set routing-options autonomous-system 6450{router}"]
    for number, (unit, vlan) in enumerate(links):
        interface, _, unit_number = unit.partition(".")
        port = f"set interfaces {interface} unit {unit_number}"
        lines += [f"{port} {VLAN} {vlan}"] if vlan else []
        lines.append(f"{port} family inet address 192.0.2.{number * 4 + router}/30")
        lines.append(f"{port} family inet6 address 2001:db8:{number}::{router}/64")
        for neighbor in (f"192.0.2.{number * 4 + peer}", f"2001:db8:{number}::{peer}"):
            group = f"set protocols bgp group g neighbor {neighbor}"
            lines += [f"{group} peer-as 6450{peer}", f"{group} authentication-algorithm ao"]
            lines.append(f"{group} authentication-key-chain KC")
    send = 1 if router == 1 else 2
    for word in ("secret sesame", 'start-time "2026-1-1.00:00:00 +0000"', "algorithm ao"):
        lines.append(f"{CHAIN} key 0 {word}")
    for word in (f"send-id {send}", f"recv-id {3 - send}", "tcp-ao-option enabled"):
        lines.append(f"{CHAIN} key 0 ao-attribute {word}")
    return "".join(f"{line}\n" for line in lines)


@pytest.fixture
def sessions(tmp_path: Path) -> Callable[..., tuple[list[dict[str, object]], str]]:
    """Return a function that imports two configurations, and returns the sessions and the text of the file."""

    def run(one: str, other: str, *words: str) -> tuple[list[dict[str, object]], str]:
        for name, text in (("1.conf", one), ("2.conf", other)):
            (tmp_path / name).write_text(text)
        output = tmp_path / "change.yaml"
        names = [str(tmp_path / name) for name in ("1.conf", "2.conf")]
        done = CliRunner().invoke(keyroll, ["import", *names, "--at", "2026-12-01T00:00Z", "-o", str(output), *words])
        assert done.exit_code == 0, done.output
        text = output.read_text()
        return yaml.safe_load(text)["sessions"], text

    return run


def on(*links: tuple[str, int | None]) -> tuple[str, str]:
    """Return the configurations of both routers with the same links."""
    return configuration(1, *links), configuration(2, *links)


def test_a_session_on_a_unit_with_a_vlan_is_played_on_that_vlan(
    sessions: Callable[..., tuple[list[dict[str, object]], str]],
) -> None:
    found, _ = sessions(*on(("ge-0/0/3.77", 100)))
    assert [(one["bgp"], one["family"], one["vlan"]) for one in found] == [
        ("v4-vlan100", "inet", 100),
        ("v6-vlan100", "inet6", 100),
    ]


def test_each_parallel_link_is_played_and_both_address_families_of_a_link_stay_together(
    sessions: Callable[..., tuple[list[dict[str, object]], str]],
) -> None:
    found, text = sessions(*on(("ge-0/0/0.0", None), ("ge-0/0/1.0", None), ("ae0.5", 2)))
    assert [(one["bgp"], one.get("vlan")) for one in found] == [
        *(("v4-link", None), ("v6-link", None)),
        *(("v4-vlan1", 1), ("v6-vlan1", 1)),
        *(("v4-vlan2", 2), ("v6-vlan2", 2)),
    ]
    assert text.count("a link of its own, played as a VLAN of the one link") == 2
    assert "another protected session is not played" not in text


def test_two_links_with_the_same_vlan_stay_two_links(
    sessions: Callable[..., tuple[list[dict[str, object]], str]],
) -> None:
    found, _ = sessions(*on(("ge-0/0/0.10", 10), ("ge-0/0/1.10", 10)))
    assert [one.get("vlan") for one in found] == [10, 10, None, None]


def test_a_vlan_that_only_one_end_tags_is_played(
    sessions: Callable[..., tuple[list[dict[str, object]], str]],
) -> None:
    found, _ = sessions(configuration(1, ("ge-0/0/0.0", None)), configuration(2, ("ge-0/0/0.30", 30)))
    assert [one.get("vlan") for one in found] == [30, 30]


def test_a_single_session_can_be_chosen(sessions: Callable[..., tuple[list[dict[str, object]], str]]) -> None:
    found, _ = sessions(*on(("ge-0/0/0.0", None), ("ge-0/0/1.9", 9)), "--session", "192.0.2.6")
    assert [one["bgp"] for one in found] == ["v4-vlan9"]
