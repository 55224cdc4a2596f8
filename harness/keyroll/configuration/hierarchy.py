"""The levels that determine sessions and key chains, made of the words in `words`, and paths through them.

Nothing is judged below levels that are marked opaque.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from keyroll.configuration import words
from keyroll.configuration.statements import Level, Shape, Statement, Statements, holding, keyed, kinds

META = frozenset(("apply-groups", "apply-groups-except", "apply-macro", "apply-flags"))
"""Statements that Junos accepts at every level."""


_LOCAL_AS = Statement(
    Shape.LEAF, options=frozenset(("loops", "private", "alias", "no-prepend-global-as", "independent-domain"))
)
_AUTHENTICATION = "authentication-algorithm authentication-key authentication-key-chain tcpao-auth-mismatch"

AO = Level("ao-attribute", kinds(leaf="send-id recv-id tcp-ao-option cryptographic-algorithm"))
KEY = Level(
    "key",
    {
        **kinds(leaf="secret key-name start-time algorithm fallback options"),
        "ao-attribute": holding(AO),
    },
)
CHAIN = Level("key-chain", {**kinds(leaf="description tolerance"), "key": keyed(KEY)})
CHAINS = Level("authentication-key-chains", {"key-chain": keyed(CHAIN)})
SECURITY = Level("security", {**words.SECURITY, "authentication-key-chains": holding(CHAINS)})

NEIGHBOR = Level("neighbor", {**words.BGP_ANYWHERE, "local-as": _LOCAL_AS})
DYNAMIC_NEIGHBOR = Level(
    "dynamic-neighbor",
    {**kinds(leaf=f"{_AUTHENTICATION} peer-limit", values="allow", opaque="peer-auto-discovery")},
)
GROUP = Level(
    "group",
    {
        **words.BGP_ANYWHERE,
        **words.BGP_GROUP,
        "local-as": _LOCAL_AS,
        "neighbor": keyed(NEIGHBOR),
        "dynamic-neighbor": keyed(DYNAMIC_NEIGHBOR),
    },
)
BGP = Level("bgp", {**words.BGP_ANYWHERE, **words.BGP_TOP, "local-as": _LOCAL_AS, "group": keyed(GROUP)})
SESSION = Level("session", words.LDP_SESSION)
SESSION_GROUP = Level("session-group", words.LDP_SESSION)
LDP = Level("ldp", {**words.LDP, "session": keyed(SESSION), "session-group": keyed(SESSION_GROUP)})
PROTOCOLS = Level("protocols", {**words.PROTOCOLS, "bgp": holding(BGP), "ldp": holding(LDP)})

ROUTING_OPTIONS = Level(
    "routing-options",
    {
        **words.ROUTING_OPTIONS,
        "autonomous-system": Statement(
            Shape.LEAF, options=frozenset(("loops", "asdot-notation", "independent-domain"))
        ),
    },
    judged=False,
)
FAMILY_INET = Level("inet", {**words.INET, "address": Statement(Shape.OPAQUE)}, judged=False)
FAMILY_INET6 = Level("inet6", {**words.INET6, "address": Statement(Shape.OPAQUE)}, judged=False)
FAMILY = Level("family", {**words.FAMILIES, "inet": holding(FAMILY_INET), "inet6": holding(FAMILY_INET6)}, judged=False)
UNIT = Level("unit", {**words.UNIT, "family": holding(FAMILY)}, judged=False)
INTERFACE = Level("interface", {**words.INTERFACE, "unit": keyed(UNIT)}, judged=False)
INTERFACES = Level("interfaces", words.INTERFACES, names=holding(INTERFACE))
INSTANCE = Level(
    "routing-instance",
    {
        **words.INSTANCE,
        "interface": Statement(Shape.OPAQUE),
        "protocols": holding(PROTOCOLS),
        "routing-options": holding(ROUTING_OPTIONS),
    },
)
INSTANCES = Level("routing-instances", {}, names=holding(INSTANCE))
_ROUTER: Statements = {
    "protocols": holding(PROTOCOLS),
    "routing-options": holding(ROUTING_OPTIONS),
    "routing-instances": holding(INSTANCES),
    "interfaces": holding(INTERFACES),
    "security": holding(SECURITY),
}
LOGICAL_SYSTEM = Level("logical-system", {**words.LOGICAL_SYSTEM, **_ROUTER})
_SYSTEMS = holding(Level("logical-systems", {}, names=holding(LOGICAL_SYSTEM)))
_TOP: Statements = {**words.ROOT, **_ROUTER, "logical-systems": _SYSTEMS, "tenants": _SYSTEMS}
GROUP_BODY = Level("a configuration group", {**_TOP, "when": Statement(Shape.OPAQUE)})
ROOT = Level("the configuration", {**_TOP, "groups": holding(Level("groups", {}, names=holding(GROUP_BODY)))})


CHAINS_PATH: tuple[str, ...] = ("security", "authentication-key-chains")
DECIDING: tuple[tuple[str, ...], ...] = (("protocols", "bgp"), ("protocols", "ldp"), CHAINS_PATH)
"""The levels of a router or a routing instance that contain sessions and key chains."""
SYSTEMS = ("logical-systems", "tenants")
"""Levels whose entries are separate routers."""


def steps(path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield a path's words level by level, as `up` counts them: `("group", "A")` is one step."""
    level: Level | None = ROOT
    rest = list(path)
    while rest:
        word = rest.pop(0)
        statement = level.find(word) if level is not None else None
        named = statement is not None and statement.shape is Shape.KEYED and rest
        yield (word, rest.pop(0)) if named else (word,)
        level = statement.below if statement is not None else None


def container_of(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the level whose content `show configuration PATH` prints; for a leaf, the level that it is in."""
    return path[:-1] if path and path[-1] in META else level_of(path)


def level_of(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the path of the level that a statement is in: a leaf and its value are cut off.

    A path below an opaque level is not cut.
    """
    level: Level | None = ROOT
    at = 0
    while level is not None and at < len(path):
        statement = level.find(path[at])
        if statement is None or statement.shape in {Shape.LEAF, Shape.VALUES, Shape.FLAG}:
            return path[:at]
        if statement.shape is Shape.OPAQUE:
            return path
        taken = 2 if statement.shape is Shape.KEYED else 1
        if at + taken > len(path):
            return path[:at]
        level, at = statement.below, at + taken
    return path


def same_statements(one: Collection[str], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the words of `one` that mean the last word of `path`: itself, and other abbreviations of its statement."""
    *above, word = path
    level = _level_at(tuple(above))
    full = level.written_out(word) if level is not None else word
    if level is None or full not in level.statements:
        # A name or a value: there may be thousands of others, none of which is an abbreviation.
        yield from (word,) if word in one else ()
        return
    yield from (other for other in one if level.written_out(other) == full)


def written_out(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return a path with abbreviated statements in full; names, and words unknown to Junos, stay as they are."""
    found: list[str] = []
    for word in path:
        level = _level_at(tuple(found))
        found.append(word if level is None else level.written_out(word))
    return tuple(found)


def level_without(path: tuple[str, ...]) -> Level | None:
    """Return the first judged level along the path that has no statement for the path's next word; else None."""
    level: Level | None = ROOT
    rest = list(path)
    while rest and level is not None and level.judged:
        statement = level.find(level.written_out(rest[0]))
        if statement is None:
            return None if rest[0] in META else level
        del rest[: 2 if statement.shape is Shape.KEYED else 1]
        level = statement.below
    return None


def _level_at(path: tuple[str, ...]) -> Level | None:
    """Return the level whose statements may follow a path; None where a name or a value follows, or it is opaque."""
    level: Level | None = ROOT
    rest = list(path)
    while rest and level is not None:
        statement = level.find(level.written_out(rest.pop(0)))
        if statement is None:
            return None
        if statement.shape is Shape.KEYED:
            if not rest:
                return None
            rest.pop(0)
        level = statement.below
    return level
