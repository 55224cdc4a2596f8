"""Switch off an interface's offloads, so that it sends complete segments.

With transmit checksum, TSO, GSO or scatter-gather on, a veth passes segments of up to 64 KiB with partial checksums,
for which no MAC can be computed. The old SIOCETHTOOL ioctls need no ethtool program, and work in a user namespace that
owns the interface (measured).
"""

from __future__ import annotations

import array
import errno
import fcntl
import socket
import struct

from keyroll.emulator.contract.errors import ProcessError

# <linux/sockios.h>.
SIOCETHTOOL = 0x8946
# ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SSG of <linux/ethtool.h>: TSO and GSO need the first.
SWITCHES = {"tx checksum": 0x17, "TSO": 0x1F, "GSO": 0x24, "scatter-gather": 0x19}
_IFNAMSIZ = 16
"""Octets of an interface's name in ioctls (<linux/if.h>)."""


def disable_offloads(ifname: str) -> None:
    """Switch off transmit checksum, TSO, GSO and scatter-gather of an interface in this network namespace.

    Raises:
        ProcessError: there is no such interface, or it does not allow this.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for name, command in SWITCHES.items():
            value = array.array("B", struct.pack("=II", command, 0))
            address, _ = value.buffer_info()
            request = struct.pack(f"={_IFNAMSIZ}sQ16x", ifname.encode(), address)
            try:
                fcntl.ioctl(sock, SIOCETHTOOL, request)
            except OSError as error:
                if error.errno == errno.EOPNOTSUPP and name != "tx checksum":
                    continue  # devices without that feature have nothing to switch off
                raise ProcessError(
                    f"{name} of {ifname} cannot be switched off: {error.strerror}",
                    remedy="use a veth in the network namespace of this process",
                ) from error
