"""Plays the steps on the link: cut, restore, impair, inject. Injected frames must be dropped, and are counted."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from datetime import timedelta

from keyroll.capture import SignedFrame, forge_icmp, forge_rst, forge_syn, unknown_key_id
from keyroll.lab.protocol import Impairment, Links, SteeringLinks
from keyroll.scenario.errors import RunBrokenError
from keyroll.scenario.file.fields import ANY, ICMP_ERROR, DropReason, RouterName
from keyroll.scenario.file.link_steps import CrossSyns, Impair, Inject
from keyroll.scenario.file.steps import Step
from keyroll.scenario.observe.wire import PORTS
from keyroll.scenario.play.context import Stage, other
from keyroll.scenario.record.result import Check

_ICMP = ("icmp-unreachable", "icmp-too-big")
_REASONS: Mapping[str, DropReason] = {
    "rst": "no-option",
    "rst-bad-mac": "bad-mac",
    "rst-unknown-keyid": "unknown-keyid",
    "syn": "no-option",
    "syn-bad-mac": "bad-mac",
    "icmp-unreachable": ICMP_ERROR,
    "icmp-too-big": ICMP_ERROR,
}
"""What each kind of forged frame must be dropped for."""


class Linker:
    """Plays steps on the (only) link of a lab."""

    def __init__(self, stage: Stage, links: Links, *, seed: int | str) -> None:
        self._stage = stage
        self._links = links
        self._seed = seed
        self._chance = random.Random(f"{seed}/forgery")  # noqa: S311 - a seeded forgery is meant to be repeatable
        self._impairments = 0

    def play(self, number: int, step: Step) -> None:
        """Play a step on the link."""
        if step.cut is not None:
            self._links.cut()
        elif step.restore is not None:
            self._links.restore()
        elif step.impair is not None:
            self._impair(step.impair)
        elif step.inject is not None:
            self._inject(number, step.inject)
        elif step.cross_syns is not None:
            self._cross_syns(step.cross_syns)

    def _cross_syns(self, step: CrossSyns) -> None:
        if not isinstance(self._links, SteeringLinks):
            raise RunBrokenError("this lab's links cannot make SYNs cross (`requires: [steer-tcp]` skips such labs)")
        self._links.cross_syns(PORTS[step.session])

    def _impair(self, step: Impair) -> None:
        self._stage.wire.special = self._links.special_frames
        for router in step.towards:
            self._impairments += 1
            impairment = Impairment(
                loss=step.loss,
                delay=(step.delay or timedelta()).total_seconds(),
                jitter=(step.jitter or timedelta()).total_seconds(),
                reorder=step.reorder,
                damage=step.damage,
                seed=random.Random(f"{self._seed}/impair/{self._impairments}").randrange(1 << 31),  # noqa: S311 - as above
            )
            self._links.impair(impairment, towards=router)

    def _inject(self, number: int, step: Inject) -> None:
        stage = self._stage
        stage.wire.special = self._links.special_frames
        stage.wire.pump()
        frames = self._frames(step)
        router, reason = step.towards, _REASONS.get(step.kind, ANY)
        before = stage.drops.read([router])[router]
        for frame in frames:
            self._links.inject(frame, towards=step.towards)
        if step.replays:
            return
        done = time.time_ns()
        since = stage.drops.read([router])[router].since(before)
        while (waited := _since(done)) < stage.waits.shown and since.of(reason) < len(frames):
            stage.pause.wait(stage.waits.poll.total_seconds())
            since = stage.drops.read([router])[router].since(before)
        stage.add(
            Check(
                "drops",
                passed=since.of(reason) >= len(frames),
                expected=f"{len(frames)} forged segments ({step.kind}) dropped by {router}: {reason}",
                observed=f"dropped since, {since.words()}",
                step=number,
                router=router,
                event=f"step {number} (inject)",
                after=waited,
            )
        )

    def _frames(self, step: Inject) -> list[bytes]:
        peer = other(step.towards)
        frames = self._stage.wire.received(step.towards, step.session)
        earlier = step.kind == "replay-earlier"
        seen = frames.before if earlier else frames.present
        if step.key is not None:
            seen = tuple(genuine for genuine in seen if genuine.key == step.key)
            if not seen:
                raise RunBrokenError(f"{peer} has sent nothing for {step.session} with key {step.key} to replay")
        if not seen:
            if earlier:
                raise RunBrokenError(f"{step.session} had no signed connection from {peer} before the present one")
            raise RunBrokenError(f"{peer} has sent {step.towards} nothing signed for {step.session} to forge from")
        if step.replays:
            return [genuine.frame for genuine in seen[-step.count :]]
        return [self._forge(step, seen[-1], peer) for _ in range(step.count)]

    def _forge(self, step: Inject, genuine: SignedFrame, peer: RouterName) -> bytes:
        if step.kind in ("syn", "syn-bad-mac"):
            key_id = genuine.key_id if step.kind == "syn-bad-mac" else None
            return forge_syn(genuine, key_id=key_id, chance=self._chance)
        if step.kind in _ICMP:
            sent = self._stage.wire.received(peer, step.session).present
            if not sent:
                raise RunBrokenError(f"{step.towards} has sent {peer} nothing signed that an ICMP error could quote")
            return forge_icmp(genuine, sent[-1], too_big=step.kind == "icmp-too-big")
        keys = [key for router in (peer, step.towards) for key in self._stage.keyring.given(router).chain.keys]
        numbers = {number for key in keys for number in (key.send_id, key.recv_id) if number is not None}
        key_id = {"rst": None, "rst-bad-mac": genuine.key_id, "rst-unknown-keyid": unknown_key_id(numbers)}[step.kind]
        return forge_rst(genuine, key_id=key_id, chance=self._chance)


def _since(instant: int) -> timedelta:
    return timedelta(microseconds=(time.time_ns() - instant) // 1000)
