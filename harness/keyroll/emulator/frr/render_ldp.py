"""From the LDP part of an Intent to ldpd's lines. Pure.

Hellos go out every second unless the configuration says otherwise: with Junos' default of five, a session would wait
as long for its second hello (measured: 1.0 s against 5.0 s). FRR sends keepalives three times in a hold time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Interface

from keyroll.emulator.contract.errors import NotEmulatedError
from keyroll.emulator.contract.model import BackendError, Intent, Ldp
from keyroll.emulator.frr.config import Daemon, Line
from keyroll.emulator.frr.state import junos_name

KEEPALIVE_TIMEOUT_DEFAULT = 30
"""Seconds; Junos' default (`keepalive-timeout`)."""
HOLD_TIME_MAX = 65535
"""Seconds; what an initialization message has room for (RFC 5036, section 3.5.3)."""
HOLD_TIME_MIN = 15
"""Seconds; what FRR's `session holdtime` takes at least (FRR 8.4)."""
HELLO_INTERVAL_DEFAULT = 1
"""Seconds; Junos' default is 5, with which a session would wait as long for its second hello (assumption M4)."""
HELLO_HOLD_TIME_DEFAULT = 15
"""Seconds; Junos' default, and RFC 5036's."""
_ROOT = "mpls ldp"
_FAMILY = "address-family ipv4"
_KEEPALIVES_IN_HOLD_TIME = 3
"""As ldpd sends them, whatever is configured (assumption M6)."""


def local_id(intent: Intent) -> IPv4Address:
    """Return this router's LSR id: the router id, or else the loopback's first address.

    Raises:
        BackendError: there is neither.
    """
    if intent.router_id is not None:
        return intent.router_id
    for unit in intent.units:
        if unit.name == "lo0.0":
            for address in unit.addresses:
                if isinstance(address, IPv4Interface):
                    return address.ip
    raise BackendError("LDP needs a router id: set routing-options router-id, or an address on lo0")


def transport_address(intent: Intent, ldp: Ldp) -> IPv4Address:
    """Return this router's transport address.

    Raises:
        BackendError: there is none.
    """
    if not ldp.transport_interface:
        return local_id(intent)
    names = [interface.name for interface in ldp.interfaces]
    for unit in intent.units:
        if unit.name in names:
            for address in unit.addresses:
                if isinstance(address, IPv4Interface):
                    return address.ip
    raise BackendError("LDP: transport-address interface, but no interface of LDP has an IPv4 address")


def hold_time(ldp: Ldp) -> int:
    """Return the session hold time in seconds: what is configured, else Junos' default; from FRR's 15 on.

    Show output has the time that the session negotiated, so what is shown is what is held.
    """
    wanted = KEEPALIVE_TIMEOUT_DEFAULT
    if ldp.keepalive_timeout is not None:
        wanted = ldp.keepalive_timeout
    elif ldp.keepalive_interval is not None:
        wanted = ldp.keepalive_interval * _KEEPALIVES_IN_HOLD_TIME
    return min(max(wanted, HOLD_TIME_MIN), HOLD_TIME_MAX)


def render_ldp(intent: Intent, ports: Sequence[str], kernel_names: Sequence[str]) -> Iterator[Line]:
    """Yield ldpd's lines. `kernel_names` are those of the LDP interfaces, in order; `ports` those that there are."""
    ldp = intent.ldp
    if ldp is None or not ldp.interfaces:
        return
    if any(peer.md5 is not None for peer in ldp.peers):
        raise NotEmulatedError(
            "MD5 of LDP sessions: ldpd has passwords by LSR id alone, so the session would be unprotected"
        )
    yield Line(Daemon.LDPD, "ldp", _ROOT, f"no {_ROOT}", anew=True)
    router_id = f"router-id {local_id(intent)}"
    yield Line(Daemon.LDPD, "ldp router-id", router_id, f"no {router_id}", (_ROOT,), parent="ldp")
    # For all interfaces, and before there is any: an interface's first hello goes out with what stands here, and the
    # second one comes as much later.
    common = (("interval", HELLO_INTERVAL_DEFAULT), ("holdtime", HELLO_HOLD_TIME_DEFAULT))
    for what, value in common:
        text = f"discovery hello {what} {value}"
        yield Line(Daemon.LDPD, f"ldp hello {what}", text, f"no {text}", (_ROOT,), parent="ldp")
    yield Line(Daemon.LDPD, "ldp af", _FAMILY, f"no {_FAMILY}", (_ROOT,), parent="ldp")
    inside = (_ROOT, _FAMILY)
    transport = f"discovery transport-address {transport_address(intent, ldp)}"
    yield Line(Daemon.LDPD, "ldp transport", transport, f"no {transport}", inside, parent="ldp af")
    hold = f"session holdtime {hold_time(ldp)}"
    yield Line(Daemon.LDPD, "ldp hold", hold, f"no {hold}", inside, parent="ldp af")
    for interface, name in zip(ldp.interfaces, kernel_names, strict=True):
        if name.partition(".")[0] not in ports:
            there = ", ".join(junos_name(port) for port in ports)
            raise NotEmulatedError(f"LDP on {interface.name}: this router has {there}")
        key = f"ldp {name}"
        yield Line(Daemon.LDPD, key, f"interface {name}", f"no interface {name}", inside, parent="ldp af")
        node = (*inside, f"interface {name}")
        for what, own in (("interval", interface.hello_interval), ("holdtime", interface.hold_time)):
            if own is None or (what, own) in common:
                continue
            text = f"discovery hello {what} {own}"
            yield Line(Daemon.LDPD, f"{key} {what}", text, f"no {text}", node, parent=key)
