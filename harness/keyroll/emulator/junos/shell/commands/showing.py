"""The actions of `show …` that every machine half supports: they read states, and `shell/show` formats them.

A state that cannot be read is an error, never output.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, ip_address

from keyroll import __version__
from keyroll.emulator.contract.model import Address, BgpState, Intent
from keyroll.emulator.junos.commit.datastore import in_thread_if_large
from keyroll.emulator.junos.configuration.faults import JunosFault
from keyroll.emulator.junos.configuration.redact import SHOWN
from keyroll.emulator.junos.configuration.render import curly, statement_lines
from keyroll.emulator.junos.configuration.tree import Node, Path, narrowed
from keyroll.emulator.junos.shell.grammar import Match
from keyroll.emulator.junos.shell.output import ConfigView, Output
from keyroll.emulator.junos.shell.session import Session
from keyroll.emulator.junos.shell.show import bgp as bgp_text
from keyroll.emulator.junos.shell.show import bgp_neighbor as neighbor_text
from keyroll.emulator.junos.shell.show import keychain as keychain_text
from keyroll.emulator.junos.shell.show.durations import age, stamp, w_line

DENIED = "/* ACCESS-DENIED */"
"""Shown in place of a hierarchy that the user's login class may not see (assumption J94)."""
BGP_NOT_RUNNING = "BGP is not running"


def without_secrets(node: Node) -> Node:
    """Return a copy with SHOWN in place of each secret, for a user without the permission `secret`."""
    key = SHOWN if node.statement.secret and node.key is not None else node.key
    return Node(
        node.statement, key, node.inactive, {name: without_secrets(child) for name, child in node.children.items()}
    )


async def config_output(session: Session, root: Node, base: Path, paths: tuple[Path, ...]) -> Output:
    """Return the part of `root` at the first of `paths`, else at `base`: the lines in a body, or a whole leaf."""
    path = paths[0] if paths else base
    view = ConfigView(root, path)
    tree, place = narrowed(root, path)
    node = tree.at(place)
    if node is None or session.reshaping:
        return Output(config=view)
    lines = curly if node.statement.has_body or not place else statement_lines
    return Output(await in_thread_if_large(node, partial(lines, node)), view)


async def configuration(session: Session, match: Match) -> Output:
    """`show configuration [path]`: shows the running configuration."""
    commit = session.router.store.commits[0]
    if not session.may("view-configuration"):
        return Output([f"{name} {{ {DENIED} }}" for name in dict.fromkeys(name for name, _ in commit.tree.children)])
    if session.may("secret"):
        answer = await config_output(session, commit.tree, (), match.paths)
    else:
        hidden = await in_thread_if_large(commit.tree, partial(without_secrets, commit.tree))
        answer = await config_output(session, hidden, (), match.paths)
        lines = [line.replace(f'"{SHOWN}"', SHOWN) for line in answer.lines]  # a comment is not quoted
        answer = replace(answer, lines=lines)
    if match.paths and match.paths[0]:
        return answer
    head = f"## Last commit: {stamp(commit.when, session.router.zone)} by {commit.user}"
    return Output([head, *answer.lines], answer.config)


async def keychain_brief(session: Session, match: Match) -> Output:
    """`show security keychain [brief]`."""
    del match
    return Output(
        keychain_text.brief(session.router.store.in_force.chains, session.router.now(), session.router.receiving)
    )


async def keychain_detail(session: Session, match: Match) -> Output:
    """`show security keychain detail`."""
    del match
    router = session.router
    return Output(keychain_text.detail(router.store.in_force.chains, router.now(), router.zone, router.receiving))


async def bgp_summary(session: Session, match: Match) -> Output:
    """`show bgp summary`."""
    del match
    neighbors = session.router.store.in_force.neighbors
    if not neighbors:
        return Output([BGP_NOT_RUNNING])
    states = await _bgp_states(session)
    return Output(bgp_text.summary(list(states.values()), len({neighbor.group for neighbor in neighbors})))


async def _bgp_states(session: Session) -> dict[Address, BgpState]:
    """Return the state of every configured neighbor, by address. Raises JunosFault when one is missing."""
    before = {neighbor.address for neighbor in session.router.store.in_force.neighbors}
    found = {state.address: state for state in await session.router.backend.bgp()}
    # A commit may have taken effect meanwhile: bgpd's answer may lack a neighbor that it adds, or one that it deletes.
    now = [neighbor.address for neighbor in session.router.store.in_force.neighbors]
    wanted = [address for address in now if address in before or address in found]
    missing = [address for address in wanted if address not in found]
    if missing:
        raise JunosFault(f"the state of neighbor {missing[0]} cannot be read")
    return {address: found[address] for address in wanted}


async def bgp_neighbor(session: Session, match: Match) -> Output:
    """`show bgp neighbor [A]`."""
    intent = session.router.store.in_force
    if not intent.neighbors:
        return Output([BGP_NOT_RUNNING])
    text = match.args.get("address")
    states = await _bgp_states(session)
    groups = list(dict.fromkeys(neighbor.group for neighbor in intent.neighbors))
    found = [
        neighbor_text.Neighbor(neighbor, states[neighbor.address], groups.index(neighbor.group), number)
        for number, neighbor in enumerate(intent.neighbors)
        if text is None or neighbor.address == ip_address(text)
    ]
    return Output(
        neighbor_text.neighbors(found, own_as=intent.autonomous_system, router_id=router_id(intent)),
    )


def router_id(intent: Intent) -> IPv4Address | None:
    """Return the router id in force: the configured one, else the first address of lo0, else of any interface."""
    if intent.router_id is not None:
        return intent.router_id
    units = sorted(intent.units, key=lambda unit: unit.name != "lo0.0")
    addresses = (address.ip for unit in units for address in unit.addresses)
    return next((address for address in addresses if isinstance(address, IPv4Address)), None)


async def uptime(session: Session, match: Match) -> Output:
    """`show system uptime`: the router's clock, and the ages of boot and last commit by it (docs/junos.md 3.5)."""
    del match
    router = session.router
    now, zone = router.now().replace(microsecond=0), router.zone
    booted = now - router.up_for
    commit = router.store.commits[0]
    since_boot = age(int(router.up_for.total_seconds()))
    since_commit = age(max(0, int((now - commit.when).total_seconds())))
    return Output(
        [
            f"Current time: {stamp(now, zone)}",
            "Time Source:  LOCAL CLOCK ",
            f"System booted: {stamp(booted, zone)} ({since_boot} ago)",
            f"Protocols started: {stamp(booted, zone)} ({since_boot} ago)",
            f"Last configured: {stamp(commit.when, zone)} ({since_commit} ago) by {commit.user}",
            w_line(now, zone, int(router.up_for.total_seconds()), len(router.logins), os.getloadavg()),
        ]
    )


async def version(session: Session, match: Match) -> Output:
    """`show version`: states that no Juniper software runs here, in lines that parsers of the real output accept.

    The release is that of Juniper's models from which the statements are taken.
    """
    del match
    return Output(
        [
            f"Hostname: {session.router.store.host_name}",
            "Model: keyroll-emulated",
            "Junos: 24.4R1.9",
            f"JUNOS emulated by keyroll, no Juniper software [{__version__}]",
        ]
    )
