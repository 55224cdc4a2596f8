"""Traffic for the tests of the wire path."""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
from datetime import timedelta
from typing import Any

from tests.lab.wire import judging
from tests.lab.wire.judging import T0
from tests.lab.wire.two_routers import Rig

from keyroll.keychain.model import Keychain


def echo(near: socket.socket, far: socket.socket, octets: bytes = b"hello") -> None:
    """Send both ways, and wait until both have arrived: then each direction was acknowledged."""
    near.sendall(octets)
    assert read(far, len(octets)) == octets
    far.sendall(octets)
    assert read(near, len(octets)) == octets


def read(sock: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        part = sock.recv(length - len(found))
        assert part, "closed early"
        found += part
    return found


def protect(rig: Rig, chain: Keychain | None = None, **options: Any) -> None:
    """Protect the BGP session on both routers; set their clocks to a minute after the first key's start."""
    for router, bump in enumerate(rig.bumps):
        bump.clock(T0 + timedelta(minutes=1))
        bump.set(judging.session(router, chain or judging.chain(judging.key(0)), **options))


def transfer(source: socket.socket, sink: socket.socket, octets: bytes) -> None:
    """Send octets from one end to the other, and compare the hashes of what was sent and received."""
    found = hashlib.sha256()
    failed: list[OSError] = []

    def send() -> None:
        try:
            source.sendall(octets)
        except OSError as error:
            failed.append(error)

    sending = threading.Thread(target=send)
    sending.start()
    left = len(octets)
    while left:
        part = sink.recv(min(left, 1 << 20))
        assert part, failed
        found.update(part)
        left -= len(part)
    sending.join()
    assert found.digest() == hashlib.sha256(octets).digest()


def ip_packet(src: bytes, dst: bytes, tcp: bytes) -> bytes:
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 1, 6, 0) + src + dst
    total = sum(struct.unpack("!10H", ip))
    total = (total & 0xFFFF) + (total >> 16)
    return ip[:10] + struct.pack("!H", 0xFFFF ^ total) + ip[12:] + tcp
