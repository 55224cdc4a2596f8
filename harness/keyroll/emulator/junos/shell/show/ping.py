"""The output of `ping`, in the layout of FreeBSD's ping(8), which Junos has."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from keyroll.emulator.contract.model import Address, Echo

OCTETS = 56
"""Octets of data in an echo request: Junos' default, printed in the heading."""


def heading(address: Address) -> str:
    """Return the line before the first reply."""
    return f"PING {address} ({address}): {OCTETS} data bytes"


def answer(address: Address, echo: Echo) -> str | None:
    """Return the line for one request; None without a reply, which only the statistics count."""
    if echo.problem is not None:
        return f"ping: {echo.problem}"
    if echo.milliseconds is None:
        return None
    where = f"{echo.octets} bytes from {address}: icmp_seq={echo.sequence}"
    return f"{where} ttl={echo.ttl} time={echo.milliseconds:.3f} ms"


def mark(echo: Echo) -> str:
    """Return the character that `rapid` prints for one request: `!` for a reply, `.` for none."""
    return "." if echo.milliseconds is None else "!"


def statistics(address: Address, echoes: Sequence[Echo]) -> list[str]:
    """Return the last lines: counts of packets, and with any reply the round-trip times."""
    times = [echo.milliseconds for echo in echoes if echo.milliseconds is not None]
    sent, got = len(echoes), len(times)
    lost = round(100 * (sent - got) / sent) if sent else 0
    lines = [
        f"--- {address} ping statistics ---",
        f"{sent} packets transmitted, {got} packets received, {lost}% packet loss",
    ]
    if times:
        mean = sum(times) / got
        deviation = sqrt(sum((time - mean) ** 2 for time in times) / got)
        figures = "/".join(f"{value:.3f}" for value in (min(times), mean, max(times), deviation))
        lines.append(f"round-trip min/avg/max/stddev = {figures} ms")
    return lines
