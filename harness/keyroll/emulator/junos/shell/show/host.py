"""`show interfaces terse`, `show system connections`, `show system statistics tcp`, `show system commit`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from keyroll.emulator.contract.model import Address, AuthDrops, Interface, InterfaceState, TcpConnection, Unit
from keyroll.emulator.junos.commit.datastore import Commit
from keyroll.emulator.junos.shell.show.durations import stamp

_CONNECTIONS = "Active Internet connections (including servers)"
_COLUMNS = f"Proto Recv-Q Send-Q  {'Local Address':<46}{'Foreign Address':<46}(state)"


def interfaces_terse(states: Sequence[InterfaceState], units: Sequence[Unit]) -> list[str]:
    """Return a line for each physical interface, followed by its logical interfaces with their addresses."""
    lines = ["Interface               Admin Link Proto    Local                 Remote"]
    for state in states:
        up = f"{_word(up=state.admin_up):<6}{_word(up=state.link_up)}"
        lines.append(f"{state.name:<24}{up}")
        for unit in units:
            if unit.name.rpartition(".")[0] == state.name:
                lines += _unit(unit, up)
    return lines


def _word(*, up: bool) -> str:
    return "up" if up else "down"


def _unit(unit: Unit, up: str) -> list[str]:
    rows: list[tuple[str, str]] = []
    for version, family in ((4, "inet"), (6, "inet6")):
        found = [address for address in unit.addresses if address.version == version]
        rows += [(family if number == 0 else "", _local(address)) for number, address in enumerate(found)]
    rows += [("mpls", "")] if unit.mpls else []
    if not rows:
        return [f"{unit.name:<24}{up}"]
    first = f"{unit.name:<24}{up:<11}"
    return [f"{first if number == 0 else '':<35}{family:<9}{text}" for number, (family, text) in enumerate(rows)]


def _local(address: Interface) -> str:
    if address.network.prefixlen == address.max_prefixlen:
        return f"{address.ip!s:<20}--> 0/0" if address.version == 4 else str(address.ip)  # noqa: PLR2004 - IP's own number
    return str(address)


def connections(found: Sequence[TcpConnection]) -> list[str]:
    """Return the TCP sockets as netstat prints them: `ADDRESS.PORT`."""
    lines = [_CONNECTIONS, _COLUMNS]
    for entry in found:
        local = f"{entry.local[0] or '*'}.{entry.local[1]}"
        remote = _endpoint(entry.remote)
        queues = f"{entry.receive_queue:>7}{entry.send_queue:>7}"
        lines.append(f"{f'tcp{entry.version}':<5}{queues}  {local:<46}{remote:<46}{entry.state}")
    return lines


def _endpoint(end: tuple[Address, int] | None) -> str:
    return f"{end[0]}.{end[1]}" if end is not None else "*.*"


def tcp_statistics(drops: AuthDrops) -> list[str]:
    """Return the counters of `show system statistics tcp` that this router has: those about authentication."""
    return [
        "Tcp:",
        f"        {drops.icmp_ignored} ICMP packets ignored by TCP",
        f"        {drops.sent} send packets dropped by TCP due to auth errors",
        f"        {drops.received} rcv packets dropped by TCP due to auth errors",
    ]


def commits(found: Sequence[Commit], zone: tzinfo) -> list[str]:
    """Return a line for each commit, the latest first, with its comment below it."""
    lines: list[str] = []
    for number, commit in enumerate(found):
        lines.append(f"{number:<4}{stamp(commit.when, zone)} by {commit.user} via {commit.via}")
        lines += [f"    {commit.comment}"] if commit.comment else []
    return lines
