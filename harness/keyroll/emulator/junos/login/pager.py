"""The keys of the `---(more)---` prompt, and the lines that each of them shows next (assumption J98). Pure."""

from __future__ import annotations

import enum


class Amount(enum.Enum):
    """How far a key moves."""

    LINE = enum.auto()
    HALF = enum.auto()
    SCREEN = enum.auto()
    WHOLE = enum.auto()


END = frozenset({"q", "Q", "\x03", "\x0b"})
"""The keys that show nothing more: q, Ctrl-C, Ctrl-K."""
HELP = "h"
HELP_LINES = (
    "space, f     next screen           b     previous screen",
    "Enter, j     next line             k     previous line",
    "d            next half screen      u     previous half screen",
    "G, N         all that is left      g     first screen",
    "q            end",
    "not emulated: search (/), match (m), except (e), save (s); use '| match', '| except', '| find'",
)
_FORWARD = {
    Amount.SCREEN: (" ", "f", "\x06", "[6~"),
    Amount.LINE: ("\r", "\n", "j", "\x0e", "[B", "OB"),
    Amount.HALF: ("d", "\x04"),
    Amount.WHOLE: ("G", "N", "[F", "[4~"),
}
_BACK = {
    Amount.SCREEN: ("b", "\x02", "[5~"),
    Amount.LINE: ("k", "\x10", "[A", "OA"),
    Amount.HALF: ("u", "\x15"),
    Amount.WHOLE: ("g", "[H", "[1~"),
}
"""Letters, control characters, and cursor keys as escape sequences without the escape."""
_AMOUNTS = {key: (amount, 1) for amount, keys in _FORWARD.items() for key in keys} | {
    key: (amount, -1) for amount, keys in _BACK.items() for key in keys
}


def shown_after(key: str, place: int, *, room: int, total: int) -> tuple[int, int] | None:
    """Return the first line that a key shows and the line after the last one; None for a key without a meaning.

    `place` is the line after the last one on the screen, `room` the lines of a screen, `total` all lines.
    """
    amount, direction = _AMOUNTS.get(key, (None, 0))
    if amount is None:
        return None
    lines = {Amount.LINE: 1, Amount.HALF: max(1, room // 2), Amount.SCREEN: room, Amount.WHOLE: total}[amount]
    if direction > 0:
        return place, min(total, place + lines)
    end = max(min(room, total), place - lines)
    return max(0, end - room), end
