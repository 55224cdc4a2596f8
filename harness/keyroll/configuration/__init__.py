"""Junos configurations as people have them: one reader, sessions and key chains. Pure: no I/O, no clock.

    configuration = read(text, "R1.conf")

    configuration.findings            # what is not known: Finding(kind, message, where, path)
    configuration.doubts              # of these, what stands where sessions and chains do: one may be hidden there
    for router in configuration.routers:              # the main router, then its logical systems
        for chain in router.chains:                   # keychain (keyroll.keychain), place(), doubts, secrets_unknown
            ...
        for session in router.sessions:               # kind, router, instance, peer, authentication, doubts, where, …
            if session.authentication.ao:             # `authentication-algorithm ao` and a chain are in force
                router.chain(session.authentication.chain.value)      # None: the chain is not defined

    ends = match([router for one in configurations for router in one.routers])
    ends.links                        # Link(one, other, one_address, other_address): two ends of one session
    ends.singles                      # Single(session, reason, router): what has no other end among the routers

**Unknown is not a value.** A finding bears on what stands at its level, above it and below it. Sessions and chains
carry the findings that bear on them as `doubts`: while there is one, nothing that is said of the session is sure, and
nothing about it is green. A secret that the text does not tell is `Secret.unknown`; compare secrets with
`Secret.compare`, which has three answers. `==` on an unknown secret raises.

`read(text, name, base=configuration)` reads `set` and `delete` lines upon what is there. Text of another make,
or that is no configuration, raises ConfigurationError, which says what it is.

Where a statement stands twice, or groups bring it, the value in force is Junos': `View` looks it up
(`configuration.view("protocols", "bgp")`), for any statement: `leaf`, `values`, `names`, `below`.

    statements, words        what a statement is; the words that Junos has, as data
    hierarchy                the levels that they make up
    console, text            lines of a terminal; curly text and set lines to one tree
    tree, levels             the tree of words; abbreviations, unknown words
    inheritance              groups, looked up
    bearing                  which findings bear on which level
    placeholders             what stands where a secret was
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
