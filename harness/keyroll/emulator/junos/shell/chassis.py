"""What every command line of one router shares: configurations, machine half, clock, who is logged in, the log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from itertools import count

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

    def now(self) -> datetime:
        """Return the router's own clock, UTC."""
        return self.backend.now()
