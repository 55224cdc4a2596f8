"""Plays a drawn pair between two sockets of a kernel with TCP-AO, edge by edge, without a router of this project.

The kernel has keys but no schedule, so this module applies the policies: a socket has a key while the router accepts
it, and requests (RNextKeyID) the latest key whose start-time has passed. Under `rnext` the kernel changes the sending
key by itself; under `clock` it is set before each segment, because the kernel would follow the peer's request.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from tests.lab.check.pairs import BEGIN, Drawn
from tests.lab.wire import kernel_sockets as kernel
from tests.unit.accepted_keys import acceptable
from tests.unit.known import known

from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.schedule import send_key
from keyroll.names import Receiving, Sending

ROUTERS = ("R1", "R2")
ADDRESSES = ("127.0.0.1", "127.0.0.2")
NOT_FOUND, BAD = "key-not-found", "bad-mac"
_ROUNDS = 3
"""Segments each way after an edge: the first has a request, the second follows it, and the third shows the result."""
_SECONDS = 10.0
"""On the loopback interface a segment has arrived or is dropped when `send` returns; a busy machine may take longer."""


class Unplayable(Exception):  # noqa: N818 - a limit of the kernel, not an error
    """The kernel's sockets cannot be brought to do what the pair's policies say."""


@dataclass(frozen=True)
class Drop:
    """The first segment that did not get through."""

    edge: datetime
    receiver: str
    reason: str
    key: int


@dataclass
class Played:
    """The result: the first drops, or else the keys with which each router sent."""

    dropped: list[Drop] = field(default_factory=list)
    keys: dict[str, list[int]] = field(default_factory=lambda: {router: [] for router in ROUTERS})


class Router:
    """One end: a chain, its policies, and the socket with its keys."""

    def __init__(self, name: str, chain: Keychain, policy: tuple[Sending, Receiving], peer: str) -> None:
        self.name, self.chain, self.peer = name, chain, peer
        self.sending, self.receiving = policy
        self.held: dict[int, Key] = {}
        self.sock = socket.socket()

    def begin(self, *, opens: bool) -> None:
        """Give the socket its first keys."""
        first = send_key(self.chain, BEGIN)
        for key in acceptable(self.chain, BEGIN, self.receiving):
            begins = opens and key == first
            self._add(key, flags=kernel.SET_CURRENT | kernel.SET_RNEXT if begins else 0)

    def come_to(self, now: datetime) -> None:
        """Add and delete keys as the schedule says at an instant, and request the key that is due."""
        wanted = {key.id: key for key in acceptable(self.chain, now, self.receiving)}
        for number in wanted.keys() - self.held.keys():
            self._add(wanted[number])
        due = send_key(self.chain, now)
        assert due is not None
        kernel.ask(self.sock, rnext=known(due.recv_id), current=due.send_id if self.sending is Sending.CLOCK else None)
        for number in self.held.keys() - wanted.keys():
            try:
                kernel.delete_key(self.sock, mirrored(self.held[number]), self.peer)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                raise Unplayable("a socket cannot stop accepting a key with which it sends") from None
            del self.held[number]

    def signs_with(self) -> int:
        """Return the number of the key that signs what is sent next."""
        current = kernel.info(self.sock).current
        (number,) = [key.id for key in self.held.values() if key.send_id == current]
        return number

    def _add(self, key: Key, *, flags: int = 0) -> None:
        try:
            kernel.add_key(self.sock, mirrored(key), self.peer, flags=flags)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
            raise Unplayable("a socket cannot have two keys with one id") from None
        self.held[key.id] = key


def mirrored(key: Key) -> Key:
    """Return the key as the peer has it, because `kernel_sockets` takes the peer's form."""
    return replace(key, send_id=key.recv_id, recv_id=key.send_id)


def play(pair: Drawn) -> Played:
    """Play a pair up to its first drop, with equal clocks.

    Raises:
        Unplayable: a kernel's socket cannot do what the pair needs.
    """
    ends = [
        Router(name, chain, policy, peer)
        for name, chain, policy, peer in zip(ROUTERS, pair.chains, pair.mix, ADDRESSES[::-1], strict=True)
    ]
    found = Played()
    with connected(*ends):
        for edge in [BEGIN, *pair.edges()]:
            for end in ends:
                end.come_to(edge)
            found.dropped = [drop for _ in range(_ROUNDS) for drop in exchanged(ends, edge, found)]
            if found.dropped:
                break
    return found


@contextlib.contextmanager
def connected(one: Router, other: Router) -> Iterator[None]:
    """Connect two routers' sockets, the first one's to the second's."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(other.sock)
        listening.bind((ADDRESSES[1], 0))
        other.begin(opens=False)
        listening.listen()
        stack.enter_context(one.sock).bind((ADDRESSES[0], 0))
        one.begin(opens=True)
        one.sock.settimeout(_SECONDS)
        one.sock.connect(listening.getsockname())
        listening.settimeout(_SECONDS)
        other.sock, _ = listening.accept()
        stack.enter_context(other.sock)
        for sock in (one.sock, other.sock):
            sock.settimeout(_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield


def exchanged(ends: list[Router], edge: datetime, found: Played) -> list[Drop]:
    """Send one segment each way; return what was dropped."""
    dropped = []
    for sender, receiver in (ends, ends[::-1]):
        if sender.sending is Sending.CLOCK:
            sender.come_to(edge)
        key = sender.signs_with()
        before = kernel.info(receiver.sock)
        sender.sock.send(b"keyroll!")
        reason = dropped_for(receiver, before)
        if reason is not None:
            dropped.append(Drop(edge, receiver.name, reason, key))
            continue
        receiver.sock.recv(64)
        if found.keys[sender.name][-1:] != [key]:
            found.keys[sender.name].append(key)
    return dropped


def dropped_for(receiver: Router, before: kernel.Info) -> str | None:
    """Return why the segment that was just sent does not arrive, or None when it does."""
    waits = select.poll()
    waits.register(receiver.sock, select.POLLIN)
    for _ in range(int(_SECONDS * 10)):
        if waits.poll(0):
            return None
        now = kernel.info(receiver.sock)
        if now.bad > before.bad:
            return BAD
        if now.not_found > before.not_found:
            return NOT_FOUND
        if waits.poll(100):
            return None
    raise AssertionError(f"a segment to {receiver.name} neither arrived nor was counted within {_SECONDS:g} s")


__all__ = ["BAD", "NOT_FOUND", "Played", "Unplayable", "play"]
