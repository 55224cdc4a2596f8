"""Plays the steps on the link: cut, restore, impair, inject, cross-syns. Injected frames must be dropped."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from keyroll.capture import SignedFrame, forge_icmp, forge_rst, forge_syn, unknown_key_id
from keyroll.instants import until
from keyroll.lab.protocol import Impairment, Links, SteeringLinks
from keyroll.names import DropReason, SessionKind
from keyroll.scenario.errors import RunBrokenError
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.file.link_steps import CrossSyns, Cut, Impair, Inject, Restore
from keyroll.scenario.judge.actions import ForgedDropped
from keyroll.scenario.judge.findings import Finding
from keyroll.scenario.observe.wire import PORTS
from keyroll.scenario.plan.keyring import Span
from keyroll.scenario.play.context import Run, other, play
from keyroll.scenario.play.watch import act

_PART = "link"
_ICMP = ("icmp-unreachable", "icmp-too-big")
_REASONS: Mapping[str, DropReason] = {
    "rst": DropReason.NO_OPTION,
    "rst-bad-mac": DropReason.BAD_MAC,
    "rst-unknown-keyid": DropReason.UNKNOWN_KEY_ID,
    "syn": DropReason.NO_OPTION,
    "syn-bad-mac": DropReason.BAD_MAC,
    "icmp-unreachable": DropReason.ICMP_ERROR,
    "icmp-too-big": DropReason.ICMP_ERROR,
}
"""The reason for which each kind of forged frame must be dropped."""


class SeededChoices:
    """The random choices of a run's steps on the link, repeatable with the run's seed."""

    def __init__(self, run: Run) -> None:
        self._seed = run.seed
        self.forgery = random.Random(f"{run.seed}/forgery")  # noqa: S311 - forged frames must be repeatable, not secret
        self._impairments = 0

    def next_impairment(self) -> int:
        """Return the seed of the next impairment."""
        self._impairments += 1
        return random.Random(f"{self._seed}/impair/{self._impairments}").randrange(1 << 31)  # noqa: S311 - as above


@play.register
def _(step: Cut, run: Run) -> Span:
    return act(run, _PART, _links(step, run).cut)


@play.register
def _(step: Restore, run: Run) -> Span:
    return act(run, _PART, _links(step, run).restore)


@play.register
def _(step: Impair, run: Run) -> Span:
    return act(run, _PART, partial(_impair, step, run))


@play.register
def _(step: Inject, run: Run) -> Span:
    return act(run, _PART, partial(_inject, step, run))


@play.register
def _(step: CrossSyns, run: Run) -> Span:
    return act(run, _PART, partial(_cross_syns, step, run))


def _links(step: Cut | Restore | Impair | Inject | CrossSyns, run: Run) -> Links:
    if run.routers.links is None:
        raise RunBrokenError(f"`{step.kind}`: this lab cannot act on the link")
    return run.routers.links


def _cross_syns(step: CrossSyns, run: Run) -> None:
    links = _links(step, run)
    if not isinstance(links, SteeringLinks):
        raise RunBrokenError("this lab's links cannot make SYNs cross (`requires: [steer-tcp]` skips such labs)")
    kinds = [run.scenario.kinds[name] for name in run.sessions_of(step.session)] or [SessionKind(step.session)]
    links.cross_syns(PORTS[kinds[0]])


def _impair(step: Impair, run: Run) -> None:
    links = _links(step, run)
    run.wire.special = links.special_frames
    for router in step.towards:
        impairment = Impairment(
            loss=step.loss,
            delay=(step.delay or timedelta()).total_seconds(),
            jitter=(step.jitter or timedelta()).total_seconds(),
            reorder=step.reorder,
            damage=step.damage,
            seed=run.kept(SeededChoices).next_impairment(),
        )
        links.impair(impairment, towards=router)


def _inject(step: Inject, run: Run) -> None:
    links = _links(step, run)
    run.wire.special = links.special_frames
    run.wire.pump()
    frames = _frames(step, run)
    router, drops = step.towards, run.routers.drops
    before = drops.read([router])[router]
    for frame in frames:
        links.inject(frame, towards=router)
    if step.replays:
        return
    done = run.clock.now()
    assertion = ForgedDropped(router, step.forged, len(frames), _REASONS[step.forged])
    findings: list[Finding] = []

    def dropped() -> bool:
        findings.append(assertion.judge(drops.read([router])[router].since(before)))
        return findings[-1].holds

    until(run.clock, dropped, deadline=done + run.waits.shown, poll=run.waits.poll, check=run.routers.check)
    run.found(assertion, findings[-1], event=f"step {run.number} (inject)", after=run.clock.now() - done)


def _frames(step: Inject, run: Run) -> list[bytes]:
    peer = other(step.towards)
    session = _forged_session(step, run)
    frames = run.wire.received(step.towards, session)
    earlier = step.forged == "replay-earlier"
    seen = frames.earlier if earlier else frames.current
    if step.key is not None:
        seen = tuple(one for one in seen if one.key == step.key)
        if not seen:
            raise RunBrokenError(f"cannot replay: {peer} has sent no frame for {session} with key {step.key}")
    if not seen:
        if earlier:
            raise RunBrokenError(f"{session} had no earlier connection with signed frames from {peer}")
        raise RunBrokenError(f"cannot forge a frame: {peer} has sent {step.towards} no signed frame for {session}")
    if step.replays:
        return [one.frame for one in seen[-step.count :]]
    return [_forge(step, run, seen[-1], peer) for _ in range(step.count)]


def _forged_session(step: Inject, run: Run) -> str:
    """Return the session that frames are forged for; for a kind, the file's first session of that kind."""
    return next(iter(run.sessions_of(step.session)), step.session)


def _forge(step: Inject, run: Run, frame: SignedFrame, peer: RouterName) -> bytes:
    randomness = run.kept(SeededChoices).forgery
    if step.forged in ("syn", "syn-bad-mac"):
        return forge_syn(frame, key_id=frame.key_id if step.forged == "syn-bad-mac" else None, rng=randomness)
    if step.forged in _ICMP:
        sent = run.wire.received(peer, _forged_session(step, run)).current
        if not sent:
            raise RunBrokenError(f"cannot forge an ICMP error: {step.towards} has sent {peer} no signed frame to quote")
        return forge_icmp(frame, sent[-1], too_big=step.forged == "icmp-too-big")
    session = _forged_session(step, run)
    keys = [key for router in (peer, step.towards) for key in run.keyring.deployed(router).chain_of(session).keys]
    numbers = {number for key in keys for number in (key.send_id, key.recv_id) if number is not None}
    key_id = {"rst": None, "rst-bad-mac": frame.key_id, "rst-unknown-keyid": unknown_key_id(numbers)}[step.forged]
    return forge_rst(frame, key_id=key_id, rng=randomness)
