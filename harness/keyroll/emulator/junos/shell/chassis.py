"""What every command line of one router shares: configurations, machine half, clock, who is logged in, the log."""

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
    """One command line in configuration mode; two of one user are two."""

    user: str


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

    def interrupt_with(self, lines: Sequence[str]) -> None:
        """Print lines at once between what is typed, where there is a screen."""
        ...


@dataclass(eq=False, slots=True)
class Chassis:
    """One emulated router, as its command lines see it."""

    store: Datastore
    backend: Backend
    syslog: Syslog
    receiving: Receiving = Receiving.TOLERANCE
    started: float = field(default_factory=time.monotonic)
    editors: set[Editor] = field(default_factory=set)
    """The command lines in configuration mode."""
    exclusive: Editor | None = None
    """The one that keeps the configuration locked."""
    private: set[Editor] = field(default_factory=set)
    """Those that edit a candidate of their own."""
    screens: set[Screen] = field(default_factory=set)
    """Where those who are logged in read."""
    logins: set[SSHServerConnection] = field(default_factory=set)
    _salts: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def zone(self) -> tzinfo:
        """The router's time zone, as configured."""
        return self.store.zone

    @property
    def context(self) -> EntryContext:
        """What entering a value depends on, now."""
        return EntryContext(self.backend.now, self.zone, lambda: next(self._salts) % SALTS)

    @property
    def up_for(self) -> timedelta:
        """How long this router has been up: monotonic, so setting its clock does not change it."""
        return timedelta(seconds=time.monotonic() - self.started)

    def broadcast(self, text: str) -> None:
        """Tell everybody who is logged in, as wall(1) does."""
        now = self.now().astimezone(self.zone)
        lines = ["", f"Broadcast Message from root@{self.store.host_name}"]
        lines += [f"        (no tty) at {now.hour}:{now:%M} {now.tzname()}...", "", text, ""]
        for screen in list(self.screens):
            screen.interrupt_with(lines)

    def now(self) -> datetime:
        """Return the router's own clock, UTC."""
        return self.backend.now()
