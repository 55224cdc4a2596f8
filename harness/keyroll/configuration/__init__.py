"""Junos configurations as people have them: one reader, sessions and key chains. Pure: no I/O, no clock.

    configuration = read(text, "R1.conf")

    configuration.findings            # what could not be determined: Finding(kind, message, where, path)
    configuration.doubts              # those at levels of sessions and chains, where one may be missing
    for router in configuration.routers:              # the main router, then its logical systems
        for chain in router.chains:                   # keychain (keyroll.keychain), place(), doubts, secrets_unknown
            ...
        for session in router.sessions:               # kind, router, instance, peer, authentication, doubts, where, …
            if session.authentication.ao:             # `authentication-algorithm ao` and a chain are in force
                router.chain(session.authentication.chain.value)      # None: the chain is not defined

    ends = match([router for one in configurations for router in one.routers])
    ends.links                        # Link(one, other, one_address, other_address): two ends of one session
    ends.singles                      # Single(session, reason, router): sessions without another end

**Unknown is not a value.** A finding affects what is configured at its level, above it and below it. Sessions and
chains have the findings that affect them as `doubts`: with any doubt, no statement about the session is certain, and no
check of it passes. A secret that the text does not show is `Secret.unknown`; compare secrets with `Secret.compare`,
which has three answers. `==` on an unknown secret raises.

`read(text, name, base=configuration)` applies `set` and `delete` lines to another configuration. Text of another
vendor, or that is not a configuration, raises ConfigurationError, which says what it is.

If a statement occurs twice, or comes from groups, `View` returns the value that is in force in Junos
(`configuration.view("protocols", "bgp")`): `leaf`, `values`, `names`, `below`.

    statements, words        the description of statements; the statement names of Junos, as data
    hierarchy                the levels that are made of them
    forms, documents         XML, JSON or lines; XML and JSON to one tree
    console, text            lines of a terminal; curly text and set lines to one tree
    tree, levels             the tree of words; abbreviations and unknown words resolved
    inheritance              the values in force, with configuration groups
    findings_by_path         which findings affect which level
    placeholders             texts in place of removed secrets
    chains, sessions         the two views
    addresses                addresses, and the networks that they are on
    zones                    a router's own time-zone, for start-times that name none
    routers, ends, reading   logical systems and addresses; which sessions belong together; `read`
"""

from keyroll.configuration.chains import Chain
from keyroll.configuration.findings import ConfigurationError, Finding, Kind, Path
from keyroll.configuration.inheritance import Lookup, Value, View
from keyroll.configuration.placeholders import secret_of
from keyroll.configuration.reading import Configuration, read
from keyroll.configuration.routers import Router, addresses_of
from keyroll.configuration.session_ends import Alone, Ends, Link, Single, match
from keyroll.configuration.sessions import Authentication, PeerKind, Placed, Session
from keyroll.configuration.tree import Node
from keyroll.configuration.zones import in_own_zone, zone_named, zone_of

__all__ = [
    "Alone",
    "Authentication",
    "Chain",
    "Configuration",
    "ConfigurationError",
    "Ends",
    "Finding",
    "Kind",
    "Link",
    "Lookup",
    "Node",
    "Path",
    "PeerKind",
    "Placed",
    "Router",
    "Session",
    "Single",
    "Value",
    "View",
    "addresses_of",
    "in_own_zone",
    "match",
    "read",
    "secret_of",
    "zone_named",
    "zone_of",
]
