"""Texts that are not a Junos configuration, recognised by lines near their beginning."""

from __future__ import annotations

import re

from keyroll.patterns import compiled

_SEEN = 40_000
"""The characters of a text that are searched: the first lines show the vendor, and a text may be large."""

SIGNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.MULTILINE))
    for name, pattern in (
        (
            "a configuration of Cisco IOS XR",
            (
                r"^!! IOS XR|^RP/\d+/\S+:|^router bgp \d+\s*\n(?: .*\n)*? neighbor-group "
                r"|^router bgp \d+\s*\n(?: .*\n)*? neighbor \S+\s*\n  remote-as \d|^tcp ao\s*\n keychain "
            ),
        ),
        (
            "a configuration of Arista EOS",
            r"^! device: .*EOS|^! Command: show running-config|^! boot system flash:.*EOS|^router bgp \d+\s*\n   \S",
        ),
        (
            "a configuration of FRR",
            r"^frr version |^frr defaults |^! FRR|^hostname .*\nlog file .*frr|^router bgp \d+\s*\n(?: .*\n)+exit\s*$",
        ),
        (
            "a configuration of Nokia SR OS",
            r"^# TiMOS-|^exit all\s*$|^/configure |^configure \{\s*$",
        ),
        ("a configuration of Nokia SR Linux", r"^(?:set / )?network-instance \S+ (?:\{|protocols )"),
        ("a configuration of BIRD", r"^\s*protocol (?:bgp|device|kernel|direct|static)\b[^;]*\{|^router id [\d.]+;"),
        ("a configuration of OpenBGPD", r"^AS \d+\s*$|^\s*tcp md5sig "),
        (
            "a configuration of VyOS or EdgeOS",
            (
                r"vyos-config-version|^\s*system-as \d|^\s+bgp \d+ \{|^\s*neighbor \S+ \{\s*\n(?:.*\n)??\s+remote-as \d"
                r"|^set protocols bgp (?:\d+ )?(?:\S+ )*(?:system-as|remote-as) |^set protocols bgp \d+ neighbor "
                r"|^set interfaces (?:ethernet|wireguard|bonding|openvpn) |^# Version: +VyOS|^ +ethernet eth\d+ \{"
            ),
        ),
        ("a configuration of Cisco NX-OS", r"^!Command: show running-config|^feature (?:bgp|ospf|interface-vlan)\s*$"),
        (
            "a configuration of Cisco IOS or IOS XE",
            (
                r"^Building configuration\.\.\.|^Current configuration : \d+ bytes|^version \d+\.\d+\s*$"
                r"|^router bgp \d+\s*$|^key chain \S+ tcp\s*$|^hostname \S+\s*\n!"
            ),
        ),
        ("a configuration of Huawei VRP", r"^#\r?\n ?sysname |^!Software Version V\d|^sysname \S+\s*$"),
        ("a configuration of MikroTik RouterOS", r"^/routing bgp |^# .* by RouterOS"),
        (
            "a configuration of PAN-OS",
            (
                r"^set (?:deviceconfig|network virtual-router) |^\s*localhost\.localdomain \{"
                r"|^(?:deviceconfig|mgt-config) \{"
            ),
        ),
        ("a configuration of FortiOS", r"^#config-version=|^config (?:system|router|firewall|vpn) \S+\s*$"),
        ("a configuration of F5 BIG-IP", r"^(?:ltm|net|sys) [\w-]+ /Common/|^#TMSH-VERSION"),
    )
)
"""Names of other vendors' systems, with lines that no Junos configuration has."""
_COMPARE = r"^\[edit[^\]\n]*\]\r?\n(?:[ \t]*[-+!][ \t].*|[ \t]{2,}\S.*[;{}])$"
_CHANGED = r"^[-+!][ \t]{1,}\S"


def make_of(text: str) -> str | None:
    """Return what a text is if it is another vendor's configuration, or a comparison; else None."""
    start = text[:_SEEN]
    if "[edit" in start and all(compiled(pattern, re.MULTILINE).search(start) for pattern in (_COMPARE, _CHANGED)):
        return "the output of `show | compare`, not a configuration"
    return next((name for name, pattern in SIGNS if pattern.search(start)), None)
