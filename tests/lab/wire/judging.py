"""Keychains and sessions of the tests, and a judge that verifies captured segments with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from tests.lab.wire.two_routers import ADDRESSES, PORT, Sent
from tests.unit.known import known

from keyroll.emulator.wire.model import ProtectedSession
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm, Receiving, Sending
from keyroll.tcpao import ACK, RST, SYN, Mkt, SneTracker, verify_segment
from keyroll.tcpao import Algorithm as MacAlgorithm

T0 = datetime(2030, 1, 1, tzinfo=UTC)


def chain(*keys: Key, tolerance: int = 3600) -> Keychain:
    return Keychain("chain", keys, tolerance=tolerance)


def key(
    number: int,
    start: timedelta = timedelta(0),
    *,
    send: int | None = None,
    recv: int | None = None,
    secret: str | None = None,
    algorithm: Algorithm = Algorithm.HMAC_SHA_1_96,
    include_options: bool = True,
) -> Key:
    return Key(
        id=number,
        secret=Secret(secret or f"secret of key {number}"),
        start=T0 + start,
        scheme="ao",
        send_id=2 * number + 1 if send is None else send,
        recv_id=2 * number + 2 if recv is None else recv,
        tcp_ao_option=True,
        algorithm=algorithm,
        include_options=include_options,
    )


def session(
    router: int,
    keychain: Keychain,
    *,
    family: int = 4,
    port: int = PORT,
    sending: Sending = Sending.CLOCK,
    receiving: Receiving = Receiving.TOLERANCE,
    allow: bool = False,
) -> ProtectedSession:
    """Return the session of `router` (0: R1, 1: R2) with the other one. `keychain` is R1's; R2 gets its mirror."""
    return ProtectedSession(
        peer=ip_address(ADDRESSES[family][1 - router]),
        port=port,
        chain=keychain if router == 0 else keychain.mirrored(),
        sending=sending,
        receiving=receiving,
        allow_without_ao=allow,
    )


def mkts_of(keychain: Keychain) -> list[Mkt]:
    """Return R1's MKTs."""
    return [
        Mkt(
            name=str(entry.id),
            algorithm=MacAlgorithm(entry.effective_algorithm.value),
            master_key=known(entry.secret).reveal(),
            send_id=known(entry.send_id),
            recv_id=known(entry.recv_id),
            include_options=entry.include_options,
        )
        for entry in keychain.keys
    ]


class Judge:
    """Verifies every segment of one capture, with ISNs taken from its SYNs and SYN-ACKs alone."""

    def __init__(self, keychain: Keychain) -> None:
        self._mkts = mkts_of(keychain)
        self._isns: dict[tuple[object, ...], tuple[int, int]] = {}
        self._sne: dict[tuple[object, ...], SneTracker] = {}
        self._refused: dict[tuple[object, ...], int] = {}

    def key_of(self, sent: Sent) -> int:
        """Return the number of the segment's key. Raises AssertionError if the segment does not verify."""
        seg = sent.segment
        ao = seg.scan().ao
        assert ao is not None, f"unsigned: {seg.flag_letters} seq {seg.seq}"
        mkt = next((m for m in self._mkts if ao.key_id == (m.send_id, m.recv_id)[sent.sender]), None)
        assert mkt is not None, f"unknown KeyID {ao.key_id}"
        way = (seg.src, seg.sport, seg.dst, seg.dport)
        back = (seg.dst, seg.dport, seg.src, seg.sport)
        if seg.flags & (SYN | ACK) == SYN:
            isns = (seg.seq, 0)
            self._refused[back] = seg.seq
        elif seg.flags & SYN:
            isns = self._isns[way] = (seg.seq, (seg.ack - 1) & 0xFFFFFFFF)
            self._isns[back] = (isns[1], isns[0])
            self._sne[way], self._sne[back] = SneTracker(isns[0]), SneTracker(isns[1])
        elif way not in self._isns:
            assert seg.flags & RST
            isns = (0, self._refused[way])
        else:
            isns = self._isns[way]
        tracker = self._sne.get(way)
        sne = tracker.sne_for(seg.seq) if tracker is not None and seg.flags & (SYN | ACK) != SYN else 0
        good = verify_segment(seg, ao, key=mkt.key_for(seg, *isns), sne=sne, include_options=mkt.include_options)
        assert good, f"bad MAC under key {mkt.name}: {seg.flag_letters} seq {seg.seq}"
        if tracker is not None and not seg.flags & RST:
            tracker.commit(seg.seq)
        return int(mkt.name)
