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
from keyroll.scenario.importing.anonymizer import Remark
from keyroll.scenario.importing.session_groups import SessionGroup

_TAKEN = frozenset({"security", "version", "groups", "apply-groups"})
"""Hierarchies whose statements are judged one by one, or that only contain others."""


_NOT_PLAYED = frozenset({MD5_BESIDE, rules.AS_MISMATCH, rules.TYPE_MISMATCH, rules.BOTH_PASSIVE})
"""Errors that no scenario reproduces: it configures sessions of its own, and takes only the keys as they are."""


def may_change_verdict(
    groups: Sequence[SessionGroup], configurations: Sequence[Configuration], report: Report
) -> Iterator[Remark]:
    """Yield what is not played and may change the verdict."""
    yield from _of_report(report)
    for group in groups:
        yield from _of_sessions(group, configurations)
    for judged in groups[0].others:
        yield Remark(f"another protected session is not played: {judged.one.name}", judged.one.where)
    yield from dict.fromkeys(_of_broken(groups, report))
    for configuration in configurations:
        yield from _of_router(configuration)
    yield from dict.fromkeys(item for group in groups for item in _of_chains(group))


_CHAINS = ("security", "authentication-key-chains")
_AFFECTING = frozenset(
    {"protocols", "interfaces", "routing-options", "routing-instances", "logical-systems", "firewall", "system"}
)
"""Hierarchies whose planned statements may affect a session; `system` has the clock."""


_AUTHENTICATION = ("authentication-key", "authentication-key-chain", "authentication-algorithm")


def turning_on(groups: Sequence[SessionGroup]) -> Iterator[Remark]:
    """Yield that the planned commit is not played: before it, the ends' authentication differs, or one has TCP-AO."""
    for group in groups:
        for one, _ in group.sessions:
            yield Remark(
                f"{one.name}: the commit turns TCP-AO on, but before it the two ends differ; only what follows it is "
                "played",
                one.where,
            )


def of_change(before: Sequence[Configuration], after: Sequence[Configuration]) -> Iterator[Remark]:
    """Yield what a planned commit does beyond key-chains and authentication, which alone are played.

    Args:
        before: R1's and R2's configuration.
        after: theirs after the commit.
    """
    for one, other in zip(before, after, strict=True):
        old, new = _statements(one), _statements(other)
        # A neighbor that gets authentication has longer paths, but its own statement is not changed by that.
        changed = {
            path
            for path in old ^ new
            if not any(word in path for word in _AUTHENTICATION)
            and not any(longer[: len(path)] == path for longer in (new if path in old else old))
        }
        for hierarchy, count in sorted(Counter(_hierarchy(path) for path in changed).items()):
            if hierarchy in _AFFECTING:
                words = f"{count} planned statement{'' if count == 1 else 's'} of {hierarchy} not played"
                yield Remark(f"{one.main.name}: {words}", None)


def _statements(configuration: Configuration) -> frozenset[tuple[str, ...]]:
    """Return the statements in force, without those of key-chains, whether in a group or not."""
    return frozenset(path for path in configuration.tree.paths() if path and _inner(path)[:2] != _CHAINS)


def _inner(path: tuple[str, ...]) -> tuple[str, ...]:
    return path[2:] if path[0] == "groups" else path


def _hierarchy(path: tuple[str, ...]) -> str:
    inner = _inner(path)
    return inner[0] if inner else path[0]


def faults(groups: Sequence[SessionGroup]) -> Iterator[Remark]:
    """Yield the errors that `keyroll check` finds in what is played: the likely causes of a red verdict."""
    found = (finding for group in groups for judged in group.judged for finding in judged.findings)
    for finding in dict.fromkeys(found):
        # Predictions of rollovers are at their steps in the file; `_NOT_PLAYED` is among what is not played.
        if finding.severity is Severity.ERROR and finding.rule not in {*_NOT_PLAYED, rules.NOT_HITLESS}:
            yield Remark(finding.message, finding.where)


def _of_report(report: Report) -> Iterator[Remark]:
    for finding in report.chains:
        if finding.severity is Severity.UNKNOWN:
            yield Remark(finding.message, finding.where)


def _of_broken(groups: Sequence[SessionGroup], report: Report) -> Iterator[Remark]:
    """Yield what is wrong with sessions that no scenario can play: TCP-AO at one end, no chain, no other end."""
    played = [judged for group in groups for judged in (*group.judged, *group.others)]
    for judged in report.sessions:
        if not any(judged is one for one in played):
            for finding in judged.findings:
                if finding.severity is Severity.ERROR:
                    yield Remark(f"not played, but an error in itself: {finding.message}", finding.where)


def _of_sessions(group: SessionGroup, configurations: Sequence[Configuration]) -> Iterator[Remark]:
    yield from _of_check(group)
    for ends in group.sessions:
        for session, configuration in zip(ends, configurations, strict=True):
            yield from _of_session(session, configuration)


def _of_check(group: SessionGroup) -> Iterator[Remark]:
    """Yield the findings of `keyroll check` that no lab reproduces."""
    for finding in (finding for judged in group.judged for finding in judged.findings):
        # An unknown secret is drawn and assumed to match: the file says so at the key, and the verdict says so too.
        if finding.severity is Severity.NOTE and finding.rule is not rules.SECRET_UNKNOWN:
            yield Remark(finding.message, finding.where)
        if finding.rule in _NOT_PLAYED:
            yield Remark(f"not played, but an error in itself: {finding.message}", finding.where)
        if finding.rule is rules.IN_DOUBT:
            yield Remark(f"not understood: {finding.message}", finding.where)


_UNPLAYED = {
    "multipath": "a session that goes down may not lose a route",
    "mtu-discovery": "segments may be as long as the path allows, and TCP-AO makes them longer",
}
"""BGP statements that no lab has and that `keyroll check` does not report, and the possible effect of each."""
_PATH_MTU = ("path-mtu-discovery", "no-path-mtu-discovery", "ipv6-path-mtu-discovery", "no-ipv6-path-mtu-discovery")
_BGP_LEVELS = (4, 2, 0)
"""How many words to cut off a session's path for each of its levels: BGP, the group, the neighbor."""


def _of_session(session: Session, configuration: Configuration) -> Iterator[Remark]:
    if session.kind is SessionKind.BGP:
        views = [configuration.view(*session.path[: len(session.path) - cut]) for cut in _BGP_LEVELS]
        for word, why in _UNPLAYED.items():
            place = next((view.below(word) for view in reversed(views) if view.has(word)), None)
            if place is not None:
                yield Remark(f"{session.name}: {word} is configured: {why}", configuration.sources.where(place.line))
    if ":" in session.router:
        yield Remark(f"{session.router}: the session is in a logical system, and is played in a router", session.where)
    if session.instance is not None:
        yield Remark(
            f"{session.router}: the session is in routing instance {session.instance}, and is played in the main one",
            session.where,
        )
    if session.peer_kind is not PeerKind.ADDRESS:
        yield Remark(f"{session.router}: the peer is allowed by prefix, and is played with one address", session.where)
    if session.authentication.without_ao is not None:
        yield Remark(f"{session.router}: allow-without-tcpao lets a peer without TCP-AO in", session.where)


def _of_router(configuration: Configuration) -> Iterator[Remark]:
    options = configuration.view("routing-options")
    if options.has("nonstop-routing"):
        view = options.below("nonstop-routing")
        yield Remark("nonstop-routing is configured: it hides flaps", configuration.sources.where(view.line))
    internet = configuration.view("system", "internet-options")
    for word in _PATH_MTU:
        if internet.has(word):
            where = configuration.sources.where(internet.below(word).line)
            yield Remark(f"{configuration.main.name}: {word} is configured, and TCP-AO makes segments longer", where)


def _of_chains(group: SessionGroup) -> Iterator[Remark]:
    for chain in group.chains:
        for number in chain.lost:
            yield Remark(f"key {number} of {chain.name} has a statement whose value is not known", chain.place(number))
        unusable = [key.id for key in chain.keychain.keys if not key.usable and key.id not in chain.lost]
        for number in unusable:
            yield Remark(
                f"key {number} of {chain.name} cannot be used by TCP-AO and is not played", chain.place(number)
            )


_WRITTEN = (
    *("type", "family", "local-as", "peer-as", "hold-time", "passive", "multihop", "local-address"),
    *("authentication-algorithm", "authentication-key-chain"),
)
"""Statements of a session, at any of its levels, that the scenario file has fields for."""


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
