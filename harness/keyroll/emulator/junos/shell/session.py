"""The state of one person's command line: mode, place in the configuration, screen settings, the answer being piped.

Commands and pipes get a `Session` and change it. It knows neither the grammar nor how lines are read: `Cli` does.
"""

from __future__ import annotations

import enum

from keyroll.emulator.junos.commit.datastore import Datastore, PrivateCandidate
from keyroll.emulator.junos.configuration.tree import Path
from keyroll.emulator.junos.shell.chassis import Chassis, Editor, Screen
from keyroll.emulator.junos.shell.output import NOTHING, Output


class Mode(enum.Enum):
    """Which commands a line may be."""

    OPERATIONAL = enum.auto()
    CONFIGURATION = enum.auto()


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
        self.private: PrivateCandidate | None = None
        """The candidate of its own that `configure private` gave it."""
        self._editor = Editor(user)
        chassis.screens.add(screen)

    @property
    def configuring(self) -> bool:
        """Whether it is in configuration mode."""
        return self.mode is Mode.CONFIGURATION

    @property
    def prompt(self) -> str:
        """The prompt, its trailing blank included."""
        return f"{self.user}@{self.chassis.store.host_name}{'#' if self.configuring else '>'} "

    def may(self, permission: str) -> bool:
        """Say whether the user's login class has a permission; the lab's own accounts may do everything."""
        login = self.chassis.store.logins.get(self.user)
        return login is None or login.may(permission)

    @property
    def store(self) -> Datastore | PrivateCandidate:
        """The candidate that it edits: the shared one, or one of its own."""
        return self.private or self.chassis.store

    @property
    def locked_by(self) -> Editor | None:
        """Who else keeps the configuration locked (`configure exclusive`)."""
        holder = self.chassis.exclusive
        return None if holder is self._editor else holder

    @property
    def exclusive(self) -> bool:
        """Whether it keeps the configuration locked."""
        return self.chassis.exclusive is self._editor

    @property
    def discards(self) -> bool:
        """Whether uncommitted changes end with its configuration mode."""
        return self.exclusive or self.private is not None

    @property
    def other_editors(self) -> list[str]:
        """The users of the other command lines in configuration mode, sorted."""
        return sorted(editor.user for editor in self.chassis.editors if editor is not self._editor)

    def enter_configuration(self, *, exclusive: bool = False, private: PrivateCandidate | None = None) -> None:
        """Go into configuration mode, at the top: with the shared candidate, that one locked, or one of its own."""
        self.mode = Mode.CONFIGURATION
        self.base, self.earlier_bases = (), []
        self.chassis.editors.add(self._editor)
        if exclusive:
            self.chassis.exclusive = self._editor
        if private is not None:
            self.private = private
            self.chassis.private.add(self._editor)

    def leave_configuration(self, *, clean: bool) -> None:
        """Go back to operational mode; `clean` says that the locked candidate holds nothing to throw away."""
        self.mode = Mode.OPERATIONAL
        self.base, self.earlier_bases = (), []
        self._let_go(clean=clean)

    def _let_go(self, *, clean: bool = False) -> None:
        """Give up the lock, or the candidate of its own, with what is not committed in it."""
        self.chassis.editors.discard(self._editor)
        self.chassis.private.discard(self._editor)
        self.private = None
        if self.exclusive:
            self.chassis.exclusive = None
            if not clean:
                self.chassis.store.rollback(0)

    def close(self) -> None:
        """End this command line, however it ends. Can be called twice."""
        self.ended = True
        self.chassis.screens.discard(self.screen)
        self._let_go()
