"""Breaks an emulated router on purpose, from outside: the product has no switch for it.

Python imports this module at its start when its folder is on PYTHONPATH. In the processes of emulated routers and of
what they are forked from (and in no other) it replaces methods of the router's parts, as the mutant that
KEYROLL_TEST_MUTANT names has it.
"""

# ruff: noqa: PLC0415 -- nothing of the product may be imported in processes that are no emulated router
from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from keyroll.names import DropReason

if TYPE_CHECKING:
    import socket

MUTANT = os.environ.get("KEYROLL_TEST_MUTANT", "")


def replace_methods(owner: object, **methods: Callable[..., object]) -> None:
    """Put these in the place of what a class or a module has under their names."""
    for name, method in methods.items():
        setattr(owner, name, method)


def signs_with_the_old_key() -> None:
    """The sending key never moves; the show output, which asks the key clock what is active, says that it did."""
    from keyroll.emulator.contract.key_clock import KeyClock

    def first(self: KeyClock, now: int, *_: object) -> int | None:
        return self.keys[0].number if self.active(now) is not None else None

    replace_methods(KeyClock, sent=first)


def receives(reasons: list[str]) -> None:
    """Segments that would be dropped for these reasons get in."""
    from keyroll.emulator.wire.bump.live_connections import PASS
    from keyroll.emulator.wire.bump.receiving import Receiver, stripped

    judge = Receiver.judge
    named = {DropReason[reason] for reason in reasons}

    def lenient(self: Any, *arguments: Any) -> Any:
        verdict = judge(self, *arguments)
        if verdict not in named:
            return verdict
        segment = arguments[2]
        ao = segment.scan().ao
        return PASS if ao is None else stripped(segment, ao)

    replace_methods(Receiver, judge=lenient)


def ignores_rnext() -> None:
    """A received RNextKeyID moves nothing, also where RFC 5925 has it move the sending key."""
    from keyroll.emulator.contract.key_clock import KeyClock

    replace_methods(KeyClock, follow=lambda _self, _now, current, _named: current)


def resets(*, lies: str) -> None:
    """When the clock is set forward the sessions are reset (they are back at once); flap counters are stuck, or not."""
    from keyroll.emulator.machine.machine import Machine

    set_clock, bgp, ldp = Machine.set_clock, Machine.bgp, Machine.ldp_sessions

    async def resetting(self: Machine, moment: datetime) -> None:
        forward = moment - self.now() > timedelta(minutes=1) and await bgp(self)
        await set_clock(self, moment)
        if forward:
            await self.clear_bgp(None, soft=False)

    async def resetting_ldp(self: Machine, moment: datetime) -> None:
        forward = moment - self.now() > timedelta(minutes=1) and await ldp(self)
        await set_clock(self, moment)
        if forward:
            await self.clear_ldp(None)

    async def steady(self: Machine) -> list[Any]:
        return [
            replace(state, flaps=0, state="Established", since_seconds=state.since_seconds + 1000)
            for state in await bgp(self)
        ]

    replace_methods(Machine, set_clock=resetting_ldp if lies == "ldp" else resetting)
    if lies == "bgp":
        replace_methods(Machine, bgp=steady)


def wrong_sne() -> None:
    """The sequence number extension stays at 0 when sequence numbers pass 2^32; both routers agree on it."""
    from keyroll.tcpao.sne import SneTracker

    replace_methods(SneTracker, sne_for=lambda _self, _seq: 0)


def heard(port: socket.socket) -> Iterator[tuple[bytes, bool]]:
    """Yield LDP's frames over IPv4 that pass a packet socket, and whether they are this router's own."""
    import socket

    while True:
        frame, sender = port.recvfrom(2048)
        if len(frame) > 47 and (646).to_bytes(2, "big") in (frame[34:36], frame[36:38]):
            yield frame, sender[2] == socket.PACKET_OUTGOING


def resets_ldp_briefly() -> None:
    """When the clock is set forward the LDP session is reset, and back within milliseconds: no sample sees it down.

    ldpd connects anew when it hears a hello; the last one that this router sent is sent once more, at once. The show
    output tells of a session that has been up all the time.
    """
    import asyncio
    import socket

    from keyroll import linux
    from keyroll.emulator.machine.machine import Machine

    set_clock, ldp = Machine.set_clock, Machine.ldp_sessions
    labels = Machine.ldp_bindings
    kept: dict[str, Any] = {}

    def overhear(namespace: int, reset: Callable[[], None]) -> None:
        with linux.inside(namespace):
            port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        with port:
            port.bind(("ge-0-0-0", 0x0003))
            port.settimeout(5)
            hello = next(frame for frame, own in heard(port) if own and frame[23] == socket.IPPROTO_UDP)
            reset()
            next(frame for frame, own in heard(port) if not own and frame[23] == socket.IPPROTO_TCP and frame[47] & 1)
            port.send(hello)  # the peer has closed its end just now

    async def resetting(self: Machine, moment: datetime) -> None:
        forward = moment - self.now() > timedelta(minutes=1) and await ldp(self)
        await set_clock(self, moment)
        if forward:
            kept.update(labels=await labels(self), sessions=await ldp(self), at=time.monotonic())
            loop = asyncio.get_running_loop()

            def reset() -> None:
                asyncio.run_coroutine_threadsafe(self.clear_ldp(None), loop).result(5)

            if self._applied.intent.host_name == "R1":  # R2, with the greater address, is the one that connects
                await asyncio.to_thread(overhear, self.inner_namespace, reset)

    async def steady(self: Machine) -> list[Any]:
        return (
            [replace(one, up_seconds=one.up_seconds + int(time.monotonic() - kept["at"])) for one in kept["sessions"]]
            if kept
            else await ldp(self)
        )

    async def labelled(self: Machine) -> list[Any]:
        return kept.get("labels") or await labels(self)

    replace_methods(Machine, set_clock=resetting, ldp_sessions=steady, ldp_bindings=labelled)


def stores_another_secret() -> None:
    """What is typed as a secret is kept with one character more: both routers agree, and nobody sees it by its text."""
    from keyroll.emulator.junos.configuration import values
    from keyroll.keychain.secret import Secret
    from keyroll.keychain.type9 import encode_type9

    def longer(secret: Secret, salt: int) -> str:
        return encode_type9(Secret(secret.reveal() + b"x"), salt)

    replace_methods(values, encode_type9=longer)


def loses_labels() -> None:
    """When the clock is set forward the labels are gone for one look; the LDP session is as it was."""
    from keyroll.emulator.machine.machine import Machine

    set_clock, bindings = Machine.set_clock, Machine.ldp_bindings
    forward: list[bool] = []

    async def noting(self: Machine, moment: datetime) -> None:
        forward.append(moment - self.now() > timedelta(minutes=1))
        await set_clock(self, moment)

    async def losing(self: Machine) -> list[Any]:
        found = await bindings(self)
        if found and any(forward):
            forward.clear()
            return []
        return found

    replace_methods(Machine, set_clock=noting, ldp_bindings=losing)


MUTANTS: dict[str, Callable[[], None]] = {
    "loses-labels": loses_labels,
    "wrong-sne": wrong_sne,
    "resets-ldp-briefly": resets_ldp_briefly,
    "stores-another-secret": stores_another_secret,
    "signs-with-the-old-key": signs_with_the_old_key,
    "accepts-unsigned": lambda: receives(["NO_OPTION"]),
    "accepts-any-keyid": lambda: receives(["UNKNOWN_KEY_ID"]),
    "accepts-bad-mac": lambda: receives(["BAD_MAC"]),
    "ignores-rnext": ignores_rnext,
    "resets-bgp": lambda: resets(lies="no"),
    "resets-bgp-with-a-stuck-counter": lambda: resets(lies="bgp"),
    "resets-ldp": lambda: resets(lies="ldp"),
}

if MUTANT and any(word.startswith(("keyroll.emulator", "keyroll.lab.embedded")) for word in sys.orig_argv):
    MUTANTS[MUTANT]()
