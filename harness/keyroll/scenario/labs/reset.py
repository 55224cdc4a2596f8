"""Reset a lab between two runs, and check the reset.

One thing cannot be reset: closing connections of the former run, whose last segments the routers' kernels retransmit
for a while. The reset returns these.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta

from keyroll.instants import SYSTEM, until
from keyroll.junos.base_configuration import VLANS, VLANS6
from keyroll.junos.connections import COMMAND as SHOW_CONNECTIONS
from keyroll.junos.connections import Address, connections
from keyroll.junos.errors import CommandError
from keyroll.junos.session import RouterSession
from keyroll.lab.protocol import Impairment, Lab, LinkLab, Router
from keyroll.scenario.errors import RunBrokenError
from keyroll.scenario.labs.connect import target_of

_COMMITS_KEPT = 50
"""Junos remembers the running configuration and 49 before it."""
_CLOSING = timedelta(seconds=15)
"""Longest time from the reset's commit until all connections of the run are closing: milliseconds on an idle machine.
After it the lab is not used again."""
_POLL = timedelta(seconds=0.02)
"""Interval between two checks: a connection closes within milliseconds of the commit that deletes its session."""
_SHOW_ALL = "show configuration | display set"
Ends = frozenset[tuple[str, int]]
"""The two ends of a connection: address and port each."""


@dataclass(frozen=True, slots=True)
class Before:
    """A router before a run: a digest of its configuration, the number of its stored commits, and the latest comment.

    A unique comment identifies that commit even when the list of stored commits is full.
    """

    digest: str
    commits: int
    mark: str = ""
    closing: frozenset[Ends] = frozenset()
    """Connections of earlier runs whose last segments may still be retransmitted."""


def reset(lab: Lab, before: Mapping[str, Before], *, clocks: bool = True) -> dict[str, Before]:
    """Reset a lab and check it: restore links, roll configurations back to before the run, set clocks to the host's.

    `clocks` says whether the clocks can be set; if not, the run cannot have changed them.

    Raises:
        RunBrokenError: a router's configuration differs from before the run, or the commit to return to is gone.
        RunError: a router refuses a command.
    """
    if isinstance(lab, LinkLab):
        lab.links.restore()
        for name in lab.routers:
            lab.links.impair(Impairment(), towards=name)
    with ThreadPoolExecutor(max_workers=len(before)) as pool:
        own = _addresses(lab)
        tasks = {name: pool.submit(_reset, lab.routers[name], before[name], own, clocks) for name in before}
        return {name: task.result() for name, task in tasks.items()}


@dataclass(frozen=True, slots=True)
class _Own:
    """The addresses of the lab's own sessions: the topology's, and whatever VLANs may have."""

    planned: frozenset[Address]

    def __contains__(self, address: object) -> bool:
        return address in self.planned or any(address in network for network in (VLANS, VLANS6))


def _addresses(lab: Lab) -> _Own:
    """Return the addresses of the lab's own sessions."""
    planned = [
        interface
        for router in lab.routers.values()
        for interface in (
            *(router.loopback, router.loopback6),
            *(address for port in router.ports for address in (port.ipv4, port.ipv6)),
        )
    ]
    return _Own(frozenset(interface.ip for interface in planned if interface is not None))


def _reset(
    router: Router,
    before: Before,
    own: _Own,
    clocks: bool,  # noqa: FBT001 - passed on by a pool
) -> Before:
    with RouterSession(target_of(router)) as session:
        back = _way_back(_commits(session), before, router.name)
        if back:
            session.rollback(back)
            session.commit(f"keyroll reset {uuid.uuid4().hex[:12]}")
        closing = _await_closing(session, own)
        if clocks:
            session.set_clock(SYSTEM.wall().moment.replace(microsecond=0))
        after = replace(_look_at(session), closing=closing)
    if after.digest != before.digest:
        raise RunBrokenError(f"{router.name}: the configuration after the reset is not the one before the run")
    return after


def _await_closing(session: RouterSession, own: _Own) -> frozenset[Ends]:
    """Wait until no session of the run has an open connection; return the connections that are still closing.

    The kernel retransmits the last segments of a closed connection for a while. The next run ignores them by their
    addresses and ports. Only routing sessions between the lab's `own` addresses count: Junos also lists management
    connections, such as the one that runs this command.

    Raises:
        RunBrokenError: a connection is open at the deadline, counted from the reset's commit; or the router does not
            know the command, so the connections are unknown.
        OutputError: the router's table has an unknown format.
    """
    still = ""

    def closing() -> frozenset[Ends] | None:
        nonlocal still
        found = connections(_shown_connections(session), router=session.target.name)
        left = [one for one in found if one.is_session(own)]
        still = next((str(one) for one in left if one.open), "")
        return None if still else frozenset(one.ends for one in left)

    ends = until(SYSTEM, closing, deadline=SYSTEM.now() + _CLOSING, poll=_POLL)
    if ends is None:
        raise RunBrokenError(f"{session.target.name}: a connection is still open after the reset: {still}")
    return ends


def _shown_connections(session: RouterSession) -> str:
    try:
        return session.ask_secret(SHOW_CONNECTIONS)
    except CommandError as error:
        raise RunBrokenError(
            f"{session.target.name} has no `{SHOW_CONNECTIONS}`, so it is unknown whether connections of the last"
            " run are still open; this lab is not reused"
        ) from error


def look(router: Router) -> Before:
    """Return the state of a router. Raises RunError if it does not answer."""
    with RouterSession(target_of(router)) as session:
        return _look_at(session)


def _look_at(session: RouterSession) -> Before:
    commits = _commits(session)
    return Before(_digest_of(session), len(commits), commits[0] if commits else "")


def _way_back(commits: Sequence[str], before: Before, router: str) -> int:
    """Return the number of the commit, counted from the latest, that made the configuration before the run.

    `commits` are the comments of the stored commits, the latest first.

    Raises:
        RunBrokenError: the router no longer stores that commit.
    """
    if before.mark and commits.count(before.mark) == 1:
        return commits.index(before.mark)
    if len(commits) >= _COMMITS_KEPT:
        raise RunBrokenError(f"{router}: cannot roll back: the commit from before the run is no longer stored")
    return len(commits) - before.commits


def _commits(session: RouterSession) -> list[str]:
    """Return the comments (or "") of the router's stored commits, the latest first.

    Junos numbers them from 0, and prints comments on separate lines.
    """
    comments: list[str] = []
    for line in session.ask_secret("show system commit").splitlines():
        if line[:1].isdigit():
            comments.append("")
        elif comments and line.strip() and not comments[-1]:
            comments[-1] = line.strip()
    return comments


def _digest_of(session: RouterSession) -> str:
    """Return a digest of the whole configuration; the text itself holds secrets and is discarded."""
    lines = [line.strip() for line in session.ask_secret(_SHOW_ALL).splitlines()]
    return hashlib.sha256("\n".join(sorted(line for line in lines if line.startswith("set "))).encode()).hexdigest()
