"""`policy-options`, as far as announcing and filtering routes needs it."""

from __future__ import annotations

from harness.emulator.junos.schema import Statement, container, entry, flag, leaf, values
from harness.emulator.junos.values import InterfaceName, OneOf, Prefix, Text, Word, one_of

_PROTOCOLS = one_of(
    bgp="BGP",
    direct="Directly connected routes",
    ldp="LDP",
    local="Local system addresses",
    static="Statically defined addresses",
)
_MATCHES: OneOf = one_of(
    exact="Exactly match the prefix length",
    longer="Mask is greater than the prefix length",
    orlonger="Mask is greater than or equal to the prefix length",
)
_FROM = container(
    "from",
    "Conditions to match the source of a route",
    values("protocol", "Protocol from which route was learned", _PROTOCOLS),
    values("interface", "Interface name or address", InterfaceName(logical=True)),
    values("prefix-list", "List of prefix-lists of routes to match", Word()),
    entry(
        "route-filter",
        "List of routes to match",
        Prefix(),
        *(flag(choice.name, choice.help, exclusive="match") for choice in _MATCHES.choices),
        leaf("upto", "Mask falls between two values", Word(4, r"/\d{1,3}"), exclusive="match"),
        one_line=True,
    ),
    one_line=True,
)
_THEN = container(
    "then",
    "Actions to take if 'from' and 'to' conditions match",
    flag("accept", "Accept a route", exclusive="flow"),
    flag("reject", "Reject a route", exclusive="flow"),
    leaf(
        "next",
        "Skip to next policy or term",
        one_of(policy="Next policy", term="Next term"),
        exclusive="flow",
    ),
    one_line=True,
)


def _term(*statements: Statement) -> Statement:
    return entry("term", "Policy term", Word(64), *statements)


POLICY_OPTIONS = container(
    "policy-options",
    "Policy option configuration",
    entry("prefix-list", "Define a named set of address prefixes", Word(), entry("", "Prefix", Prefix())),
    entry(
        "policy-statement",
        "Routing policy",
        Text(1, 255, r".*\s.*", "Must be a string of 255 characters or less with no spaces"),
        _term(_FROM, _THEN),
        _FROM,
        _THEN,
    ),
)
