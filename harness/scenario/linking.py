"""Plays the steps on the link: cut, restore, impair, inject. Injected frames must be dropped, and are counted."""

from __future__ import annotations

import random
import time
from datetime import timedelta

from harness.junos.records import TcpStatistics
from harness.lab.protocol import Impairment, Links
from harness.scenario.errors import RunBrokenError
from harness.scenario.fields import RouterName
from harness.scenario.forgery import forge_icmp, forge_rst, forge_syn, unknown_key_id
from harness.scenario.genuine import Genuine
from harness.scenario.linksteps import Impair, Inject
from harness.scenario.result import Check
from harness.scenario.stage import Stage, other
from harness.scenario.steps import Step

STATISTICS = "show system statistics tcp"
_ICMP = ("icmp-unreachable", "icmp-too-big")
_ICMP_IGNORED = "ICMP packets ignored by TCP"


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
        dropped = self._dropped(step)
        for frame in frames:
            self._links.inject(frame, towards=step.towards)
        if step.replays:
            return
        done = time.time_ns()
        seen = 0
        while (waited := _since(done)) < stage.waits.shown and seen < len(frames):
            seen = self._dropped(step) - dropped
            stage.pause.wait(stage.waits.poll.total_seconds())
        stage.add(
            Check(
                "drops",
                passed=seen >= len(frames),
                expected=f"{len(frames)} forged segments ({step.kind}) dropped by {step.towards} for authentication",
                observed=f"{seen} more drops than before",
                step=number,
                router=step.towards,
                event=f"step {number} (inject)",
                after=waited,
            )
        )

    def _frames(self, step: Inject) -> list[bytes]:
        peer = other(step.towards)
        frames = self._stage.wire.genuine(step.towards, step.session)
        earlier = step.kind == "replay-earlier"
        seen = frames.before if earlier else frames.present
        if not seen:
            if earlier:
                raise RunBrokenError(f"{step.session} had no signed connection from {peer} before the present one")
            raise RunBrokenError(f"{peer} has sent {step.towards} nothing signed for {step.session} to forge from")
        if step.replays:
            return [genuine.frame for genuine in seen[-step.count :]]
        return [self._forge(step, seen[-1], peer) for _ in range(step.count)]

    def _forge(self, step: Inject, genuine: Genuine, peer: RouterName) -> bytes:
        if step.kind == "syn":
            return forge_syn(genuine, chance=self._chance)
        if step.kind in _ICMP:
            sent = self._stage.wire.genuine(peer, step.session).present
            if not sent:
                raise RunBrokenError(f"{step.towards} has sent {peer} nothing signed that an ICMP error could quote")
            return forge_icmp(genuine, sent[-1], too_big=step.kind == "icmp-too-big")
        keys = [key for router in (peer, step.towards) for key in self._stage.keyring.given(router).chain.keys]
        numbers = {number for key in keys for number in (key.send_id, key.recv_id) if number is not None}
        key_id = {"rst": None, "rst-bad-mac": genuine.key_id, "rst-unknown-keyid": unknown_key_id(numbers)}[step.kind]
        return forge_rst(genuine, key_id=key_id, chance=self._chance)

    def _dropped(self, step: Inject) -> int:
        """Return how many of what is injected the router has dropped, by its own counter of that kind.

        Raises:
            RunBrokenError: the router does not count ICMP errors that it ignores.
        """
        router = step.towards
        counted = self._stage.pair.show(STATISTICS, [router])[router].parsed_as(TcpStatistics)
        if step.kind not in _ICMP:
            return counted.receive_dropped
        ignored = dict(counted.counters).get(_ICMP_IGNORED)
        if ignored is None:
            raise RunBrokenError(f"{router} does not say how many ICMP errors it ignored ('{_ICMP_IGNORED}')")
        return ignored


def _since(instant: int) -> timedelta:
    return timedelta(microseconds=(time.time_ns() - instant) // 1000)
