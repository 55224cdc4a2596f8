"""What of the configurations a scenario does not play: by weight, where it may change the verdict; else as counts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from keyroll.check import rules
from keyroll.check.judge import Report
from keyroll.check.rules import Severity
from keyroll.configuration import Chain, Configuration, PeerKind, Session
from keyroll.errors import Where
from keyroll.keychain.rules import MD5_BESIDE
from keyroll.scenario.importing.pairs import Meant

_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?:/\d+)?|(?:[0-9a-fA-F]{0,4}:){2,}[0-9a-fA-F:.]*(?:/\d+)?")
_TAKEN = frozenset({"security", "version", "groups", "apply-groups"})
"""Hierarchies whose statements are looked at one by one, or that only hand on others."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A statement that the scenario does not play, and what may come of it."""

    message: str
    where: Where | None

    def without_names(self, names: Sequence[str], files: Sequence[str]) -> LeftOut:
        """Return the same with routers as R1 and R2, files as well, and no address."""
        message = self.message
        for number, name in enumerate(names, 1):
            message = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", f"R{number}", message)
        message = _ADDRESS.sub("<address>", message)
        where = self.where
        if where is not None:
            file = f"R{files.index(where.file) + 1}" if where.file in files else "configuration"
            where = replace(where, file=file)
        return LeftOut(message, where)


_NOT_PLAYED = frozenset({MD5_BESIDE, rules.AS_MISMATCH, rules.TYPE_MISMATCH, rules.BOTH_PASSIVE})
"""Errors of sessions that no scenario plays: it makes sessions of its own, with the keys alone as they are."""


def by_weight(meant: Sequence[Meant], configurations: Sequence[Configuration], report: Report) -> Iterator[LeftOut]:
    """Yield what may change the verdict."""
    yield from _of_report(report)
    for group in meant:
        yield from _of_sessions(group)
    for judged in meant[0].others:
        yield LeftOut(f"another protected session is not played: {judged.one.name}", judged.one.where)
    for configuration in configurations:
        yield from _of_router(configuration)
    yield from dict.fromkeys(item for group in meant for item in _of_chains(group))


_CHAINS = ("security", "authentication-key-chains")
_BEARING = frozenset(
    {"protocols", "interfaces", "routing-options", "routing-instances", "logical-systems", "firewall", "system"}
)
"""Hierarchies where a planned statement may change what becomes of a session; `system` has the clock."""


def of_change(
    meant: Sequence[Meant],
    before: Sequence[Configuration],
    after: Sequence[Configuration],
    chains: Sequence[tuple[Chain, Chain]],
) -> Iterator[LeftOut]:
    """Yield what a planned commit does beyond its key-chains, which alone are played.

    Args:
        meant: the sessions that are played.
        before: R1's and R2's configuration.
        after: theirs after the commit.
        chains: the chains of each `Meant` after it.
    """
    for group, then in zip(meant, chains, strict=True):
        for ends, old, new in zip(zip(*group.sessions, strict=True), group.chains, then, strict=True):
            if old.name != new.name:
                yield LeftOut(
                    f"{ends[0].router}: the planned commit points a session at another key-chain, and is played as a "
                    "change of keys in the one that it has",
                    new.where,
                )
    for one, other in zip(before, after, strict=True):
        changed = _statements(one) ^ _statements(other)
        for hierarchy, count in sorted(Counter(_hierarchy(path) for path in changed).items()):
            if hierarchy in _BEARING:
                words = f"{count} planned statement{'' if count == 1 else 's'} of {hierarchy} not played"
                yield LeftOut(f"{one.main.name}: {words}", None)


def _statements(configuration: Configuration) -> frozenset[tuple[str, ...]]:
    """Return the statements in force but for those of key-chains, in groups as well."""
    return frozenset(path for path in configuration.tree.paths() if path and _inner(path)[:2] != _CHAINS)


def _inner(path: tuple[str, ...]) -> tuple[str, ...]:
    return path[2:] if path[0] == "groups" else path


def _hierarchy(path: tuple[str, ...]) -> str:
    inner = _inner(path)
    return inner[0] if inner else path[0]


def _of_report(report: Report) -> Iterator[LeftOut]:
    for finding in report.chains:
        if finding.severity is Severity.UNKNOWN:
            yield LeftOut(finding.message, finding.where)


def _of_sessions(group: Meant) -> Iterator[LeftOut]:
    yield from _of_check(group)
    for ends in group.sessions:
        for session in ends:
            yield from _of_session(session)


def _of_check(meant: Meant) -> Iterator[LeftOut]:
    """Yield what `keyroll check` finds and no lab plays."""
    for finding in (finding for judged in meant.judged for finding in judged.findings):
        # An unknown secret is drawn and taken to match: the file says so at its key, and the verdict says it too.
        if finding.severity is Severity.NOTE and finding.rule is not rules.SECRET_UNKNOWN:
            yield LeftOut(finding.message, finding.where)
        if finding.rule in _NOT_PLAYED:
            yield LeftOut(f"not played, and an error by itself: {finding.message}", finding.where)
        if finding.rule is rules.IN_DOUBT:
            yield LeftOut(f"not understood: {finding.message}", finding.where)


def _of_session(session: Session) -> Iterator[LeftOut]:
    if session.instance is not None:
        yield LeftOut(
            f"{session.router}: the session is in routing instance {session.instance}, and is played in the main one",
            session.where,
        )
    if session.peer_kind is not PeerKind.ADDRESS:
        yield LeftOut(f"{session.router}: the peer is taken by prefix, and is played with an address", session.where)
    if session.authentication.without_ao is not None:
        yield LeftOut(f"{session.router}: allow-without-tcpao lets a peer without TCP-AO in", session.where)


def _of_router(configuration: Configuration) -> Iterator[LeftOut]:
    options = configuration.view("routing-options")
    if options.has("nonstop-routing"):
        view = options.below("nonstop-routing")
        yield LeftOut("nonstop-routing is configured: it hides flaps", configuration.sources.where(view.line))


def _of_chains(meant: Meant) -> Iterator[LeftOut]:
    for chain in meant.chains:
        for number in chain.lost:
            yield LeftOut(f"key {number} of {chain.name} has a statement whose value is not known", chain.place(number))
        unusable = [key.id for key in chain.keychain.keys if not key.usable and key.id not in chain.lost]
        for number in unusable:
            yield LeftOut(
                f"key {number} of {chain.name} cannot be used by TCP-AO and is not played", chain.place(number)
            )


def counts(configuration: Configuration) -> dict[str, int]:
    """Return how many statements of each hierarchy do not concern the sessions."""
    found: Counter[str] = Counter()
    for path in configuration.tree.paths():
        if path and path[0] not in _TAKEN:
            found[path[0]] += 1
    return dict(found.most_common())
