"""Texts that are no Junos configuration: what they are, by their own first words."""

from __future__ import annotations

import re

_SEEN = 40_000
"""Characters that are looked at: what a text is stands at its beginning."""

SIGNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.MULTILINE))
    for name, pattern in (
        (
            "a configuration of Cisco IOS XR",
            r"^!! IOS XR|^RP/\d+/\S+:|^(?:router bgp \d+\n(?: .*\n)*? neighbor-group )",
        ),
        (
            "a configuration of Arista EOS",
            r"^! device: .*EOS|^! Command: show running-config|^! boot system flash:.*EOS",
        ),
        ("a configuration of FRR", r"^frr version |^frr defaults |^! FRR|^hostname .*\nlog file .*frr"),
        (
            "a configuration of Nokia SR OS",
            r"^# TiMOS-|^exit all\s*$|^/configure |^configure \{\s*\n\s+(?:router|system|port|log)\b",
        ),
        ("a configuration of BIRD", r"^\s*protocol (?:bgp|device|kernel|direct|static)\b[^;]*\{|^router id [\d.]+;"),
        ("a configuration of VyOS", r"vyos-config-version|^\s*system-as \d|^\s*remote-as \d"),
        ("a configuration of Cisco NX-OS", r"^!Command: show running-config|^feature (?:bgp|ospf|interface-vlan)\s*$"),
        (
            "a configuration of Cisco IOS or IOS XE",
            (
                r"^Building configuration\.\.\.|^Current configuration : \d+ bytes|^version \d+\.\d+\s*$"
                r"|^router bgp \d+\s*$|^key chain \S+ tcp\s*$"
            ),
        ),
        ("a configuration of Huawei VRP", r"^#\r?\n ?sysname |^!Software Version V\d"),
        ("a configuration of MikroTik RouterOS", r"^/routing bgp |^# .* by RouterOS"),
    )
)
"""Names of other makes, and lines that no Junos configuration has."""
_COMPARE = re.compile(r"^\[edit[^\]\n]*\]\r?\n(?:[ \t]*[-+!][ \t].*|[ \t]{2,}\S.*[;{}])$", re.MULTILINE)
_CHANGED = re.compile(r"^[-+!][ \t]{1,}\S", re.MULTILINE)


def make_of(text: str) -> str | None:
    """Return what a text is that is another make's, or a comparison; None where nothing says so."""
    start = text[:_SEEN]
    if _COMPARE.search(start) and _CHANGED.search(start):
        return "the output of `show | compare`, not a configuration"
    return next((name for name, pattern in SIGNS if pattern.search(start)), None)
