"""Which sessions between two routers the scenario plays, and which chains protect them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from keyroll.check.judge import JudgedSession, Report
from keyroll.check.rules import SESSION_DOWN, Severity
from keyroll.configuration import Chain, Configuration, Session
from keyroll.errors import InputError
from keyroll.names import SessionKind
from keyroll.scenario.importing.sessions import DraftSession, distinct, drafted_session, one_chain_at_protocol


@dataclass(frozen=True, slots=True)
class SessionGroup:
    """The sessions that the scenario plays, R1's end first, all on one pair of chains."""

    sessions: tuple[tuple[Session, Session], ...]
    chains: tuple[Chain, Chain]
    judged: tuple[JudgedSession, ...]
    others: tuple[JudgedSession, ...]
    """Protected sessions between the two routers that are not played."""
    played: tuple[DraftSession, ...] = ()
    """The sessions as the file writes them."""

    @property
    def kinds(self) -> tuple[SessionKind, ...]:
        """BGP, LDP or both, in this order."""
        found = {one.kind for one, _ in self.sessions}
        return tuple(kind for kind in SessionKind if kind in found)

    @property
    def bgp(self) -> tuple[Session, ...]:
        """Both ends of every BGP session."""
        return tuple(end for pair in self.sessions if pair[0].kind is SessionKind.BGP for end in pair)


def session_groups(
    configurations: Sequence[Configuration], report: Report, wanted: str | None
) -> tuple[SessionGroup, ...]:
    """Choose the sessions, by the pairs of chains that protect them.

    Args:
        configurations: R1's and R2's.
        report: what `keyroll check` says of them.
        wanted: the peer's address as R1 has it, to play one session only; None: all.

    Raises:
        InputError: no session between the two is protected at both ends, or there is none with `wanted`.
    """
    names = [router.name for router in configurations[0].routers]
    both = _protected(configurations, report)
    if not both:
        raise _unprotected(report)
    chosen = [session for session in both if wanted is None or _is(session, names, wanted)]
    if not chosen:
        raise InputError(f"no protected session with {wanted}", remedy=f"sessions are: {_listed(both, names)}")
    drafted = [drafted_session(_ends(session, names), configurations) for session in chosen]
    kept = [(chosen[index], one) for index, one in distinct(drafted)]
    played = [session for session, _ in kept]
    others = tuple(session for session in both if session not in played)
    found: list[tuple[tuple[Chain, Chain], list[tuple[JudgedSession, DraftSession]]]] = []
    for session, one in kept:
        chains = _chains(configurations, session, names)
        assert chains is not None  # noqa: S101 - filtered above
        group = next((members for held, members in found if _same(held, chains)), None)
        if group is None:
            found.append((chains, group := []))
        group.append((session, one))
    written = one_chain_at_protocol([[one for _, one in group] for _, group in found])
    return tuple(
        SessionGroup(
            tuple(_ends(session, names) for session, _ in group),
            chains,
            tuple(session for session, _ in group),
            others,
            files,
        )
        for (chains, group), files in zip(found, written, strict=True)
    )


def any_protected(configurations: Sequence[Configuration], report: Report) -> bool:
    """Say whether a session between the two is protected at both ends, so that there is something to play."""
    return bool(_protected(configurations, report))


def _protected(configurations: Sequence[Configuration], report: Report) -> list[JudgedSession]:
    names = [router.name for router in configurations[0].routers]
    return [
        session for session in report.sessions if session.other is not None and _chains(configurations, session, names)
    ]


_FAULTS_SHOWN = 3
"""The most faults in one message, to keep it readable; `keyroll check` shows all."""


def _unprotected(report: Report) -> InputError:
    """Return the error that says why there is nothing to play, with what is wrong with each session."""
    found = [finding for session in report.sessions for finding in session.findings]
    why = list(dict.fromkeys(str(one.message) for one in found if one.severity is Severity.ERROR))
    if not why and report.unprotected:
        why = ["the sessions between them have no TCP-AO at either end"]
    if not why and not report.sessions:
        why = ["they share no session"]
    more = f", and {len(why) - _FAULTS_SHOWN} more" if len(why) > _FAULTS_SHOWN else ""
    words = f": {'; '.join(why[:_FAULTS_SHOWN])}{more}" if why else ""
    return InputError(
        f"no session between the two routers is protected with TCP-AO at both ends{words}",
        remedy="`keyroll check` lists what each end lacks",
    )


def _ends(session: JudgedSession, names: Sequence[str]) -> tuple[Session, Session]:
    assert session.other is not None  # noqa: S101 - filtered by the caller
    return (session.one, session.other) if session.one.router in names else (session.other, session.one)


def _chains(
    configurations: Sequence[Configuration], session: JudgedSession, names: Sequence[str]
) -> tuple[Chain, Chain] | None:
    one, other = _ends(session, names)
    mine, theirs = _chain(configurations[0], one), _chain(configurations[1], other)
    return None if mine is None or theirs is None else (mine, theirs)


def _chain(configuration: Configuration, session: Session) -> Chain | None:
    router = next((router for router in configuration.routers if router.name == session.router), None)
    named = session.authentication.chain
    return router.chain(named.value) if router is not None and named is not None and session.authentication.ao else None


def _same(one: tuple[Chain, Chain], other: tuple[Chain, Chain]) -> bool:
    return one[0] is other[0] and one[1] is other[1]


def _is(session: JudgedSession, names: Sequence[str], wanted: str) -> bool:
    try:
        address: IPv4Address | IPv6Address = ip_address(wanted)
    except ValueError:
        raise InputError(
            f"--session: invalid address '{wanted}'", remedy="use the peer's address, such as 10.0.0.2"
        ) from None
    return _ends(session, names)[0].peer == address


def _listed(sessions: Sequence[JudgedSession], names: Sequence[str]) -> str:
    return ", ".join(f"{_ends(session, names)[0].peer} ({session.one.kind.value})" for session in sessions)


def group_after(configurations: Sequence[Configuration], group: SessionGroup, report: Report) -> SessionGroup:
    """Return the same sessions in other configurations of both routers, as after a change.

    Args:
        configurations: R1's and R2's after the change.
        group: the sessions before it.
        report: what `keyroll check` says of the configurations after it.

    Raises:
        InputError: after the change a router lacks a session or its chain, or two ends do not match: no rollover.
    """
    sessions, judged = [], []
    chains: tuple[Chain, Chain] | None = None
    for ends in group.sessions:
        one, other = (_after(configuration, end) for configuration, end in zip(configurations, ends, strict=True))
        found = next((said for said in report.sessions if {id(said.one), id(said.other)} == {id(one), id(other)}), None)
        if found is None:
            raise InputError(
                f"after the change the session of {ends[0].router} with {ends[0].peer} has no other end",
                remedy="a change of keys keeps addresses and sessions; `keyroll check` says what is missing",
            )
        held = _chain(configurations[0], one), _chain(configurations[1], other)
        assert held[0] is not None  # noqa: S101 - _after found it
        assert held[1] is not None  # noqa: S101 - _after found it
        if chains is not None and not _same(chains, (held[0], held[1])):
            raise InputError(
                f"after the change the sessions of key-chain {group.chains[0].name} are on several key-chains",
                remedy="play one session at a time: --session",
            )
        chains = held[0], held[1]
        sessions.append((one, other))
        judged.append(found)
    assert chains is not None  # noqa: S101 - there is a session
    return replace(group, sessions=tuple(sessions), chains=chains, judged=tuple(judged))


def is_down(report: Report, group: SessionGroup) -> bool:
    """Say whether `keyroll check` predicts that one of these sessions is down in a state of both routers."""
    ends = {(end.kind, end.instance, end.router, end.peer) for pair in group.sessions for end in pair}
    return any(
        finding.rule is SESSION_DOWN
        for judged in report.sessions
        if (judged.one.kind, judged.one.instance, judged.one.router, judged.one.peer) in ends
        for finding in judged.findings
    )


def _after(configuration: Configuration, end: Session) -> Session:
    session = session_in(configuration, end)
    if session is None or _chain(configuration, session) is None:
        raise InputError(
            f"after the change {end.router} has no TCP-AO on the session with {end.peer}",
            remedy="a change of keys keeps the session and its authentication",
        )
    return session


def session_in(configuration: Configuration, end: Session) -> Session | None:
    """Return a session's end in another configuration of its router; None where there is none."""
    return next(
        (one for router in configuration.routers for one in router.sessions if _is_same(one, end, configuration)), None
    )


def _is_same(one: Session, end: Session, configuration: Configuration) -> bool:
    """Say whether `one`, after a change, is the session `end`; a change may rename the main router."""
    main = configuration.main.name
    same_router = one.router in (end.router, main) if ":" not in end.router else one.router == end.router
    return same_router and (one.kind, one.instance, one.peer) == (end.kind, end.instance, end.peer)
