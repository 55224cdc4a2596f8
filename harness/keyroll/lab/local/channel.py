"""Messages between the parts of a lab: JSON over a sequenced-packet Unix socket, with descriptors beside it."""

from __future__ import annotations

import json
import socket
from typing import Any

from keyroll.lab.protocol import LabError

Message = dict[str, Any]
_OCTETS_MAX = 65536
_DESCRIPTORS_MAX = 64


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
        raise LabError("a part of the lab sent something that is no message") from error
    if not isinstance(message, dict):
        raise LabError("a part of the lab sent something that is no message")
    return message, list(descriptors)
