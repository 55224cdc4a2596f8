"""Render the LDP part of an Intent as ldpd's configuration lines. Pure.

Hellos are sent every second unless configured otherwise: with Junos' default of five seconds a session would wait so
long for the second hello (measured: 1.0 s against 5.0 s). FRR sends three keepalives in a hold time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Interface

from keyroll.emulator.contract.errors import NotEmulatedError
from keyroll.emulator.contract.model import BackendError, Intent, Ldp
from keyroll.emulator.frr.config import Daemon, Line
from keyroll.emulator.frr.ldp_state import KEEPALIVES_IN_HOLD_TIME
from keyroll.emulator.frr.state import junos_name

KEEPALIVE_TIMEOUT_DEFAULT = 30
"""Seconds; Junos' default (`keepalive-timeout`)."""
HOLD_TIME_MAX = 65535
"""Seconds; the field in an initialization message has 16 bits (RFC 5036 section 3.5.3)."""
HOLD_TIME_MIN = 15
"""Seconds; the least that FRR's `session holdtime` accepts (FRR 8.4)."""
HELLO_INTERVAL_DEFAULT = 1
"""Seconds; Junos' default of 5 would delay every session (see the module, and assumption M4)."""
HELLO_HOLD_TIME_DEFAULT = 15
"""Seconds; Junos' default, and RFC 5036's."""
_ROOT = "mpls ldp"
_FAMILY = "address-family ipv4"


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
    """Return the session hold time in seconds: the configured one, else Junos' default; at least FRR's 15.

    Show output has the time that the session negotiated, so it is true in any case.
    """
    wanted = KEEPALIVE_TIMEOUT_DEFAULT
    if ldp.keepalive_timeout is not None:
        wanted = ldp.keepalive_timeout
    elif ldp.keepalive_interval is not None:
        wanted = ldp.keepalive_interval * KEEPALIVES_IN_HOLD_TIME
    return min(max(wanted, HOLD_TIME_MIN), HOLD_TIME_MAX)


def render_ldp(intent: Intent, ports: Sequence[str], kernel_names: Sequence[str]) -> Iterator[Line]:
    """Yield ldpd's lines. `kernel_names` are those of the LDP interfaces, in order; `ports` are the router's ports."""
    ldp = intent.ldp
    if ldp is None or not ldp.interfaces:
        return
    if any(peer.md5 is not None for peer in ldp.peers):
        raise NotEmulatedError(
            "MD5 of LDP sessions: ldpd has passwords by LSR id alone, so the session would be unprotected"
        )
    yield Line(Daemon.LDPD, "ldp", _ROOT, f"no {_ROOT}", clears_children=True)
    router_id = f"router-id {local_id(intent)}"
    yield Line(Daemon.LDPD, "ldp router-id", router_id, f"no {router_id}", (_ROOT,), parent="ldp")
    # Set globally, before any interface: an interface sends its first hello at once with these values, and the second
    # one an interval later.
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
