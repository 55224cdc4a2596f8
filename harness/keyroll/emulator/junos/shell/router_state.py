"""The state that all command lines of one router share: configurations, machine half, clock, logins, log."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from itertools import count
from typing import Protocol

from asyncssh import SSHServerConnection

from keyroll.emulator.contract.model import Backend
from keyroll.emulator.junos.commit.datastore import Datastore
from keyroll.emulator.junos.configuration.values import EntryContext
from keyroll.emulator.junos.effect.syslog import Syslog
from keyroll.keychain.type9 import SALTS
from keyroll.names import Receiving


@dataclass(frozen=True, slots=True, eq=False)
class Editor:
    """One command line in configuration mode. Compared by identity: a user may have several."""

    user: str


class Screen(Protocol):
    """The terminal of a command line: for questions, and for lines printed before a command has ended."""

    @property
    def interactive(self) -> bool:
        """Whether there is a pseudo-terminal, on which Ctrl-C can be typed."""
        ...

    async def ask(self, question: str, *, hidden: bool = False) -> str | None:
        """Print `question` and return the typed line, not echoed if `hidden`; None when the input has ended."""
        ...

    async def read_block(self) -> str:
        """Return the lines that are typed until Ctrl-D, joined by newlines."""
        ...

    async def write_now(self, lines: Sequence[str]) -> None:
        """Print lines at once, while a command runs."""
        ...

    def interrupt_with(self, lines: Sequence[str]) -> None:
        """Print lines at once above the line that is being typed; without a screen, do nothing."""
        ...


@dataclass(eq=False, slots=True)
class RouterState:
    """The state of one emulated router that all its command lines share."""

    store: Datastore
    backend: Backend
    syslog: Syslog
    receiving: Receiving = Receiving.TOLERANCE
    started: float = field(default_factory=time.monotonic)
    editors: set[Editor] = field(default_factory=set)
    """The command lines in configuration mode."""
    exclusive: Editor | None = None
    """The one that has locked the configuration (`configure exclusive`)."""
    private: set[Editor] = field(default_factory=set)
    """Those that edit a private candidate (`configure private`)."""
    screens: set[Screen] = field(default_factory=set)
    """The terminals of all command lines."""
    logins: set[SSHServerConnection] = field(default_factory=set)
    """The open SSH connections."""
    _salts: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def zone(self) -> tzinfo:
        """The router's time zone, as configured."""
        return self.store.zone

    @property
    def context(self) -> EntryContext:
        """The context for storing a value; each use of its salt gives the next one."""
        return EntryContext(self.backend.now, self.zone, lambda: next(self._salts) % SALTS)

    @property
    def up_for(self) -> timedelta:
        """Time since the router started, on the monotonic clock: setting the router's clock does not change it."""
        return timedelta(seconds=time.monotonic() - self.started)

    def broadcast(self, text: str) -> None:
        """Print a text on every terminal, in the layout of wall(1)."""
        now = self.now().astimezone(self.zone)
        lines = ["", f"Broadcast Message from root@{self.store.host_name}"]
        lines += [f"        (no tty) at {now.hour}:{now:%M} {now.tzname()}...", "", text, ""]
        for screen in list(self.screens):
            screen.interrupt_with(lines)

    def now(self) -> datetime:
        """Return the router's own clock, UTC."""
        return self.backend.now()
