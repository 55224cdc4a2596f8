"""What `ping` prints: Junos has FreeBSD's ping."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from keyroll.emulator.contract.model import Address, Echo

OCTETS = 56
"""Payload of a request, as the heading says it: Junos' default."""
"""Octets of data in an echo request."""


def heading(address: Address) -> str:
    """Return the line before the first answer."""
    return f"PING {address} ({address}): {OCTETS} data bytes"


def answer(address: Address, echo: Echo) -> str | None:
    """Return the line of one request; None when no answer came, which says nothing until the end."""
    if echo.problem is not None:
        return f"ping: {echo.problem}"
    if echo.milliseconds is None:
        return None
    where = f"{echo.octets} bytes from {address}: icmp_seq={echo.sequence}"
    return f"{where} ttl={echo.ttl} time={echo.milliseconds:.3f} ms"


def mark(echo: Echo) -> str:
    """Return what `rapid` prints for one request."""
    return "." if echo.milliseconds is None else "!"


def statistics(address: Address, echoes: Sequence[Echo]) -> list[str]:
    """Return the lines at the end."""
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
