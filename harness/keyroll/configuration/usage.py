"""Checks how a configuration's sessions use its key chains, by the rules of `keychain/rules.py`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keyroll.configuration.chains import Chain
from keyroll.configuration.findings import Finding as Doubt
from keyroll.configuration.findings import Kind
from keyroll.configuration.reading import Configuration
from keyroll.configuration.routers import Router
from keyroll.configuration.session_ends import Link
from keyroll.configuration.sessions import ALGORITHMS, AO, Session
from keyroll.configuration.tree import Node
from keyroll.keychain import rules
from keyroll.keychain.lint import Finding, Subject

_USES = ("key-chain", "keychain")
"""The ends of statements that name a chain: `authentication-key-chain`, those of IS-IS and BFD."""


def subject_of(chain: Chain, name: str) -> Subject:
    """Return a configuration's chain as an argument for `lint`; `name` is the router's name."""
    # An unknown secret is configured; any other finding may hide a statement or a key.
    partial = any(doubt.kind not in {Kind.SECRET_UNKNOWN, Kind.INVALID_VALUE} for doubt in chain.doubts)
    return Subject(name, chain.keychain, chain.place, chain.lost, partial, chain.numbers)


def lint_usage(configuration: Configuration, *, only: frozenset[str] | None = None) -> list[Finding]:
    """Return what is wrong with how the text's sessions use chains, in the order of the rules.

    Args:
        configuration: the configuration; one without any session is a part, for which nothing is returned.
        only: the names of the chains to judge; None: all.
    """
    found = [
        finding
        for router in configuration.routers
        for session in router.sessions
        for finding in usage_of(router, session)
        if only is None or finding.chain in only
    ]
    if any(router.sessions for router in configuration.routers):
        found += [finding for finding in unused(configuration) if only is None or finding.chain in only]
    # A statement of a BGP group gives one finding, not one for each of its neighbors.
    return sorted(dict.fromkeys(found), key=lambda finding: rules.RULES.index(finding.rule))


def lint_ends(links: Iterable[Link]) -> list[Finding]:
    """Return what is wrong between two matched ends: TCP-AO at only one of them."""
    return [
        Finding(
            rules.CHAIN_ON_ONE_END,
            f"{ours.name} is protected with TCP-AO, and its other end ({theirs.where}) is not",
            ours.where,
            ours.authentication.chain.value if ours.authentication.chain is not None else "",
        )
        for link in links
        for ours, theirs in ((link.one, link.other), (link.other, link.one))
        if ours.authentication.ao and not theirs.authentication.ao
    ]


def usage_of(router: Router, session: Session) -> Iterator[Finding]:
    """Yield what is wrong with how one session uses its chain."""
    authentication = session.authentication
    algorithm, named = authentication.algorithm, authentication.chain
    if named is None:
        if algorithm is not None:
            yield Finding(
                rules.CHAIN_MISSING,
                f"authentication-algorithm {_shown(algorithm.value)} is set here without authentication-key-chain",
                algorithm.where,
                "",
            )
        return
    chain = router.chain(named.value)
    if chain is None:
        if not any(map(_may_hide_a_chain, session.doubts)):
            yield Finding(
                rules.CHAIN_NOT_DEFINED, f"key-chain {named.value} is not defined", named.where, named.value
            )  # fmt: skip
    elif chain.means_ao and (algorithm is None or algorithm.value != AO):
        state = "is not set (default: hmac-sha-1-96)" if algorithm is None else f"is {_shown(algorithm.value)}"
        yield Finding(
            rules.ALGORITHM_AO_MISSING,
            f"key-chain {named.value} is for TCP-AO, but authentication-algorithm {state}; use ao",
            named.where if algorithm is None else algorithm.where,
            named.value,
        )
    if authentication.md5 is not None:
        yield Finding(
            rules.MD5_BESIDE,
            f"authentication-key (MD5) is configured together with key-chain {named.value}",
            authentication.md5.where,
            named.value,
        )
    if authentication.without_ao is not None:
        yield Finding(
            rules.WITHOUT_AO_ALLOWED,
            f"tcpao-auth-mismatch accepts a peer without TCP-AO, although the session has key-chain {named.value}",
            authentication.without_ao.where,
            named.value,
        )


def _may_hide_a_chain(doubt: Doubt) -> bool:
    """Return whether a doubt is about a place where the chain that a session names could be defined."""
    path = doubt.path
    return not path or path[-1] == "security" or "authentication-key-chains" in path


def _shown(word: str) -> str:
    """Return a value if it is one of Junos' words: anything else may be a misplaced secret."""
    return word if word in ALGORITHMS else "another word"


def unused(configuration: Configuration) -> Iterator[Finding]:
    """Yield the chains for TCP-AO that nothing refers to, of whatever protocol."""
    named = {
        session.authentication.chain.value
        for router in configuration.routers
        for session in router.sessions
        if session.authentication.chain is not None
    }
    idle = [chain for chain in configuration.main.chains if chain.means_ao and chain.name not in named]
    # The search of the whole text for other users of a chain is slow, and is done only if a chain is left.
    used = _named(configuration.tree) if idle else set()
    for chain in idle:
        if chain.name not in used:
            yield Finding(
                rules.CHAIN_UNUSED, f"no statement uses key-chain {chain.name}", chain.where, chain.name
            )  # fmt: skip


def _named(node: Node) -> set[str]:
    """Return the names of all chains that anything refers to, of whatever protocol, in force or not."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        for word, child in waiting.pop().items():
            if word == "authentication-key-chains":
                continue
            if not child:
                continue
            if word.endswith(_USES):
                found.update(child)
            waiting.append(child)
    return found
