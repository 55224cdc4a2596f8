"""The two routers that tests play the scenario library's files on, without a lab."""

from __future__ import annotations

from ipaddress import ip_interface

from keyroll.junos.base_configuration import Plan

PLANS = {
    name: Plan(
        name,
        asn,
        ip_interface(f"10.255.0.{number}/32"),
        "ge-0/0/0",
        ip_interface(f"10.0.12.{number}/30"),
        ip_interface(f"2001:db8:12::{number}/64"),
        ip_interface(f"2001:db8:255::{number}/128"),
    )
    for name, asn, number in (("R1", 65001, 1), ("R2", 65002, 2))
}
