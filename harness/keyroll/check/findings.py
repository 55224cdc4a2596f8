"""Findings that need no prediction: about one end of a session, about both ends together, and about chains."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from keyroll.check import rules
from keyroll.check.rules import Rule, Severity
from keyroll.configuration import Alone, Chain, Configuration, Kind, Link, Path, Router, Session, Single, View
from keyroll.configuration import Finding as Doubt
from keyroll.configuration.hierarchy import SYSTEMS
from keyroll.configuration.usage import subject_of, usage_of
from keyroll.errors import Where
from keyroll.keychain.lint import Finding as ChainFinding
from keyroll.keychain.lint import lint, span_of
from keyroll.keychain.lint_pair import lint_pair
from keyroll.keychain.rules import CHAIN_ON_ONE_END, KEY_TOO_OLD
from keyroll.keychain.schedule import in_order, next_key, send_key
from keyroll.names import SessionKind
from keyroll.patterns import compiled

PORTS = {SessionKind.BGP: frozenset(("179", "bgp")), SessionKind.LDP: frozenset(("646", "ldp"))}
"""Names and numbers of the sessions' ports in a filter (IANA)."""
_LICENSE = r"requires \S+ license$"
"""The end of the warning that Junos shows above a statement whose feature has no licence; the statement is in force all
the same."""
_PORT_WORDS = frozenset(("port", "source-port", "destination-port"))


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule: what was found, and where. Never holds a secret."""

    rule: Rule
    message: str
    where: Where
    severity: Severity
    subject: str = ""
    """The session with which the message begins, if other sessions may have the same finding; else empty."""

    @classmethod
    def of(cls, rule: Rule, message: str, where: Where) -> Finding:
        """Return a finding of the rule's own severity."""
        return cls(rule, message, where, rule.severity)

    @classmethod
    def about(cls, session: Session, rule: Rule, what: str, where: Where) -> Finding:
        """Return a finding about one session, of the rule's own severity."""
        return cls(rule, f"{session.name}: {what}", where, rule.severity, session.name)

    def __str__(self) -> str:
        return self.rule.line(self.message, self.where, self.severity)


@dataclass(frozen=True)
class End:
    """One end of a session: the session, its router, and the configuration of both."""

    session: Session
    router: Router
    configuration: Configuration

    @functools.cached_property
    def chain(self) -> Chain | None:
        """The key-chain that the session names; None if it names none or the chain is not defined."""
        named = self.session.authentication.chain
        return None if named is None else self.router.chain(named.value)

    @property
    def system(self) -> Path:
        """The first words of the session's path: those of its logical system, or none."""
        return self.session.path[:2] if self.session.path[0] in SYSTEMS else ()

    @property
    def instance(self) -> Path:
        """The first words of the session's path, up to its routing instance."""
        path, cut = self.session.path, len(self.system)
        return path[: cut + 2] if path[cut] == "routing-instances" else path[:cut]

    @property
    def means_ao(self) -> bool:
        """Whether the session is protected with TCP-AO, or names a chain for TCP-AO."""
        chain = self.chain
        return self.session.authentication.ao or (chain is not None and chain.means_ao)


_UNJUDGED = {
    "ttl": rules.TTL_SECURITY,
    "bfd-liveness-detection": rules.BFD,
    "tcp-mss": rules.TCP_MSS,
    "graceful-restart": rules.GRACEFUL_RESTART,
    "ipsec-sa": rules.IPSEC,
}
"""Statements of BGP that can drop segments, end a session or hide that, and that are not judged: word to rule."""


class Levels:
    """Reads each level of a configuration once, since the sessions of a group share its statements and BGP's."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Path], dict[str, View]] = {}

    def unjudged(self, configuration: Configuration, path: Path) -> dict[str, View]:
        """Return the statements at a level that can affect sessions and are not judged, by word."""
        level = id(configuration), path
        if level not in self._known:
            view = configuration.view(*path)
            self._known[level] = {word: view.below(word) for word in _UNJUDGED if view.has(word)}
        return self._known[level]


def rule_of(doubt: Doubt) -> Rule:
    """Return the rule for an unknown: a missing licence hides no statement, so it has its own rule."""
    lacks = doubt.kind is Kind.ROUTER_WARNING and compiled(_LICENSE).search(doubt.message) is not None
    return rules.LICENSE if lacks else rules.IN_DOUBT


def of_end(end: End, levels: Levels) -> Iterator[Finding]:
    """Yield what is wrong with one end, whatever the other end has."""
    session = end.session
    for finding in usage_of(end.router, session):
        yield Finding.of(finding.rule, finding.message, finding.where)
    for doubt in session.doubts:
        if doubt.kind is not Kind.SECRET_UNKNOWN:
            yield Finding.about(session, rule_of(doubt), f"{doubt.message} [{doubt.kind.value}]", doubt.where)
    yield from _not_judged(end, levels)


def of_router(end: End) -> Iterator[Finding]:
    """Yield a note for each statement of the router that can affect all sessions of this kind and is not judged."""
    for level in dict.fromkeys((end.system, end.instance)):
        restart = end.configuration.view(*level, "routing-options", "graceful-restart")
        if restart:
            message = f"{end.session.router}: graceful-restart is configured"
            yield _note(end, rules.GRACEFUL_RESTART, restart, message)
    yield from _loopback_filters(end)


def of_duplicates(configurations: Sequence[Configuration]) -> Iterator[tuple[Configuration, Finding]]:
    """Yield each configuration whose router is given more than once, with the finding about it."""
    by_name: dict[str, list[Configuration]] = {}
    for configuration in configurations:
        by_name.setdefault(configuration.main.name, []).append(configuration)
    for name, same in by_name.items():
        for configuration in same if len(same) > 1 else ():
            host = configuration.view("system").leaf("host-name").value
            where = Where(configuration.name) if host is None else configuration.sources.where(host.line)
            files = ", ".join(one.name for one in same)
            message = f"router {name} is given {len(same)} times ({files}): give it once"
            yield configuration, Finding.of(rules.ROUTER_TWICE, message, where)


def of_link(link: Link, one: End, other: End) -> Iterator[Finding]:
    """Yield what is wrong with two ends of one session together."""
    bare, protected = (one, other) if not one.means_ao else (other, one)
    if not bare.means_ao:
        yield Finding.of(
            CHAIN_ON_ONE_END,
            f"{protected.session.name} is protected with TCP-AO, but the other end, {bare.session.name}, is not",
            bare.session.where,
        )
    if link.one.passive and link.other.passive:
        yield Finding.of(rules.BOTH_PASSIVE, f"{link.one.name}: both ends are passive", link.one.where)
    if link.one.kind is SessionKind.BGP:
        yield from _bgp_ends(link.one, link.other)
        yield from _bgp_ends(link.other, link.one)


def _bgp_ends(session: Session, peer: Session) -> Iterator[Finding]:
    expected = session.local_as if session.type == "internal" else session.peer_as
    if expected is not None and peer.local_as is not None and expected != peer.local_as:
        yield Finding.of(
            rules.AS_MISMATCH,
            f"{session.name} expects AS {expected}, but {peer.router} is AS {peer.local_as} there",
            session.where,
        )
    if session.type == "internal" and peer.type == "external":
        yield Finding.of(rules.TYPE_MISMATCH, f"{session.name} is internal, but {peer.name} is external", session.where)


def of_single(single: Single) -> Finding:
    """Return the finding about a protected session whose other end was not found."""
    session = single.session
    if single.reason in (Alone.NO_SESSION, Alone.OTHER_LOCAL) and single.router is not None:
        reason = (
            f"has a session with another address of {session.router}"
            if single.reason is Alone.OTHER_LOCAL
            else f"has no {session.kind.value.upper()} session with an address of {session.router}"
        )
        message = f"{single.router.name} has that address but {reason}"
        return Finding.about(session, rules.ENDS_DO_NOT_MATCH, message, session.where)
    return Finding.about(session, rules.PEER_NOT_GIVEN, single.reason.value, session.where)


def of_chain(chain: Chain, source: str, at: datetime, change_by: datetime | None = None) -> list[Finding]:
    """Return every broken rule of one chain, with what is not known of it."""
    found = [_of_lint(finding, chain, at, change_by) for finding in lint(subject_of(chain, source), at=at)]
    for doubt in chain.doubts:
        if doubt.kind is not Kind.SECRET_UNKNOWN:
            message = f"key-chain {chain.name}: {doubt.message} [{doubt.kind.value}]"
            found.append(Finding.of(rule_of(doubt), message, doubt.where))
    return found


def of_chains(
    one: Chain, other: Chain, names: tuple[str, str], at: datetime, change_by: datetime | None = None
) -> list[Finding]:
    """Return every broken rule of two chains together; `names` are the routers'."""
    findings = lint_pair(subject_of(one, names[0]), subject_of(other, names[1]))
    # The place of a finding is in the second chain, or in the first one if that has a key without a counterpart. A
    # planned change spreads a chain over two files, so the place decides which chain it is, and not the file.
    mine = {one.where, *one.places.values()}
    return [_of_lint(finding, one if finding.where in mine else other, at, change_by) for finding in findings]


def of_age(chain: Chain, *, at: datetime, max_age: timedelta | None, within: timedelta | None) -> Iterator[Finding]:
    """Yield keys in use for longer than `max_age`, and chains in which no key takes over in time (`within`)."""
    keys = in_order(chain.keychain)
    for key, successor in zip(keys, (*keys, None)[1:], strict=True):
        if max_age is None or key.start is None or (successor is not None and successor.start is None):
            continue
        end = at if successor is None or successor.start is None else successor.start
        if end > at - max_age and end - key.start > max_age and end >= at:
            age = span_of(end - key.start)
            what = (
                f"key {key.id} has been in use for {age}, and no key follows"
                if successor is None
                else f"key {key.id} is in use for {age} until key {successor.id} takes over"
            )
            yield Finding.of(KEY_TOO_OLD, f"key-chain {chain.name}: {what}", chain.place(key.id, "start-time"))
    upcoming = next_key(chain.keychain, at)
    late = upcoming is None or upcoming.start is None or upcoming.start - at > (within or timedelta())
    if within is not None and keys and late:
        active = send_key(chain.keychain, at)
        what = f"key {active.id} is active, and " if active is not None else ""
        when = "no key follows" if upcoming is None else f"key {upcoming.id} takes over later"
        yield Finding.of(
            rules.NO_NEXT_KEY,
            f"key-chain {chain.name}: {what}{when}; one must take over within {span_of(within)}",
            chain.place(None if active is None else active.id),
        )


def retired(chain: Chain, number: int, at: datetime) -> bool:
    """Say whether a key is retired: its successor started longer ago than the tolerance, so it is no longer in use."""
    keys = in_order(chain.keychain)
    place = next((place for place, key in enumerate(keys) if key.id == number), None)
    if place is None or place + 1 == len(keys):
        return False
    start = keys[place + 1].start
    return start is not None and (at - start.astimezone(UTC)).total_seconds() > chain.keychain.tolerance


def after_the_change(finding: Finding) -> Finding:
    """Return a finding as advice: the planned change ends the state before the fault takes effect."""
    message = f"{finding.message} (the planned change ends this state before)"
    return replace(finding, message=message, severity=Severity.ADVICE)


def _of_lint(finding: ChainFinding, chain: Chain, at: datetime, change_by: datetime | None) -> Finding:
    found = Finding.of(finding.rule, finding.message, finding.where)
    if found.severity is not Severity.ERROR or not finding.keys:
        return found
    if all(retired(chain, key, at) for key in finding.keys):
        # A retired key is no longer in use, so what is wrong with it has no effect.
        return replace(found, message=f"{found.message} (retired)", severity=Severity.ADVICE)
    if change_by is not None and all(_starts_after(chain, key, change_by) for key in finding.keys):
        return after_the_change(found)
    return found


def _starts_after(chain: Chain, number: int, instant: datetime) -> bool:
    start = next((key.start for key in chain.keychain.keys if key.id == number), None)
    return start is not None and start > instant


def _not_judged(end: End, levels: Levels) -> Iterator[Finding]:
    """Yield a note for each statement that can affect the session and is not judged."""
    session = end.session
    if session.kind is SessionKind.BGP:
        # The levels of the neighbor, its group, and BGP: the innermost statement counts.
        found: dict[str, View] = {}
        for cut in (4, 2, 0):
            found |= levels.unjudged(end.configuration, session.path[: len(session.path) - cut])
        for word, rule in _UNJUDGED.items():
            if word in found:
                where = end.configuration.sources.where(found[word].line)
                yield Finding.about(session, rule, f"{word} is configured", where)


def _loopback_filters(end: End) -> Iterator[Finding]:
    system = end.system
    units = end.configuration.view(*system, "interfaces", "lo0", "unit")
    for unit in units.names():
        for family in ("inet", "inet6"):
            filters = units.below(unit, "family", family, "filter")
            for name in (value.text for word in ("input", "input-list") for value in filters.values(word)):
                inside = end.configuration.view(*system, "firewall", "family", family, "filter", name)
                if family == "inet" and not inside:
                    inside = end.configuration.view(*system, "firewall", "filter", name)
                if _names_port(inside, PORTS[end.session.kind]):
                    yield _note(
                        end,
                        rules.LOOPBACK_FILTER,
                        inside,
                        f"{end.session.router}: filter {name} of lo0.{unit} names "
                        f"{end.session.kind.value.upper()}'s port",
                    )


def _names_port(view: View, names: frozenset[str]) -> bool:
    return any(
        _is_port(path[-1], names) and not _PORT_WORDS.isdisjoint(path)
        for layer in view.layers
        for path in layer.node.paths()
    )


def _is_port(text: str, names: frozenset[str]) -> bool:
    """Say whether a port, or a range such as `100-200`, is or holds the one of these names."""
    low, _, high = text.partition("-")
    within = (
        low.isdecimal() and high.isdecimal() and any(int(low) <= int(n) <= int(high) for n in names if n.isdecimal())
    )
    return within or text in names


def _note(end: End, rule: Rule, view: View, message: str) -> Finding:
    return Finding.of(rule, message, end.configuration.sources.where(view.line))
