"""What `check` finds about the sessions that the planned chains protect, and which keys a set file cannot change.

A plan continues from what the routers hold. It is hitless for a session only if `check` finds no error in that session
before; and what is unknown about a session is unknown about its plan too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from keyroll.check import rules
from keyroll.check.findings import Finding
from keyroll.check.judge import JudgedSession, Question, judge
from keyroll.check.rules import Severity
from keyroll.configuration import Chain, Configuration, Node
from keyroll.configuration.tree import PROTECTED


@dataclass(frozen=True, slots=True)
class Judged:
    """Findings about the sessions of the planned chains: errors and unknowns, each once; and the number of sessions.

    Unknown secrets are not among them: the caller lists them by router and key.
    """

    errors: tuple[Finding, ...]
    unknown: tuple[Finding, ...]
    sessions: int


def judged(configurations: Sequence[Configuration], chains: Mapping[str, str], question: Question) -> Judged:
    """Judge the configurations, and return the findings about sessions that a planned chain protects.

    Args:
        configurations: one for each router.
        chains: the name of the planned chain, by the router's name.
        question: as for `judge`; its instant is the plan's.
    """
    report = judge(configurations, question)
    mine = [session for session in report.sessions if _is_protected(session, chains)]
    found = dict.fromkeys(finding for session in mine for finding in session.findings)
    # A damaged line elsewhere may be another session of the chain.
    found |= dict.fromkeys(finding for finding in report.chains if finding.rule is rules.IN_DOUBT)
    return Judged(
        tuple(finding for finding in found if finding.severity is Severity.ERROR),
        tuple(
            finding
            for finding in found
            if finding.severity is Severity.UNKNOWN and finding.rule is not rules.SECRET_UNKNOWN
        ),
        len(mine),
    )


def _is_protected(session: JudgedSession, chains: Mapping[str, str]) -> bool:
    ends = [end for end in (session.one, session.other) if end is not None]
    return any(
        end.authentication.chain is not None and chains.get(end.router) == end.authentication.chain.value
        for end in ends
    )


def keys_of_groups(configuration: Configuration, chain: Chain) -> tuple[int, ...]:
    """Return the numbers of the keys that come from an applied group, also if the chain itself has them too.

    A set file deletes only the chain's own statements; the key would still be there, with the group's statements.
    """
    layers = configuration.view(*chain.path, "key").layers
    brought = {word for layer in layers if layer.group is not None for word in layer.node if word.isdecimal()}
    # A text with expanded groups does not say where a key comes from. A key that is not in the text at all comes from a
    # group.
    own = configuration.tree.at((*chain.path, "key")) or Node()
    return tuple(key.id for key in chain.keychain.keys if str(key.id) in brought or str(key.id) not in own)


def protected(configuration: Configuration, chain: Chain) -> str | None:
    """Return the first protected statement at or above a chain, or in it; None if Junos can change all of the chain."""
    node: Node | None = configuration.tree
    for place, word in enumerate(chain.path, start=1):
        node = None if node is None else node.get(word)
        if node is not None and node.flags & PROTECTED:
            return " ".join(chain.path[:place])
    inside = next(_protected_below(node, chain.path), None) if node is not None else None
    return None if inside is None else " ".join(inside)


def _protected_below(node: Node, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for word, child in node.items():
        # The word after `secret` is the secret itself, which is not shown.
        below = path if path[-1] == "secret" else (*path, word)
        if child.flags & PROTECTED:
            yield below
        yield from _protected_below(child, below)
