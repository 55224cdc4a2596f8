"""The router's inner network namespace, which holds FRR and the router's interfaces, separated from the wire.

outer namespace (a container's own):  eth1 … the wire      h0
                                             └── wire path ──┘ ║ veth
inner namespace:                                          ge-0-0-0, lo, FRR

A logical interface with a VLAN has its own veth in addition to the port's (`h0.100`, `ge-0-0-0.100`); the wire path
tags its frames.

A port and its units have a MAC address that follows from the wire's interface, which outlives the router: a random one
would be another after each reboot, and the neighbour would send to the old one for half a minute, as its cache says.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keyroll import linux
from keyroll.emulator.contract.errors import ProcessError
from keyroll.emulator.contract.mac_address import port_address
from keyroll.emulator.contract.offload import disable_offloads

_SYSCTL = Path("/proc/sys/net")
_INNER_SYSCTLS = {
    "ipv4/ip_forward": "1",
    "ipv6/conf/all/forwarding": "1",
    # Addresses are unique by configuration, and duplicate address detection would delay each by a second.
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/default/dad_transmits": "0",
    "ipv6/conf/default/accept_ra": "0",
    "ipv6/conf/all/accept_dad": "0",
    # Junos keeps an interface's IPv6 addresses while it is down.
    "ipv6/conf/default/keep_addr_on_down": "1",
    "ipv6/conf/lo/keep_addr_on_down": "1",
}
_PORT_SYSCTLS = {
    # ARP and neighbour discovery ask every 50 ms, for two seconds: a peer that is configured a moment later is found at
    # once, not after a second.
    f"{family}/neigh/{{port}}/{name}": value
    for family in ("ipv4", "ipv6")
    for name, value in (("retrans_time_ms", "50"), ("mcast_solicit", "40"))
}
_OUTER_SYSCTLS = {"ipv6/conf/default/disable_ipv6": "1"}


@dataclass(frozen=True, slots=True)
class PortPair:
    """One port: its name on the wire side (`eth1`), the host side of its veth (`h0`), the router's (`ge-0-0-0`)."""

    wire: str
    host: str
    router: str


def make_inner(ports: Sequence[PortPair], *, source_port: int | None = None) -> int:
    """Make the inner namespace and its ports, all up; return the descriptor that keeps it alive.

    With `source_port`, every connection is opened from that port, so that each has the same ports as the one before it.

    Call it in the outer namespace, from a process with a single thread.

    Raises:
        ProcessError: the kernel or `ip` refuses.
    """
    try:
        inner = linux.new_network_namespace()
    except OSError as error:
        raise ProcessError(
            f"cannot make a network namespace: {error.strerror}",
            remedy="the router needs CAP_NET_ADMIN and CAP_SYS_ADMIN",
        ) from error
    try:
        _write(_OUTER_SYSCTLS)
        with linux.inside(inner):
            _write(_INNER_SYSCTLS if source_port is None else _INNER_SYSCTLS | _one_port(source_port))
        _ip("".join(f"{_pair(port, inner)}link set {port.wire} up\n" for port in ports), inner)
        with linux.inside(inner):
            for port in ports:
                disable_offloads(port.router)
                _write({name.format(port=port.router): value for name, value in _PORT_SYSCTLS.items()})
            _ip("link set lo up\n" + "".join(f"link set {port.router} up\n" for port in ports), inner)
    except BaseException:
        os.close(inner)
        raise
    return inner


def unit_pair(port: PortPair, number: str) -> PortPair:
    """Return a further logical interface of a port: `h0.100` and `ge-0-0-0.100` of unit 100."""
    return PortPair(port.wire, f"{port.host}.{number}", f"{port.router}.{number}")


def make_units(units: Sequence[PortPair], inner: int) -> None:
    """Make the veths of further logical interfaces, all up. Call it in the outer namespace, as `make_inner`.

    Raises:
        ProcessError: the kernel or `ip` refuses.
    """
    _ip("".join(_pair(unit, inner) for unit in units), inner)
    with linux.inside(inner):
        for unit in units:
            disable_offloads(unit.router)
            # The command sysctl separates names by `.`, but a path below /proc/sys may contain one.
            _write({name.format(port=unit.router): value for name, value in _PORT_SYSCTLS.items()})
        _ip("".join(f"link set {unit.router} up\n" for unit in units), inner)


def _pair(port: PortPair, inner: int) -> str:
    """Return `ip`'s lines that make an interface of the router, and set its host side up."""
    router_side = f"{port.router} address {port_address(port.wire)} netns /proc/self/fd/{inner}"
    return f"link add name {port.host} type veth peer name {router_side}\nlink set {port.host} up\n"


def set_down_and_up(interfaces: Sequence[str], inner: int) -> None:
    """Set the router's own interfaces down and up, so that zebra learns each again with its addresses.

    zebra of FRR 10 often makes no connected routes for IPv6 addresses that existed before it started (seen with 10.3),
    so that bgpd has no route to neighbours and next hops. It makes them when the interface comes up.

    Raises:
        ProcessError: `ip` refuses.
    """
    with linux.inside(inner):
        _ip("".join(f"link set {name} down\nlink set {name} up\n" for name in interfaces), inner)


def remove_ports(ports: Sequence[PortPair]) -> None:
    """Remove ports, or units' interfaces, at once: the kernel removes an unused namespace only later.

    Raises:
        ProcessError: `ip` refuses.
    """
    _ip("".join(f"link delete {port.host}\n" for port in ports), None)


def _one_port(port: int) -> dict[str, str]:
    """Return the sysctls for one source port. No TIME-WAIT is kept, because it would keep the port in use."""
    return {"ipv4/ip_local_port_range": f"{port} {port}", "ipv4/tcp_max_tw_buckets": "0"}


def _write(values: dict[str, str]) -> None:
    for name, value in values.items():
        path = _SYSCTL / name
        try:
            path.write_text(value, encoding="ascii")
        except FileNotFoundError:
            continue  # a kernel without IPv6 has none of its sysctls
        except OSError as error:
            raise ProcessError(f"cannot write {path}: {error.strerror}") from error


def _ip(lines: str, inner: int | None) -> None:
    result = subprocess.run(
        ["ip", "-batch", "-"],
        input=lines.encode(),
        capture_output=True,
        check=False,
        pass_fds=() if inner is None else (inner,),
    )
    if result.returncode:
        raise ProcessError(f"`ip` refused the router's ports: {result.stderr.decode(errors='replace').strip()}")
