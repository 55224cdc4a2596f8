"""Messages between the parts of a lab: JSON over a sequenced-packet Unix socket, with descriptors beside it."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keyroll.lab.protocol import LabError

Message = dict[str, Any]
_OCTETS_MAX = 65536
"""Of one message; a lab of 16 routers takes 4 kB, an injected frame in hex twice its length."""
_DESCRIPTORS_MAX = 64
"""Of one message; the kernel takes 253 (SCM_MAX_FD), a lab of two routers needs 14."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a new channel."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(channel: socket.socket, message: Message, descriptors: tuple[int, ...] = ()) -> None:
    """Send one message. Raises OSError when the other end is gone."""
    data = json.dumps(message).encode()
    if len(data) > _OCTETS_MAX:
        raise LabError(f"a message of {len(data)} octets is longer than {_OCTETS_MAX}")
    socket.send_fds(channel, [data], descriptors)


def receive(channel: socket.socket) -> tuple[Message, list[int]] | None:
    """Receive one message and the descriptors that came with it; None when the other end is gone.

    Raises:
        LabError: what came is not a message.
        BlockingIOError: the channel is non-blocking and nothing is there.
    """
    try:
        data, descriptors, _, _ = socket.recv_fds(channel, _OCTETS_MAX, _DESCRIPTORS_MAX)
    except ConnectionResetError:
        return None
    if not data:
        return None
    try:
        message = json.loads(data)
    except ValueError as error:
        raise LabError("malformed message on the lab's control channel") from error
    if not isinstance(message, dict):
        raise LabError("malformed message on the lab's control channel")
    return message, list(descriptors)


class RequestChannel:
    """Requests to one part of a lab, each of which is answered with the request's number (`id`).

    A part that was too slow may answer a request that nobody waits for any more. The number tells such an answer from
    that to a later request, so it is dropped.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._numbers = itertools.count(1)

    def begin(self, request: Message, descriptors: tuple[int, ...] = ()) -> int:
        """Send a request, with descriptors beside it, and return its number. Raises OSError when the part is gone."""
        number = next(self._numbers)
        # A part that reads nothing must not hold up whoever asks: its queue is full after some hundred requests.
        self._end.settimeout(0)
        send(self._end, {**request, "id": number}, descriptors)
        return number

    def finish(self, number: int, deadline: float) -> Message:
        """Return the answer to a request; `deadline` is a monotonic time.

        Raises:
            TimeoutError: there was none until then.
            LabError: the part is gone, or its answer is malformed.
        """
        while True:
            self._end.settimeout(max(0.0, deadline - time.monotonic()))
            try:
                received = receive(self._end)
            except BlockingIOError:  # the deadline has passed, and nothing is there
                raise TimeoutError from None
            if received is None:
                raise LabError("the part has ended")
            if received[0].get("id") == number:
                return received[0]

    def close(self) -> None:
        """Close this end; the part sees it."""
        self._end.close()


@dataclass(frozen=True, slots=True)
class Pinged:
    """The names of parts that did not answer a `ping` in time, and of those that have ended."""

    silent: tuple[str, ...]
    ended: tuple[str, ...]


def ping(parts: Mapping[str, RequestChannel], seconds: float) -> Pinged:
    """Send a `ping` to each part and wait `seconds` for all answers."""
    deadline = time.monotonic() + seconds
    numbers: dict[str, int | None] = {}
    for name, part in parts.items():
        try:
            numbers[name] = part.begin({"op": "ping"})
        except BlockingIOError:  # it has not read its former requests
            numbers[name] = None
        except OSError:
            continue
    silent, ended = [], [name for name in parts if name not in numbers]
    for name, number in numbers.items():
        if number is None:
            silent.append(name)
            continue
        try:
            parts[name].finish(number, deadline)
        except TimeoutError:
            silent.append(name)
        except (LabError, OSError):
            ended.append(name)
    return Pinged(tuple(silent), tuple(ended))


def answered(request: Message, answer: Message) -> Message:
    """Return an answer with its request's number, where the request has one."""
    return {**answer, "id": request["id"]} if "id" in request else answer
