"""A lab between two runs: put back to what it was, and that checked.

What cannot be put back is told: connections of the former run that are closing, whose last segments the routers'
kernels repeat for a while.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta

from keyroll.instants import SYSTEM, until
from keyroll.junos.connections import COMMAND as SHOW_CONNECTIONS
from keyroll.junos.connections import Address, connections
from keyroll.junos.errors import CommandError
from keyroll.junos.session import RouterSession
from keyroll.lab.protocol import Impairment, Lab, LinkLab, Router
from keyroll.scenario.errors import RunBrokenError
from keyroll.scenario.labs.connect import target_of

_COMMITS_KEPT = 50
"""Junos remembers the running configuration and 49 before it."""
_CLOSING = timedelta(seconds=2)
"""From the reset's commit until the run's connections are at least closing."""
_POLL = timedelta(seconds=0.02)
"""A connection closes within milliseconds of the commit that takes its session away."""
_SHOW_ALL = "show configuration | display set"
Ends = frozenset[tuple[str, int]]
"""The two ends of a connection: address and port each."""


@dataclass(frozen=True, slots=True)
class Before:
    """A router before a run: a digest of its configuration, how many commits it remembers, and the latest's comment.

    A comment that no other commit has is a mark which is found again when the memory of commits is full.
    """

    digest: str
    commits: int
    mark: str = ""
    closing: frozenset[Ends] = frozenset()
    """Connections of earlier runs whose last segments may still be repeated."""


def reset(lab: Lab, before: Mapping[str, Before], *, clocks: bool = True) -> dict[str, Before]:
    """Put a lab back to what it was: links whole, configurations as before the run, clocks the host's; and check it.

    `clocks` says whether they can be set; where they cannot, nobody has moved them.

    Raises:
        RunBrokenError: a router's configuration is not what it was, or it remembers no way back.
        RunError: a router does not do it.
    """
    if isinstance(lab, LinkLab):
        lab.links.restore()
        for name in lab.routers:
            lab.links.impair(Impairment(), towards=name)
    with ThreadPoolExecutor(max_workers=len(before)) as pool:
        own = _addresses(lab)
        tasks = {name: pool.submit(_reset, lab.routers[name], before[name], own, clocks) for name in before}
        return {name: task.result() for name, task in tasks.items()}


def _addresses(lab: Lab) -> frozenset[Address]:
    """Return the addresses that the lab's own sessions run between, as the topology plans them."""
    planned = [
        interface
        for router in lab.routers.values()
        for interface in (
            *(router.loopback, router.loopback6),
            *(address for port in router.ports for address in (port.ipv4, port.ipv6)),
        )
    ]
    return frozenset(interface.ip for interface in planned if interface is not None)


def _reset(
    router: Router,
    before: Before,
    own: frozenset[Address],
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


def _await_closing(session: RouterSession, own: frozenset[Address]) -> frozenset[Ends]:
    """Wait until no session of the run has an open connection; return the connections that are still closing.

    The kernel repeats the last segments of a closed connection for a while. They are known by their addresses and
    ports, so that the next run sets them aside. Only routing sessions between the lab's `own` addresses count: Junos
    lists the management's connections too, the one that asks among them.

    Raises:
        RunBrokenError: one is open when the deadline passes, counted from the reset's commit; or the router does not
            know the command, so that nothing can be said.
        OutputError: the router's table is in no known form.
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
        raise RunBrokenError(f"{session.target.name}: a connection outlived the reset: {still}")
    return ends


def _shown_connections(session: RouterSession) -> str:
    try:
        return session.ask_secret(SHOW_CONNECTIONS)
    except CommandError as error:
        raise RunBrokenError(
            f"{session.target.name} has no `{SHOW_CONNECTIONS}`: whether the last run's connections are gone cannot be"
            " told, so this lab serves one run"
        ) from error


def look(router: Router) -> Before:
    """Return what a router is now. Raises RunError when it does not say."""
    with RouterSession(target_of(router)) as session:
        return _look_at(session)


def _look_at(session: RouterSession) -> Before:
    commits = _commits(session)
    return Before(_digest_of(session), len(commits), commits[0] if commits else "")


def _way_back(commits: Sequence[str], before: Before, router: str) -> int:
    """Return the number of the commit, counted from the latest, that made the configuration before the run.

    `commits` are the comments of those that the router remembers, the latest first.

    Raises:
        RunBrokenError: the router has forgotten it.
    """
    if before.mark and commits.count(before.mark) == 1:
        return commits.index(before.mark)
    if len(commits) >= _COMMITS_KEPT:
        raise RunBrokenError(f"{router}: its memory of commits is full, the way back is lost")
    return len(commits) - before.commits


def _commits(session: RouterSession) -> list[str]:
    """Return the comments (or "") of the commits that the router remembers, the latest first.

    Junos numbers them from 0, with comments on lines of their own.
    """
    comments: list[str] = []
    for line in session.ask_secret("show system commit").splitlines():
        if line[:1].isdigit():
            comments.append("")
        elif comments and line.strip() and not comments[-1]:
            comments[-1] = line.strip()
    return comments


def _digest_of(session: RouterSession) -> str:
    """Return a digest of the whole configuration; the text itself holds secrets and is dropped."""
    lines = [line.strip() for line in session.ask_secret(_SHOW_ALL).splitlines()]
    return hashlib.sha256("\n".join(sorted(line for line in lines if line.startswith("set "))).encode()).hexdigest()
