"""The two routers of tests that use the scenario library without a lab."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv6Interface

from keyroll.junos.base_configuration import Plan
from keyroll.scenario.file.fields import RouterName

_NUMBERS: tuple[tuple[RouterName, int, int], ...] = (("R1", 65001, 1), ("R2", 65002, 2))
PLANS: dict[RouterName, Plan] = {
    name: Plan(
        name,
        asn,
        IPv4Interface(f"10.255.0.{number}/32"),
        "ge-0/0/0",
        IPv4Interface(f"10.0.12.{number}/30"),
        IPv6Interface(f"2001:db8:12::{number}/64"),
        IPv6Interface(f"2001:db8:255::{number}/128"),
    )
    for name, asn, number in _NUMBERS
}
