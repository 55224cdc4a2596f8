"""Regular expressions that are compiled when they are first used, and then kept."""

from __future__ import annotations

import re
from functools import cache


@cache
def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return the compiled pattern, for a text that is a constant of the program.

    `re.match(pattern, …)` also compiles at first use, but `re` keeps the last 512 patterns of a process only. A process
    with more of them compiles such a pattern again at each use, which takes a thousand times as long as to match it.
    """
    return re.compile(pattern, flags)
