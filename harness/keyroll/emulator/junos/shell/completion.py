"""Completion of the word being typed, from the same help that `?` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyroll.emulator.junos.configuration.faults import JunosFault
from keyroll.emulator.junos.configuration.paths import Completion, help_lines
from keyroll.emulator.junos.configuration.tokens import quote

if TYPE_CHECKING:
    from keyroll.emulator.junos.shell.cli import Cli


def complete(cli: Cli, line: str, *, tab: bool) -> str | None:
    """Return what completes the last word of `line`: "" for nothing, None (by Tab only) when help should be shown.

    What takes some letters as an abbreviation takes as many to be completed: nobody leaves by `q`, a space and Enter.
    Space completes keywords alone, and only words that are begun; Tab completes names that people chose too.
    """
    if not tab and (not cli.complete_on_space or line.endswith(" ") or not line):
        return ""
    try:
        partial, found = cli.help(line)
    except JunosFault:
        return None if tab else ""
    names = [
        entry.name
        for entry in found
        if entry.literal and entry.name.startswith(partial) and (tab or not entry.variable) and entry.name != "|"
        if len(partial) >= entry.shortest or not partial
    ]
    if not tab:
        return names[0][len(partial) :] if len(names) == 1 and partial else ""
    if len(names) == 1:
        return quote(names[0])[len(partial) :] + " "
    shared = _shared_beginning(names)
    return shared[len(partial) :] if len(shared) > len(partial) else None


def help_text(cli: Cli, line: str) -> list[str]:
    """Return what `?` shows behind `line`."""
    try:
        partial, found = cli.help(line)
    except JunosFault as fault:
        return fault.lines(len(cli.prompt))
    shown = [entry for entry in found if not partial or entry.name.startswith(partial) or not entry.literal]
    return ["Possible completions:", *help_lines(_sorted(shown))] if shown else ["No valid completions"]


def _sorted(found: list[Completion]) -> list[Completion]:
    enter = [entry for entry in found if entry.name == "<[Enter]>"]
    pipe = [entry for entry in found if entry.name == "|"]
    return [*enter, *(entry for entry in found if entry not in enter and entry not in pipe), *pipe]


def _shared_beginning(names: list[str]) -> str:
    if not names:
        return ""
    first, last = min(names), max(names)
    length = next((at for at in range(len(first)) if not last.startswith(first[: at + 1])), len(first))
    return first[:length]
