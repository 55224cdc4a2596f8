from __future__ import annotations

from ipaddress import ip_interface

from keyroll.emulator.contract.model import Intent, InterfaceState, Unit
from keyroll.emulator.frr.render import render
from keyroll.emulator.machine.kernel import interfaces


def test_a_disabled_interface_is_shut_down_and_enabled_again() -> None:
    unit = Unit("ge-0/0/0.0", (ip_interface("10.0.12.1/30"),), disabled=True)
    first, *_ = render(Intent("R1", units=(unit,)), ["ge-0-0-0"])
    assert (first.node, first.text, first.undo) == (("interface ge-0-0-0",), "shutdown", "no shutdown")
    assert "shutdown" not in [line.text for line in render(Intent("R1", units=(Unit("ge-0/0/0.0"),)), ["ge-0-0-0"])]


def test_an_interface_that_is_shut_down_has_no_link() -> None:
    shown = {"ge-0-0-0": {"administrativeStatus": "down"}}
    assert interfaces(shown) == [InterfaceState("ge-0/0/0", admin_up=False, link_up=False)]
