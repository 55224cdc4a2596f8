"""`routing-options`."""

from __future__ import annotations

from harness.emulator.junos.schema import container, entry, flag, leaf
from harness.emulator.junos.values import Address, AsNumber, Prefix

ROUTING_OPTIONS = container(
    "routing-options",
    "Protocol-independent routing option configuration",
    container(
        "static",
        "Static routes",
        entry(
            "route",
            "Static route",
            Prefix(),
            leaf("next-hop", "Next hop to destination", Address(), exclusive="target"),
            flag("discard", "Drop packets to destination; send no ICMP unreachables", exclusive="target"),
            one_line=True,
        ),
    ),
    leaf("router-id", "Router identifier", Address(4)),
    leaf("autonomous-system", "Autonomous system number", AsNumber()),
)
