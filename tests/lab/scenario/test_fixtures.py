"""The pytest plugin's fixtures on a lab."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from keyroll.capture import count_packets
from keyroll.instants import SYSTEM, until
from keyroll.junos.base_configuration import Plan, base_configuration
from keyroll.junos.records import SecurityKeychain
from keyroll.junos.session import RouterSession
from keyroll.keychain.junostext import set_lines
from keyroll.keychain.model import Keychain
from keyroll.lab.protocol import Lab, Router
from keyroll.names import SessionKind
from keyroll.scenario.record.result import Result, Verdict

pytestmark = pytest.mark.lab
FIRST_PACKETS = timedelta(seconds=60)
"""Longest time from the commits to the session's first captured packets: 2 s on an idle machine."""
POLL = timedelta(seconds=0.1)
"""Interval between two checks of the capture's length."""


def plan_of(router: Router) -> Plan:
    assert isinstance(router.loopback, IPv4Interface)
    port = router.ports[0]
    return Plan(router.name, router.asn, router.loopback, port.interface, port.ipv4)


def test_a_router_accepts_a_generated_chain_and_shows_it(r1: RouterSession, keychains: Mapping[str, Keychain]) -> None:
    r1.configure(set_lines(keychains["R1"]))
    r1.commit()
    shown = r1.show("show security keychain").parsed
    assert isinstance(shown, SecurityKeychain)
    assert shown.chain("new_auth_key").name == "new_auth_key"


def test_the_next_test_gets_routers_without_the_chain_of_the_one_before(r1: RouterSession) -> None:
    assert r1.ask_secret("show configuration security").strip() == ""


def test_the_wire_is_captured_while_the_lab_is_up(
    lab: Lab, routers: Mapping[str, RouterSession], keychains: Mapping[str, Keychain], capture: Mapping[str, Path]
) -> None:
    plans = {name: plan_of(router) for name, router in lab.routers.items()}
    before = count_packets(capture["R1"])
    for name, session in routers.items():
        peer = plans["R2" if name == "R1" else "R1"]
        chain = keychains[name]
        lines = base_configuration(plans[name], peer, sessions=[SessionKind.BGP], chain=chain.name)
        session.configure([*lines, *set_lines(chain)])
        session.commit()
    deadline = SYSTEM.now() + FIRST_PACKETS
    assert until(SYSTEM, lambda: count_packets(capture["R1"]) > before or None, deadline=deadline, poll=POLL)


@pytest.mark.slow
def test_run_scenario_plays_a_scenario_from_python(
    run_scenario: Callable[..., Result], pytestconfig: pytest.Config
) -> None:
    path = pytestconfig.rootpath / "tests" / "scenarios" / "rollover" / "two-keys.yaml"
    result = run_scenario(path)
    assert result.verdict is Verdict.PASSED, result.red
    assert (result.folder / "lab" / "R1.pcap").stat().st_size > 1000
