"""Plays `cli`: lines of Junos from the file, sent in its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, IPv6Address

from keyroll.junos.errors import CommandError
from keyroll.junos.pair import Draft
from keyroll.keychain.model import Keychain
from keyroll.names import SessionKind
from keyroll.scenario.file.commit_steps import Cli
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.judge.actions import LineShows
from keyroll.scenario.plan.keyring import Span
from keyroll.scenario.play.committing import Proposal, Typed, comment, commit
from keyroll.scenario.play.context import Run, other, play
from keyroll.scenario.play.read_back import ReadBack
from keyroll.scenario.play.watch import act

_CHAINS = "authentication-key-chains"
"""A typed line with this word changes keychains, which then differ from the file's."""


@play.register
def _(step: Cli, run: Run) -> Span:
    return act(run, "commits", partial(_type, step, run))


def _type(step: Cli, run: Run) -> None:
    for router in step.routers:
        if step.configure:
            _configure(step, run, router)
        if step.commands:
            _ask(step, run, router)


def _configure(step: Cli, run: Run, router: RouterName) -> None:
    lines = [_placed(run, router, line) for line in step.configure]
    proposal = Proposal(Draft.of(lines, comment=comment(run)), lines, Typed())
    begun = run.now()
    commit(run, {router: proposal}, refused=step.refused)
    if any(_CHAINS in line for line in lines):
        found = run.kept(ReadBack).allow_typed(run.routers.pair.sessions[router])
        if step.refused is None:
            _take_typed_keys(run, router, found, Span(begun, run.now()))


def _take_typed_keys(run: Run, router: RouterName, found: Sequence[Keychain], span: Span) -> None:
    """Add keys that were typed into a chain to the intended ones, so that segments are judged with them.

    A key of the file that was changed by a typed line stays as the file has it: that change is a mistake on purpose.
    """
    held = run.keyring.intended(router)
    for chain in found:
        known = held.named(chain.name)
        typed = tuple(key for key in chain.keys if key.usable and known.key(key.id) is None)
        if chain.name in held.chains and typed:
            run.keyring.commit(router, held.with_chain(replace(known, keys=(*known.keys, *typed))), span)
            held = run.keyring.intended(router)


def _ask(step: Cli, run: Run, router: RouterName) -> None:
    session = run.routers.pair.sessions[router]
    answer, refused = "", False
    for command in (_placed(run, router, line) for line in step.commands):
        try:
            answer = session.show(command).raw
        except CommandError as error:
            answer, refused = error.words, True
            if step.refused is None and step.shows is None:
                raise
    wanted = step.shows if step.shows is not None else step.refused
    if wanted is not None:
        assertion = LineShows(router, step.commands[-1], wanted, must_be_refused=step.refused is not None)
        run.found(assertion, assertion.judge(answer, refused=refused))


def _placed(run: Run, router: RouterName, line: str) -> str:
    peer = other(router)
    peers, plans = run.routers.peers, run.routers.plans
    # `peers` are the addresses of the first BGP session, so the peer's AS is that of this session.
    first = next((one for one in run.scenario.sessions if one.kind is SessionKind.BGP), None)
    opened = None if first is None else run.scenario.opened_with(first, peer)
    return placed(line, own=peers[peer], peer=peers[router], peer_as=opened or plans[peer].asn)


def placed(line: str, *, own: IPv4Address | IPv6Address, peer: IPv4Address | IPv6Address, peer_as: int) -> str:
    """Return a line of a `cli` step with `<own>`, `<peer>` and `<peer-as>` replaced by the values of its session.

    So a file needs no addresses, and has a line once for both routers.
    """
    for word, value in (("<own>", own), ("<peer>", peer), ("<peer-as>", peer_as)):
        line = line.replace(word, str(value))
    return line
