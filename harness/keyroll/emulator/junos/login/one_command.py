"""Commands given at login: `ssh router "show a; show b"`, `cli -c "configure; set …; commit and-quit"`."""

from __future__ import annotations

import shlex

from keyroll.emulator.junos.login.terminal import Terminal
from keyroll.emulator.junos.shell.cli import Cli


async def run_all(cli: Cli, terminal: Terminal, text: str) -> None:
    """Run the commands of `text` one after another, until one of them ends the command line. Raises HangUp."""
    for command in commands(text):
        if cli.ended:
            break
        await terminal.show(await terminal.run(cli.execute(command)), 0)


def commands(text: str) -> list[str]:
    """Split a line into commands at the semicolons outside quotes; a leading `cli` or `cli -c` is removed."""
    return [part for part in (part.strip() for part in _parts(_without_shell(text.strip()))) if part]


def _without_shell(text: str) -> str:
    if text.split()[:2] == ["cli", "-c"]:
        try:
            return " ".join(shlex.split(text)[2:])
        except ValueError:  # a quote is not closed: the command line reports it
            return text.partition("-c")[2].strip()
    return text.removeprefix("cli ").strip() if text.startswith("cli ") else text


def _parts(text: str) -> list[str]:
    parts, quoted, escaped = [""], False, False
    for character in text:
        if character == ";" and not quoted:
            parts.append("")
            continue
        if character == '"' and not escaped:
            quoted = not quoted
        escaped = character == "\\" and not escaped
        parts[-1] += character
    return parts
