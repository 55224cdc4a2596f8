"""The state of one command line: mode, edit level, screen settings, the output being piped.

The actions of commands and pipes get a `Session` and change it. Parsing a line is the task of `Cli`.
"""

from __future__ import annotations

import enum

from keyroll.emulator.junos.commit.datastore import Datastore, PrivateCandidate
from keyroll.emulator.junos.configuration.tree import Path
from keyroll.emulator.junos.shell.output import NOTHING, Output
from keyroll.emulator.junos.shell.router_state import Editor, RouterState, Screen


class Mode(enum.Enum):
    """The mode of a command line, which selects its grammar."""

    OPERATIONAL = enum.auto()
    CONFIGURATION = enum.auto()


class Session:
    """The state of a command line of `user` on `router` between two lines."""

    def __init__(self, router: RouterState, user: str, screen: Screen) -> None:
        self.router = router
        self.user = user
        self.screen = screen
        self.mode = Mode.OPERATIONAL
        self.base: Path = ()
        """The edit level; empty at the top, and in operational mode."""
        self.earlier_bases: list[Path] = []
        """The edit levels to which `exit` returns, the latest last."""
        self.screen_length: int | None = None
        """Lines of a page, set by `set cli screen-length`; None for the terminal's height."""
        self.complete_on_space = True
        self.piped: Output = NOTHING
        """The output that the pipe now running filters."""
        self.piping = False
        """Whether the output of the command now running goes to a pipe."""
        self.reshaping = False
        """Whether the first pipe reads the configuration itself, so that no lines need to be rendered for it."""
        self.ended = False
        self.private: PrivateCandidate | None = None
        """The candidate of `configure private`."""
        self._editor = Editor(user)
        router.screens.add(screen)

    @property
    def configuring(self) -> bool:
        """Whether it is in configuration mode."""
        return self.mode is Mode.CONFIGURATION

    @property
    def prompt(self) -> str:
        """The prompt, with its trailing space."""
        return f"{self.user}@{self.router.store.host_name}{'#' if self.configuring else '>'} "

    def may(self, permission: str) -> bool:
        """Return whether the user's login class has a permission; the lab's own accounts have all."""
        login = self.router.store.logins.get(self.user)
        return login is None or login.may(permission)

    @property
    def store(self) -> Datastore | PrivateCandidate:
        """The candidate that it edits: its private one, else the shared one."""
        return self.private or self.router.store

    @property
    def locked_by(self) -> Editor | None:
        """The other command line that has locked the configuration (`configure exclusive`), or None."""
        holder = self.router.exclusive
        return None if holder is self._editor else holder

    @property
    def exclusive(self) -> bool:
        """Whether it has locked the configuration itself."""
        return self.router.exclusive is self._editor

    @property
    def discards(self) -> bool:
        """Whether its uncommitted changes are discarded when it leaves configuration mode."""
        return self.exclusive or self.private is not None

    @property
    def other_editors(self) -> list[str]:
        """The users of the other command lines in configuration mode, sorted."""
        return sorted(editor.user for editor in self.router.editors if editor is not self._editor)

    def enter_configuration(self, *, exclusive: bool = False, private: PrivateCandidate | None = None) -> None:
        """Enter configuration mode at the top; `exclusive` locks the shared candidate, `private` replaces it."""
        self.mode = Mode.CONFIGURATION
        self.base, self.earlier_bases = (), []
        self.router.editors.add(self._editor)
        if exclusive:
            self.router.exclusive = self._editor
        if private is not None:
            self.private = private
            self.router.private.add(self._editor)

    def leave_configuration(self, *, clean: bool) -> None:
        """Return to operational mode; `clean`: a locked candidate has no uncommitted changes to discard."""
        self.mode = Mode.OPERATIONAL
        self.base, self.earlier_bases = (), []
        self._release(clean=clean)

    def _release(self, *, clean: bool = False) -> None:
        """Release the lock or the private candidate, and discard the uncommitted changes in it."""
        self.router.editors.discard(self._editor)
        self.router.private.discard(self._editor)
        self.private = None
        if self.exclusive:
            if clean:
                self.router.exclusive = None
            else:
                self.router.store.to_the_end(self._discard_and_unlock())

    async def _discard_and_unlock(self) -> None:
        """Discard uncommitted changes, then unlock, so that no session edits a candidate that is being replaced."""
        await self.router.store.rolled_back(0)
        self.router.exclusive = None

    def close(self) -> None:
        """End this command line. Can be called more than once."""
        self.ended = True
        self.router.screens.discard(self.screen)
        self._release()
