"""The MAC address of a router's port: the same after each reboot, as a real port's is.

It differs from the wire interface's own in one bit. With the very same one, the outer kernel would take the router's
frames for its own, and a container's that forwards would send a second copy of each packet to its default gateway.
"""

from __future__ import annotations

import fcntl
import socket
import struct

from keyroll.emulator.contract.errors import ProcessError

SIOCGIFHWADDR = 0x8927
"""<linux/sockios.h>."""
_REQUEST = struct.Struct("=16sH6s16x")
"""`struct ifreq` (<linux/if.h>): the interface's name, then a `sockaddr`: its family, and the address of 6 octets."""
_LOCAL = 0x02
"""The bit of the first octet of an address that no vendor has given (IEEE 802)."""
_DIFFERENCE = 0x04
"""Neither the bit of group addresses (0x01) nor that of local ones: any other would do."""


def port_address(wire: str) -> str:
    """Return the MAC address of the router's port behind an interface of the wire, in this network namespace.

    Raises:
        ProcessError: there is no such interface.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock, SIOCGIFHWADDR, _REQUEST.pack(wire.encode(), 0, bytes(6)))
        except OSError as error:
            raise ProcessError(
                f"the MAC address of {wire} cannot be read: {error.strerror}",
                remedy="use an Ethernet interface of the network namespace that this process runs in",
            ) from error
    octets: bytes = _REQUEST.unpack(answer)[2]
    return derived(octets).hex(":")


def derived(wire: bytes) -> bytes:
    """Return the port's address (6 octets) for the wire interface's."""
    return bytes([wire[0] ^ _DIFFERENCE | _LOCAL]) + wire[1:]
