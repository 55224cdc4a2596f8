"""The lines that a watched router may be sent: the tests compare every line that the recording server got with them."""

from __future__ import annotations

import re

from keyroll.watch.commands import Shape

LOGIN = (
    "set cli screen-width 511",
    "set cli complete-on-space off",
    "set cli screen-length 0",
)
"""What the login sends first, for its own terminal (keyroll.junos.login). In a shell, it first sends `cli`."""
_ADDRESS = re.compile(r"[0-9a-f.:]{2,45}")


def is_allowed(line: str) -> bool:
    """Say whether a line is one of those that may be sent."""
    if line in LOGIN or line == "cli":
        return True
    for shape in Shape:
        before, placed, after = shape.value.partition("{address}")
        if not placed and line == before:
            return True
        if placed and line.startswith(before) and line.endswith(after):
            return _ADDRESS.fullmatch(line[len(before) : len(line) - len(after)]) is not None
    return False
