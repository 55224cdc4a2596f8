"""Root's shell, in which a login as `root` begins, as on cRPD (netmiko expects it). It has only `cli` and `exit`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from keyroll.emulator.junos.shell.output import NOTHING, Output


class Shell:
    """The shell of `root`; `start_cli` runs a CLI until the user leaves it."""

    page_length: int | None = 0
    """A shell does not page."""

    def __init__(self, host_name: Callable[[], str], start_cli: Callable[[], Awaitable[None]]) -> None:
        self._host_name = host_name
        self._start_cli = start_cli
        self.ended = False

    @property
    def prompt(self) -> str:
        """The prompt."""
        return f"root@{self._host_name()}:~# "

    @property
    def banner(self) -> list[str]:
        """Empty: a shell prints nothing before its prompt."""
        return []

    async def execute(self, line: str) -> Output:
        """Run `cli` or `exit`."""
        words = line.split()
        if not words:
            return NOTHING
        if words[0] in ("exit", "logout"):
            self.ended = True
            return NOTHING
        if words == ["cli"]:
            await self._start_cli()
            return NOTHING
        return Output(["only `cli` and `exit` are known in this shell"])

    def complete(self, line: str, *, tab: bool) -> str | None:
        """Complete nothing."""
        del line, tab
        return ""

    def help_text(self, line: str) -> list[str]:
        """Return the commands of this shell."""
        del line
        return ["cli", "exit"]

    def history_form(self, line: str) -> str:
        """Keep lines as they are: none holds a secret."""
        return line
