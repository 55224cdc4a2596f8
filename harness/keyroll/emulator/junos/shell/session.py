"""The state of one person's command line: mode, place in the configuration, screen settings, the answer being piped.

Commands and pipes get a `Session` and change it. It knows neither the grammar nor how lines are read: `Cli` does.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Protocol

from keyroll.emulator.junos.configuration.tree import Path
from keyroll.emulator.junos.shell.chassis import Chassis, Editor
from keyroll.emulator.junos.shell.output import NOTHING, Output


class Mode(enum.Enum):
    """Which commands a line may be."""

    OPERATIONAL = enum.auto()
    CONFIGURATION = enum.auto()


class Screen(Protocol):
    """Where a command asks and prints besides its answer."""

    @property
    def interactive(self) -> bool:
        """Whether somebody can press Ctrl-C."""
        ...

    async def ask(self, question: str, *, hidden: bool = False) -> str | None:
        """Return what is typed after `question`, unseen when `hidden`; None when nobody can answer."""
        ...

    async def read_block(self) -> str:
        """Return the lines that are typed until Ctrl-D."""
        ...

    async def write_now(self, lines: Sequence[str]) -> None:
        """Print lines at once, while a command still runs."""
        ...


class Session:
    """What `user`'s command line on `chassis` remembers from one line to the next."""

    def __init__(self, chassis: Chassis, user: str, screen: Screen) -> None:
        self.chassis = chassis
        self.user = user
        self.screen = screen
        self.mode = Mode.OPERATIONAL
        self.base: Path = ()
        """Where in the configuration this command line stands; empty at the top, and in operational mode."""
        self.earlier_bases: list[Path] = []
        """Where `exit` leads back to, the latest last."""
        self.screen_length: int | None = None
        """Lines a page, as `set cli screen-length` has it; None for the terminal's height."""
        self.screen_width: int | None = None
        self.complete_on_space = True
        self.piped: Output = NOTHING
        """The answer that the pipe now running filters."""
        self.piping = False
        """Whether the answer of the command now running goes into a pipe, not to the screen."""
        self.ended = False
        self._editor = Editor(user)

    @property
    def configuring(self) -> bool:
        """Whether it is in configuration mode."""
        return self.mode is Mode.CONFIGURATION

    @property
    def prompt(self) -> str:
        """The prompt, its trailing blank included."""
        return f"{self.user}@{self.chassis.store.host_name}{'#' if self.configuring else '>'} "

    @property
    def other_editors(self) -> list[str]:
        """The users of the other command lines in configuration mode, sorted."""
        return sorted(editor.user for editor in self.chassis.editors if editor is not self._editor)

    def enter_configuration(self) -> None:
        """Go into configuration mode, at the top."""
        self.mode = Mode.CONFIGURATION
        self.base, self.earlier_bases = (), []
        self.chassis.editors.add(self._editor)

    def leave_configuration(self) -> None:
        """Go back to operational mode."""
        self.mode = Mode.OPERATIONAL
        self.base, self.earlier_bases = (), []
        self.chassis.editors.discard(self._editor)

    def close(self) -> None:
        """End this command line, however it ends. Can be called twice."""
        self.ended = True
        self.chassis.editors.discard(self._editor)
