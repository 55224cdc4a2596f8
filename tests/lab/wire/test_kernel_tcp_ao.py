"""The wire path against Linux' own TCP-AO (6.7 and newer, CONFIG_TCP_AO): plain kernel sockets on the other side.

Source of the socket options: Linux, include/uapi/linux/tcp.h (`struct tcp_ao_add`, `struct tcp_ao_info_opt`).
"""

from __future__ import annotations

import errno
import platform
import socket
import struct
from datetime import timedelta

import pytest
from tests.lab.wire import judging
from tests.lab.wire.judging import T0, Judge
from tests.lab.wire.rig import ADDRESSES

from keyroll.names import Algorithm, Receiving, Sending

pytestmark = pytest.mark.lab

TCP_AO_ADD_KEY = 38
TCP_AO_INFO = 40
SET_CURRENT, SET_RNEXT = 1, 2
NAMES = {Algorithm.HMAC_SHA_1_96: b"hmac(sha1)", Algorithm.AES_128_CMAC_96: b"cmac(aes128)"}
HALF_HOUR = timedelta(minutes=30)


def kernel_key(key, peer: str, family: int, *, flags: int = 0) -> bytes:
    """The `tcp_ao_add` of R2's mirror of R1's key, for connections with `peer`."""
    if family == 4:
        address = struct.pack("=H2x4s", socket.AF_INET, socket.inet_aton(peer))
    else:
        address = struct.pack("=H2xI16sI", socket.AF_INET6, 0, socket.inet_pton(socket.AF_INET6, peer), 0)
    secret = key.secret.reveal()
    return struct.pack(
        "=128s64siIHBBBBBB80s",
        address,
        NAMES[key.effective_algorithm],
        0,
        flags,
        0,
        32 if family == 4 else 128,
        key.recv_id,
        key.send_id,
        12,
        0 if key.include_options else 2,
        len(secret),
        secret,
    )


@pytest.fixture(scope="module", autouse=True)
def kernel_with_tcp_ao() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            sock.getsockopt(socket.IPPROTO_TCP, TCP_AO_INFO, 48)
        except OSError as error:  # any other error is TCP-AO's own: there is no key yet
            if error.errno == errno.ENOPROTOOPT:
                pytest.skip(f"this kernel ({platform.release()}) has no TCP-AO: it needs 6.7 with CONFIG_TCP_AO")


def echo(near, far) -> None:
    for sender, receiver in ((near, far), (far, near)):
        sender.sendall(b"hello")
        found = b""
        while len(found) < 5:
            part = receiver.recv(5 - len(found))
            assert part
            found += part


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("opener", ["wire path", "kernel"])
@pytest.mark.parametrize("sending", list(Sending))
def test_a_rollover_with_the_kernels_tcp_ao(rig, family, algorithm, opener, sending) -> None:
    chain = judging.chain(judging.key(0, algorithm=algorithm), judging.key(1, HALF_HOUR, algorithm=algorithm))
    ours, kernels = rig.bumps
    ours.clock(T0 + timedelta(minutes=1))
    ours.set(judging.session(0, chain, family=family, sending=sending, receiving=Receiving.ANY))
    rig.capture()

    def give_keys(sock) -> None:
        for number, key in enumerate(chain.keys):
            flags = SET_CURRENT | SET_RNEXT if number == 0 and opener == "kernel" else 0
            added = kernel_key(key, ADDRESSES[family][0], family, flags=flags)
            sock.setsockopt(socket.IPPROTO_TCP, TCP_AO_ADD_KEY, added)

    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    if opener == "kernel":
        with rig.listen(0, family) as listening, kernels.inner.socket(kind) as far:
            give_keys(far)
            far.connect((ADDRESSES[family][0], 179))
            near, _ = listening.accept()
            near.settimeout(10)
            roll(ours, near, far.dup(), chain)
    else:
        with rig.listen(1, family) as listening:
            give_keys(listening)
            near = rig.connect(0, family)
            far, _ = listening.accept()
            far.settimeout(10)
            roll(ours, near, far, chain)
    judge = Judge(chain)
    assert sorted({judge.key_of(one) for one in rig.sent(family)}) == [0, 1]
    assert ours.dropped() == {}


def roll(ours, near, far, chain) -> None:
    with near, far:
        echo(near, far)
        ours.clock(T0 + HALF_HOUR)
        far.setsockopt(
            socket.IPPROTO_TCP,
            TCP_AO_INFO,
            struct.pack("=IHBB5Q", SET_RNEXT, 0, 0, chain.keys[1].send_id, 0, 0, 0, 0, 0),
        )
        for _ in range(3):
            echo(near, far)
        (state,) = [one for one in ours.status().connections if one.phase == "open"]
        assert (state.out.key, state.in_.key, state.out.rolled, state.in_.rolled) == (1, 1, True, True)
