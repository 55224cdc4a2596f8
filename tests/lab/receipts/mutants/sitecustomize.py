"""Break an emulated router on purpose, from outside: keyroll itself has no option for it.

Python imports this module at its start if its folder is on PYTHONPATH. In the processes of emulated routers, and in the
program that they are forked from, it replaces methods of the router; KEYROLL_TEST_MUTANT names the mutant.
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
    """Replace attributes of a class or a module."""
    for name, method in methods.items():
        setattr(owner, name, method)


def signs_with_the_old_key() -> None:
    """The sending key never changes; the show output, which takes it from the key clock, says that it has changed."""
    from keyroll.emulator.contract.key_clock import KeyClock

    def first(self: KeyClock, now: int, *_: object) -> int | None:
        return self.keys[0].number if self.active(now) is not None else None

    replace_methods(KeyClock, sent=first)


def receives(reasons: list[str]) -> None:
    """Segments that would be dropped for these reasons are accepted."""
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
    """A received RNextKeyID changes nothing, even under the policy in which it selects the sending key (RFC 5925)."""
    from keyroll.emulator.contract.key_clock import KeyClock

    replace_methods(KeyClock, follow=lambda _self, _now, current, _named: current)


def resets(kind: str, *, stuck: bool = False) -> None:
    """When the clock is set forward, BGP or LDP (`kind`) is reset, and is back at once.

    With `stuck` the output shows sessions that never flapped.
    """
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

    replace_methods(Machine, set_clock=resetting_ldp if kind == "ldp" else resetting)
    if stuck:
        replace_methods(Machine, bgp=steady)


def wrong_sne() -> None:
    """The sequence number extension stays at 0 when sequence numbers pass 2^32; both routers agree on it."""
    from keyroll.tcpao.sne import SneTracker

    replace_methods(SneTracker, sne_for=lambda _self, _seq: 0)


def ldp_frames(port: socket.socket) -> Iterator[tuple[bytes, bool]]:
    """Yield the LDP frames over IPv4 of a packet socket, and whether this router sent them."""
    import socket

    while True:
        frame, sender = port.recvfrom(2048)
        if len(frame) > 47 and (646).to_bytes(2, "big") in (frame[34:36], frame[36:38]):
            yield frame, sender[2] == socket.PACKET_OUTGOING


def resets_ldp_briefly() -> None:
    """When the clock is set forward the LDP session is reset, and back within milliseconds: no sample shows it down.

    ldpd connects again when it receives a hello, so this router's last hello is sent again at once. The output shows a
    session that was up all the time.
    """
    import asyncio
    import socket

    from keyroll import linux
    from keyroll.emulator.machine.machine import Machine

    set_clock, ldp = Machine.set_clock, Machine.ldp_sessions
    labels = Machine.ldp_bindings
    kept: dict[str, Any] = {}

    def reset_and_send_hello(namespace: int, reset: Callable[[], None]) -> None:
        with linux.inside(namespace):
            port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        with port:
            port.bind(("ge-0-0-0", 0x0003))
            port.settimeout(30)  # hellos are sent each second
            hello = next(frame for frame, own in ldp_frames(port) if own and frame[23] == socket.IPPROTO_UDP)
            reset()
            next(
                frame
                for frame, own in ldp_frames(port)
                if not own and frame[23] == socket.IPPROTO_TCP and frame[47] & 1
            )
            port.send(hello)  # only now: the peer has closed its end

    async def resetting(self: Machine, moment: datetime) -> None:
        forward = moment - self.now() > timedelta(minutes=1) and await ldp(self)
        await set_clock(self, moment)
        if forward:
            kept.update(labels=await labels(self), sessions=await ldp(self), at=time.monotonic())
            loop = asyncio.get_running_loop()

            def reset() -> None:
                asyncio.run_coroutine_threadsafe(self.clear_ldp(None), loop).result(30)

            if self._applied.intent.host_name == "R1":  # R2 connects, because it has the greater address
                await asyncio.to_thread(reset_and_send_hello, self.inner_namespace, reset)

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
    """A configured secret is stored with one more character: both routers agree, and its `$9$` text hides it."""
    from keyroll.emulator.junos.configuration import values
    from keyroll.keychain.secret import Secret
    from keyroll.keychain.type9 import encode_type9

    def longer(secret: Secret, salt: int) -> str:
        return encode_type9(Secret(secret.reveal() + b"x"), salt)

    replace_methods(values, encode_type9=longer)


def loses_labels() -> None:
    """When the clock is set forward, the labels are missing in one output; the LDP session does not change."""
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
    "resets-bgp": lambda: resets("bgp"),
    "resets-bgp-with-a-stuck-counter": lambda: resets("bgp", stuck=True),
    "resets-ldp": lambda: resets("ldp"),
}

if MUTANT and any(word.startswith(("keyroll.emulator", "keyroll.lab.embedded")) for word in sys.orig_argv):
    MUTANTS[MUTANT]()
