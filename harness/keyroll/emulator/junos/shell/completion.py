"""Completes the word being typed, and lists the help of `?`, both from one list of possible words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from keyroll.emulator.junos.configuration.paths import Completion, help_lines
from keyroll.emulator.junos.configuration.tokens import quote


def by_space(partial: str, found: Sequence[Completion]) -> str:
    """Return what the space bar adds to `partial`: the rest of the only keyword that it abbreviates, or "".

    Neither user-defined names (as in Junos) nor an empty word are completed.
    """
    names = [entry.name for entry in _matching(partial, found) if not entry.variable]
    return names[0][len(partial) :] if len(names) == 1 and partial else ""


def by_tab(partial: str, found: Sequence[Completion]) -> str | None:
    """Return what Tab adds to `partial`: the rest of the only match and a space, or what all matches share.

    None when that is nothing, to show help.
    """
    names = [entry.name for entry in _matching(partial, found)]
    if len(names) == 1:
        return quote(names[0])[len(partial) :] + " "
    shared = _shared_beginning(names)
    return shared[len(partial) :] if len(shared) > len(partial) else None


def _matching(partial: str, found: Sequence[Completion]) -> list[Completion]:
    """Return the words that `partial` may become.

    A word that needs several letters as an abbreviation needs as many to be completed: otherwise `q`, the space bar and
    Enter would end the session.
    """
    return [
        entry
        for entry in found
        if entry.literal and entry.name.startswith(partial) and entry.name != "|"
        if len(partial) >= entry.shortest or not partial
    ]


def help_text(partial: str, found: Sequence[Completion]) -> list[str]:
    """Return the lines that `?` prints after the unfinished word `partial`."""
    shown = [entry for entry in found if not partial or entry.name.startswith(partial) or not entry.literal]
    return ["Possible completions:", *help_lines(_sorted(shown))] if shown else ["No valid completions"]


def _sorted(found: list[Completion]) -> list[Completion]:
    """Return the entries with `<[Enter]>` first and the pipe last, as Junos lists them."""
    enter = [entry for entry in found if entry.name == "<[Enter]>"]
    pipe = [entry for entry in found if entry.name == "|"]
    return [*enter, *(entry for entry in found if entry not in enter and entry not in pipe), *pipe]


def _shared_beginning(names: list[str]) -> str:
    if not names:
        return ""
    first, last = min(names), max(names)
    length = next((at for at in range(len(first)) if not last.startswith(first[: at + 1])), len(first))
    return first[:length]
