"""The interfaces and addresses of a lab's routers, for each platform."""

from __future__ import annotations

from ipaddress import IPv4Interface

import pytest

from keyroll.lab.platforms import PLATFORMS, Platform
from keyroll.lab.protocol import Port, Router
from keyroll.scenario.labs.addressing import Addressing


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=lambda platform: platform.name)
def test_protocols_use_the_interface_name_of_the_platform(platform: Platform) -> None:
    """cRPD configures protocols on the port itself, the other platforms on its unit 0."""
    port = platform.ports.interface(f"eth{platform.ports.first}")
    routers = {
        name: Router(
            *(name, "127.0.0.1", 22, "admin", "made-up", platform.name, 65000 + number),
            *(IPv4Interface(f"10.255.0.{number}/32"), None, (Port(port, IPv4Interface(f"10.0.12.{number}/30")),)),
        )
        for number, name in enumerate(("R1", "R2"), start=1)
    }
    plan = Addressing.of(routers, "inet").plans["R1"]
    assert plan.interface == port
    assert plan.protocol_interface == (port if platform.name == "crpd" else f"{port}.0")
