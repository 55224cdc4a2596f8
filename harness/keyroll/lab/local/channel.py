"""Messages between the parts of a lab: JSON and file descriptors over a sequenced-packet Unix socket."""

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
"""Longest message, in octets; a lab of 16 routers needs 4 kB, an injected frame in hex twice its length."""
_DESCRIPTORS_MAX = 64
"""Most descriptors in one message: the kernel's limit is 253 (SCM_MAX_FD), a lab of two routers needs 14."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a new channel."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(channel: socket.socket, message: Message, descriptors: tuple[int, ...] = ()) -> None:
    """Send one message. Raises OSError when the other end is closed."""
    data = json.dumps(message).encode()
    if len(data) > _OCTETS_MAX:
        raise LabError(f"a message of {len(data)} octets is longer than {_OCTETS_MAX}")
    socket.send_fds(channel, [data], descriptors)


def receive(channel: socket.socket) -> tuple[Message, list[int]] | None:
    """Receive one message and its descriptors; None when the other end is closed.

    Raises:
        LabError: the message is malformed.
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
    """Requests to one part of a lab; each answer carries the request's number (`id`).

    A slow part may answer after the caller has given up. The number identifies such a late answer, which is dropped.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._numbers = itertools.count(1)

    def begin(self, request: Message, descriptors: tuple[int, ...] = ()) -> int:
        """Send a request with its descriptors, and return its number. Raises OSError when the part has ended."""
        number = next(self._numbers)
        # Do not block if a part reads nothing: its queue is full after some hundred requests.
        self._end.settimeout(0)
        send(self._end, {**request, "id": number}, descriptors)
        return number

    def finish(self, number: int, deadline: float) -> Message:
        """Return the answer to a request; `deadline` is a monotonic time.

        Raises:
            TimeoutError: no answer before the deadline.
            LabError: the part has ended, or its answer is malformed.
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
    """The names of the parts that did not answer a `ping` in time, and of those that have ended."""

    silent: tuple[str, ...]
    ended: tuple[str, ...]


def ping(parts: Mapping[str, RequestChannel], seconds: float) -> Pinged:
    """Send a `ping` to each part and wait `seconds` for all answers."""
    deadline = time.monotonic() + seconds
    numbers: dict[str, int | None] = {}
    for name, part in parts.items():
        try:
            numbers[name] = part.begin({"op": "ping"})
        except BlockingIOError:  # its queue is full: it has not read the earlier requests
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
    """Return an answer with its request's number, if the request has one."""
    return {**answer, "id": request["id"]} if "id" in request else answer
