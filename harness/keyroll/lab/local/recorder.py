"""The capture at a router's wire port: AF_PACKET, both directions, a nanosecond pcap that grows.

The socket is bound before any daemon starts; `run` is the main function of the process that reads it. Every batch is
one write(2), so that a reader sees only complete records except the last one. A small shared file publishes two
unsigned 64-bit counters in native order: frames written, and frames that the kernel dropped for lack of buffer space
(PACKET_STATISTICS).
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass

from keyroll import linux
from keyroll.forking import fork
from keyroll.lab.local import channel

# A pcap file with nanoseconds, of Ethernet (draft-ietf-opsawg-pcap).
PCAP_MAGIC_NS = 0xA1B23C4D
LINKTYPE_ETHERNET = 1
SNAPLEN = 262144
"""Snapshot length, as in tcpdump: longer than any frame."""
STATS = struct.Struct("=QQ")
"""Frames written, frames lost."""

_RECEIVE_BUFFER = 64 << 20
"""Socket buffer in octets: half a second at a gigabit per second, so that nothing is lost while this process waits for
a processor."""
_ANCILLARY = 256
"""Octets for the time stamp and the auxiliary data of each frame: 84, with a margin."""
_BATCH_OCTETS = 1 << 20
"""Most frames in one write, so that counters are published and the order to stop is seen in between."""
# From linux/if_packet.h. The kernel reports a VLAN tag outside of the frame; in the frame it follows the MAC addresses.
_TP_STATUS_VLAN_VALID = 0x10
_TP_STATUS_VLAN_TPID_VALID = 0x40
_ETHERTYPE_VLAN = 0x8100
_MAC_OCTETS = 12
_AUXDATA = struct.Struct("=IIIHHHH")
_TIMESPEC = struct.Struct("=qq")
_RECORD = struct.Struct("=IIII")
_STATISTICS = struct.Struct("=II")
_LINK_DOWN = frozenset({errno.ENETDOWN, errno.ENODEV})


def open_socket(interface: str) -> socket.socket:
    """Return a packet socket that sees every frame of `interface`, from now on; non-blocking.

    Call it inside the interface's network namespace. Raises OSError.
    """
    # With protocol 0 the socket receives nothing until it is bound, so no frame of another interface gets in.
    packet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    try:
        packet.setsockopt(socket.SOL_SOCKET, linux.SO_TIMESTAMPNS, 1)
        packet.setsockopt(linux.SOL_PACKET, linux.PACKET_AUXDATA, 1)
        try:
            packet.setsockopt(socket.SOL_SOCKET, linux.SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        except PermissionError:  # in a user namespace the host's limit (net.core.rmem_max) applies
            packet.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        packet.settimeout(0)
        packet.bind((interface, linux.ETH_P_ALL))
    except OSError:
        packet.close()
        raise
    return packet


def file_header() -> bytes:
    """Return the file header of a nanosecond pcap of Ethernet frames, in native byte order."""
    return struct.pack("=IHHiIII", PCAP_MAGIC_NS, 2, 4, 0, 0, SNAPLEN, LINKTYPE_ETHERNET)


def record(frame: bytes, seconds: int, nanoseconds: int) -> bytes:
    """Return one pcap record."""
    return _RECORD.pack(seconds, nanoseconds, len(frame), len(frame)) + frame


def has_vlan_tag(auxdata: bytes) -> bool:
    """Whether the kernel removed a VLAN tag from the frame (struct tpacket_auxdata)."""
    return bool(int.from_bytes(auxdata[:4], sys.byteorder) & _TP_STATUS_VLAN_VALID)


def with_vlan_tag(frame: bytes, auxdata: bytes) -> bytes:
    """Insert the VLAN tag that the kernel removed from the frame and reports in struct tpacket_auxdata."""
    status, _, _, _, _, tci, tpid = _AUXDATA.unpack(auxdata[: _AUXDATA.size])
    if not has_vlan_tag(auxdata):
        return frame
    ethertype = tpid if status & _TP_STATUS_VLAN_TPID_VALID else _ETHERTYPE_VLAN
    return frame[:_MAC_OCTETS] + struct.pack("!HH", ethertype, tci) + frame[_MAC_OCTETS:]


class Capture:
    """Writes the frames of one packet socket to one file."""

    def __init__(self, packet: socket.socket, out_fd: int, stats_fd: int) -> None:
        self._packet = packet
        self._out = out_fd
        self._stats = stats_fd
        self._written = 0
        self._lost = 0

    def drain(self) -> bool:
        """Write the waiting frames, up to one batch; return whether there may be more."""
        batch: list[bytes] = []
        octets = 0
        more = True
        while octets < _BATCH_OCTETS:
            try:
                frame, ancillary, _, _ = self._packet.recvmsg(SNAPLEN, _ANCILLARY)
            except BlockingIOError:
                more = False
                break
            except InterruptedError:
                continue
            except OSError as error:
                if error.errno not in _LINK_DOWN:
                    raise
                continue  # reported once when the link goes down; frames continue when it is up again
            entry = self._record(frame, ancillary)
            batch.append(entry)
            octets += len(entry)
        if batch:
            _write_all(self._out, b"".join(batch))
            self._written += len(batch)
        self._publish()
        return more

    def _record(self, frame: bytes, ancillary: list[tuple[int, int, bytes]]) -> bytes:
        seconds = nanoseconds = 0
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == linux.SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack(data[: _TIMESPEC.size])
            elif level == linux.SOL_PACKET and kind == linux.PACKET_AUXDATA:
                frame = with_vlan_tag(frame, data)
        return record(frame, seconds, nanoseconds)

    def _publish(self) -> None:
        _, dropped = _STATISTICS.unpack(
            self._packet.getsockopt(linux.SOL_PACKET, linux.PACKET_STATISTICS, _STATISTICS.size)
        )
        self._lost += dropped
        os.pwrite(self._stats, STATS.pack(self._written, self._lost), 0)

    def run(self, stop_fd: int, requests: socket.socket | None = None) -> None:
        """Write frames until `stop_fd` becomes readable or its other end closes; then write the rest, and return.

        Answers a `ping` on `requests`.
        """
        poll = select.poll()
        poll.register(self._packet, select.POLLIN)
        poll.register(stop_fd, select.POLLIN)
        if requests is not None:
            poll.register(requests, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            self.drain()
            if requests is not None and requests.fileno() in ready and not _pinged(requests):
                poll.unregister(requests)
            if stop_fd in ready:
                while self.drain():
                    pass
                return


@dataclass(frozen=True, slots=True)
class Recorder:
    """The parent's view of a capture process."""

    pid: int
    requests: channel.RequestChannel


def start(interface: str, out: int, stats: int, stop: int, *, title: str) -> Recorder:
    """Start a process that captures at `interface` of the current network namespace.

    The socket is bound before the call returns, so the capture has every later frame. The process ends when `stop`
    closes. Raises OSError for an unknown interface.
    """
    packet = open_socket(interface)
    os.write(out, file_header())
    ours, theirs = channel.pair()
    pid = fork(
        lambda: Capture(packet, out, stats).run(stop, theirs),
        title=title,
        keep=(packet.fileno(), out, stats, stop, theirs.fileno()),
    )
    packet.close()
    theirs.close()
    return Recorder(pid, channel.RequestChannel(ours))


def _pinged(requests: socket.socket) -> bool:
    """Answer one request; False when the other end is closed."""
    received = channel.receive(requests)
    if received is None:
        return False
    with suppress(OSError):  # the requester may have ended
        channel.send(requests, channel.answered(received[0], {"ok": True}))
    return True


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read_stats(fd: int) -> tuple[int, int]:
    """Return the last published counters (frames written, frames lost) of the capture."""
    data = os.pread(fd, STATS.size, 0)
    if len(data) < STATS.size:
        return 0, 0
    written, lost = STATS.unpack(data)
    return int(written), int(lost)


def close_quietly(fd: int) -> None:
    """Close a descriptor, ignoring one that is closed already."""
    with suppress(OSError):
        os.close(fd)
