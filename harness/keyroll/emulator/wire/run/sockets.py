"""Packet sockets: receive and send Ethernet frames of one interface, with the data that the kernel keeps separately.

The kernel removes a VLAN tag and gives it in ancillary data: it is put back, so that a tagged frame leaves tagged. A
partial checksum and a request for segmentation (from a neighbour on a veth with offloads on) are in a virtio header.
This header is sent along with a frame that passes unchanged, and the kernel completes the frame. Frames that this
machine sends on the interface are not received.
"""

from __future__ import annotations

import errno
import logging
import socket
import struct
from pathlib import Path
from typing import Final

from keyroll.emulator.wire.model import WireError
from keyroll.tcpao import internet_checksum

VNET = 10
"""Octets of virtio header in front of every frame, both ways (`struct virtio_net_hdr`)."""
PLAIN: Final = bytes(VNET)
"""The virtio header of a complete frame: no partial checksum, no segmentation."""
FRAME_MAX = VNET + 14 + 8 + 65536
"""Longest frame in octets: virtio header, Ethernet, two VLAN tags, and the largest IP packet."""
# <linux/if_ether.h>, <linux/if_packet.h>, <asm-generic/socket.h>, <linux/virtio_net.h>.
_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_PACKET_AUXDATA = 8
_PACKET_VNET_HDR = 15
_PACKET_IGNORE_OUTGOING = 23
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_MR_PROMISC = 1
_SO_RCVBUFFORCE = 33
_SO_SNDBUFFORCE = 32
_BUFFER = 32 * 1024 * 1024
"""Octets of a socket's queue: full windows of a hundred connections while the process is not scheduled."""
_AUXDATA = struct.Struct("=IIIHHHH")
_VLAN_VALID = 0x10
_VLAN_TPID_VALID = 0x40
_DOT1Q = 0x8100
_MACS = VNET + 12
_TAG = 4
_VID = 0x0FFF
_NEEDS_CSUM = 1
_log = logging.getLogger(__name__)
_ANCILLARY = socket.CMSG_SPACE(_AUXDATA.size)


class PacketSocket:
    """One interface's frames. `sock` is non-blocking; `fileno()` is for polling."""

    def __init__(self, ifname: str) -> None:
        """Open the interface, which has to exist in this network namespace; it may still be down.

        Raises:
            WireError: it does not exist, or this process may not open packet sockets.
        """
        self.ifname = ifname
        _disable_ipv6(ifname)
        try:
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            for option in (_PACKET_AUXDATA, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING):
                self.sock.setsockopt(_SOL_PACKET, option, 1)
            self._index = socket.if_nametoindex(ifname)
            membership = struct.pack("=iHH8s", self._index, _PACKET_MR_PROMISC, 0, b"")
            self.sock.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
            for forced, usual in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
                try:
                    self.sock.setsockopt(socket.SOL_SOCKET, forced, _BUFFER)
                except PermissionError:  # the forced option needs CAP_NET_ADMIN in the initial user namespace
                    self.sock.setsockopt(socket.SOL_SOCKET, usual, _BUFFER)
            self.sock.bind((ifname, _ETH_P_ALL))
            self.sock.settimeout(0)
        except OSError as error:
            raise WireError(
                f"the interface {ifname} cannot be opened for frames: {error.strerror}",
                remedy="it has to exist in this network namespace, and CAP_NET_RAW is needed there",
            ) from error

    def fileno(self) -> int:
        """Return the file descriptor, for polling."""
        return self.sock.fileno()

    def receive(self, buffer: bytearray) -> int:
        """Receive one frame into `buffer` (FRAME_MAX octets), after its virtio header; return where it ends.

        Returns 0 if no frame is waiting.

        Raises:
            WireError: the interface is gone.
        """
        while True:
            try:
                end, ancillary, _, _ = self.sock.recvmsg_into([buffer], _ANCILLARY)
            except BlockingIOError:
                return 0
            except OSError as error:
                if error.errno == errno.ENETDOWN and self._exists():
                    # The interface went down: reported once as an error; frames in the queue can still be read
                    continue
                raise WireError(f"the interface {self.ifname} is gone: {error.strerror}") from error
            if ancillary and ancillary[0][2][0] & _VLAN_VALID:
                end = _put_tag_back(buffer, end, ancillary[0][2])
            return end

    def _exists(self) -> bool:
        try:
            return socket.if_nametoindex(self.ifname) == self._index
        except OSError:
            return False

    def send(self, frame: bytes | bytearray | memoryview) -> OSError | None:
        """Send a frame that begins with its virtio header; return the error if the kernel refuses it."""
        try:
            self.sock.send(frame)
        except OSError as error:
            return error
        return None

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


def with_full_checksum(buffer: bytearray, end: int) -> bytes:
    """Return the frame `buffer[:end]` with its virtio header in front, a partial checksum computed in full."""
    frame = bytes(buffer[:end])
    if not frame[0] & _NEEDS_CSUM:
        return frame
    start = VNET + int.from_bytes(frame[6:8], "little")
    place = start + int.from_bytes(frame[8:10], "little")
    if place + 2 > end:
        return frame
    checksum = internet_checksum(frame[start:] + b"\0" * (end - start & 1))
    return b"".join((frame[:place], checksum.to_bytes(2, "big"), frame[place + 2 :]))


def _put_tag_back(buffer: bytearray, end: int, auxdata: bytes) -> int:
    status, _, _, _, _, tci, tpid = _AUXDATA.unpack(auxdata)
    return _insert(buffer, end, struct.pack("!HH", tpid if status & _VLAN_TPID_VALID else _DOT1Q, tci))


def vlan_of(buffer: bytearray, end: int) -> int | None:
    """Return the VLAN identifier of the outer 802.1Q tag of the frame `buffer[:end]`; None without one."""
    if end < _MACS + _TAG or buffer[_MACS] << 8 | buffer[_MACS + 1] != _DOT1Q:
        return None
    return (buffer[_MACS + 2] << 8 | buffer[_MACS + 3]) & _VID


def put_tag(buffer: bytearray, end: int, vlan: int) -> int:
    """Insert an 802.1Q tag into the frame in place; return the frame's new end."""
    return _insert(buffer, end, struct.pack("!HH", _DOT1Q, vlan))


def take_tag(buffer: bytearray, end: int) -> int:
    """Remove the outer tag from the frame in place; return the frame's new end."""
    buffer[_MACS : end - _TAG] = buffer[_MACS + _TAG : end]
    _move_checksum(buffer, -_TAG)
    return end - _TAG


def _insert(buffer: bytearray, end: int, tag: bytes) -> int:
    buffer[_MACS : end + _TAG] = tag + buffer[_MACS:end]
    _move_checksum(buffer, _TAG)
    return end + _TAG


def _move_checksum(buffer: bytearray, by: int) -> None:
    """Update where a partial checksum begins, in the virtio header."""
    if buffer[0] & _NEEDS_CSUM:
        buffer[6:8] = (int.from_bytes(buffer[6:8], "little") + by).to_bytes(2, "little")


def _disable_ipv6(ifname: str) -> None:
    """Switch off this namespace's IPv6 on the interface, which only carries the router's frames."""
    try:
        Path("/proc/sys/net/ipv6/conf", ifname, "disable_ipv6").write_text("1", encoding="ascii")
    except FileNotFoundError:
        pass  # a kernel without IPv6
    except OSError as error:  # read-only in some containers: this namespace's link-local address then stays
        _log.info("IPv6 of %s cannot be switched off here: %s", ifname, error.strerror)
