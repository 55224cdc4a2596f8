"""What a scenario does not play: each statement that may change the verdict, and counts of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from keyroll.check import rules
from keyroll.check.judge import Report
from keyroll.check.rules import Severity
from keyroll.configuration import Configuration, PeerKind, Session
from keyroll.keychain.rules import MD5_BESIDE
from keyroll.names import SessionKind
from keyroll.scenario.importing.hidden import Said
from keyroll.scenario.importing.pairs import Meant

_TAKEN = frozenset({"security", "version", "groups", "apply-groups"})
"""Hierarchies whose statements are judged one by one, or that only contain others."""


_NOT_PLAYED = frozenset({MD5_BESIDE, rules.AS_MISMATCH, rules.TYPE_MISMATCH, rules.BOTH_PASSIVE})
"""Errors of sessions that no scenario plays: it makes sessions of its own, with the keys alone as they are."""


def by_weight(meant: Sequence[Meant], configurations: Sequence[Configuration], report: Report) -> Iterator[Said]:
    """Yield what may change the verdict."""
    yield from _of_report(report)
    for group in meant:
        yield from _of_sessions(group, configurations)
    for judged in meant[0].others:
        yield Said(f"another protected session is not played: {judged.one.name}", judged.one.where)
    yield from dict.fromkeys(_of_broken(meant, report))
    for configuration in configurations:
        yield from _of_router(configuration)
    yield from dict.fromkeys(item for group in meant for item in _of_chains(group))


_CHAINS = ("security", "authentication-key-chains")
_BEARING = frozenset(
    {"protocols", "interfaces", "routing-options", "routing-instances", "logical-systems", "firewall", "system"}
)
"""Hierarchies where a planned statement may change what becomes of a session; `system` has the clock."""


_AUTHENTICATION = ("authentication-key", "authentication-key-chain", "authentication-algorithm")


def turning_on(meant: Sequence[Meant]) -> Iterator[Said]:
    """Yield that the planned commit is not played: the ends have not the same before it, or one has TCP-AO."""
    for group in meant:
        for one, _ in group.sessions:
            yield Said(
                f"{one.name}: the commit turns TCP-AO on, and before it the two ends do not have the same; played is "
                "what follows",
                one.where,
            )


def of_change(before: Sequence[Configuration], after: Sequence[Configuration]) -> Iterator[Said]:
    """Yield what a planned commit does beyond key-chains and authentication, which alone are played.

    Args:
        before: R1's and R2's configuration.
        after: theirs after the commit.
    """
    for one, other in zip(before, after, strict=True):
        old, new = _statements(one), _statements(other)
        # A statement that is there without its authentication, such as a neighbor, is not changed by getting one.
        changed = {
            path
            for path in old ^ new
            if not any(word in path for word in _AUTHENTICATION)
            and not any(longer[: len(path)] == path for longer in (new if path in old else old))
        }
        for hierarchy, count in sorted(Counter(_hierarchy(path) for path in changed).items()):
            if hierarchy in _BEARING:
                words = f"{count} planned statement{'' if count == 1 else 's'} of {hierarchy} not played"
                yield Said(f"{one.main.name}: {words}", None)


def _statements(configuration: Configuration) -> frozenset[tuple[str, ...]]:
    """Return the statements in force but for those of key-chains, in groups as well."""
    return frozenset(path for path in configuration.tree.paths() if path and _inner(path)[:2] != _CHAINS)


def _inner(path: tuple[str, ...]) -> tuple[str, ...]:
    return path[2:] if path[0] == "groups" else path


def _hierarchy(path: tuple[str, ...]) -> str:
    inner = _inner(path)
    return inner[0] if inner else path[0]


def faults(meant: Sequence[Meant]) -> Iterator[Said]:
    """Yield what `keyroll check` finds wrong with the sessions that are played: what a red verdict comes from."""
    found = (finding for group in meant for judged in group.judged for finding in judged.findings)
    for finding in dict.fromkeys(found):
        # What is predicted of a rollover stands at its step; what no lab plays is left out by weight.
        if finding.severity is Severity.ERROR and finding.rule not in {*_NOT_PLAYED, rules.NOT_HITLESS}:
            yield Said(finding.message, finding.where)


def _of_report(report: Report) -> Iterator[Said]:
    for finding in report.chains:
        if finding.severity is Severity.UNKNOWN:
            yield Said(finding.message, finding.where)


def _of_broken(meant: Sequence[Meant], report: Report) -> Iterator[Said]:
    """Yield what is wrong with sessions that no scenario can play: TCP-AO at one end, no chain, no other end."""
    played = [judged for group in meant for judged in (*group.judged, *group.others)]
    for judged in report.sessions:
        if not any(judged is one for one in played):
            for finding in judged.findings:
                if finding.severity is Severity.ERROR:
                    yield Said(f"not played, and an error by itself: {finding.message}", finding.where)


def _of_sessions(group: Meant, configurations: Sequence[Configuration]) -> Iterator[Said]:
    yield from _of_check(group)
    for ends in group.sessions:
        for session, configuration in zip(ends, configurations, strict=True):
            yield from _of_session(session, configuration)


def _of_check(meant: Meant) -> Iterator[Said]:
    """Yield what `keyroll check` finds and no lab plays."""
    for finding in (finding for judged in meant.judged for finding in judged.findings):
        # An unknown secret is drawn and taken to match: the file says so at its key, and the verdict says it too.
        if finding.severity is Severity.NOTE and finding.rule is not rules.SECRET_UNKNOWN:
            yield Said(finding.message, finding.where)
        if finding.rule in _NOT_PLAYED:
            yield Said(f"not played, and an error by itself: {finding.message}", finding.where)
        if finding.rule is rules.IN_DOUBT:
            yield Said(f"not understood: {finding.message}", finding.where)


_UNPLAYED = {
    "multipath": "a session that goes down may take no route away",
    "mtu-discovery": "segments may be as long as the path bears, and TCP-AO makes them longer",
}
"""Statements of BGP that no lab has and `keyroll check` does not note, and what may come of each."""
_PATH_MTU = ("path-mtu-discovery", "no-path-mtu-discovery", "ipv6-path-mtu-discovery", "no-ipv6-path-mtu-discovery")
_BGP_LEVELS = (4, 2, 0)
"""Words to leave out of a session's path: BGP's level, its group's, its own."""


def _of_session(session: Session, configuration: Configuration) -> Iterator[Said]:
    if session.kind is SessionKind.BGP:
        views = [configuration.view(*session.path[: len(session.path) - cut]) for cut in _BGP_LEVELS]
        for word, why in _UNPLAYED.items():
            place = next((view.below(word) for view in reversed(views) if view.has(word)), None)
            if place is not None:
                yield Said(f"{session.name}: {word} is configured: {why}", configuration.sources.where(place.line))
    if ":" in session.router:
        yield Said(f"{session.router}: the session is in a logical system, and is played in a router", session.where)
    if session.instance is not None:
        yield Said(
            f"{session.router}: the session is in routing instance {session.instance}, and is played in the main one",
            session.where,
        )
    if session.peer_kind is not PeerKind.ADDRESS:
        yield Said(f"{session.router}: the peer is taken by prefix, and is played with an address", session.where)
    if session.authentication.without_ao is not None:
        yield Said(f"{session.router}: allow-without-tcpao lets a peer without TCP-AO in", session.where)


def _of_router(configuration: Configuration) -> Iterator[Said]:
    options = configuration.view("routing-options")
    if options.has("nonstop-routing"):
        view = options.below("nonstop-routing")
        yield Said("nonstop-routing is configured: it hides flaps", configuration.sources.where(view.line))
    internet = configuration.view("system", "internet-options")
    for word in _PATH_MTU:
        if internet.has(word):
            where = configuration.sources.where(internet.below(word).line)
            yield Said(f"{configuration.main.name}: {word} is configured, and segments get longer by TCP-AO", where)


def _of_chains(meant: Meant) -> Iterator[Said]:
    for chain in meant.chains:
        for number in chain.lost:
            yield Said(f"key {number} of {chain.name} has a statement whose value is not known", chain.place(number))
        unusable = [key.id for key in chain.keychain.keys if not key.usable and key.id not in chain.lost]
        for number in unusable:
            yield Said(f"key {number} of {chain.name} cannot be used by TCP-AO and is not played", chain.place(number))


_WRITTEN = (
    *("type", "family", "local-as", "peer-as", "hold-time", "passive", "multihop", "local-address"),
    *("authentication-algorithm", "authentication-key-chain"),
)
"""Statements of a session, at any of its levels, that the file says in its own words."""


def counts(configuration: Configuration, sessions: Iterable[Session]) -> dict[str, int]:
    """Return how many statements of each hierarchy do not concern the sessions that are played."""
    levels = {one.path[: len(one.path) - cut] for one in sessions for cut in _BGP_LEVELS if len(one.path) > cut}
    written = {(*level, word) for level in levels for word in _WRITTEN}
    written.add(("routing-options", "autonomous-system"))
    found: Counter[str] = Counter()
    for path in configuration.tree.paths():
        if path and path[0] not in _TAKEN and not any(path[:end] in written for end in range(2, len(path) + 1)):
            found[path[0]] += 1
    return dict(found.most_common())
