"""The request for a plan, and the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from keyroll.errors import InputError
from keyroll.keychain.generate import Ids
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm
from keyroll.plan.notes import Note

SPACING_DEFAULT = timedelta(minutes=30)
"""Juniper's advice for the time between the start-times of two subsequent keys (docs/junos.md 2.3)."""
SKEW_DEFAULT = timedelta(seconds=1)
"""Clocks of routers that follow NTP are closer than this."""
LEAD_DEFAULT = timedelta(days=7)
"""A change is made this long before the key takes over, where its window allows: there is time for a second try in
another night."""
PAUSE_DEFAULT = timedelta(minutes=5)
"""Between the commits on two routers: time to check the first before the second is changed."""
COMMIT_DEFAULT = timedelta(minutes=5)
"""How long one commit may take: large configurations need minutes."""


class PlanRefusedError(InputError):
    """What is asked for cannot be done hitlessly; `remedy` names the nearest plan that works."""


class OptionsRefusedError(PlanRefusedError):
    """It cannot be done with these options; `alternatives.py` tries others, the nearest first."""


def as_option(length: timedelta) -> str:
    """Return a length as an option takes it, in whole seconds: `90d`, `1h12m`."""
    rest, parts = round(length.total_seconds()), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


@dataclass(frozen=True, slots=True)
class Router:
    """A router whose chain is planned. `zone` is what its start-times are written in."""

    name: str
    chain: Keychain
    zone: tzinfo = UTC
    reachable: bool = True
    deactivated: frozenset[int] = frozenset()
    """Numbers of deactivated keys: a key that is set under such a number stays deactivated."""


@dataclass(frozen=True, slots=True)
class Retired:
    """Ids and the key number of a key that was deleted, and when: what quarantine counts from."""

    router: str
    number: int
    send_id: int | None
    recv_id: int | None
    deleted: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. All instants are aware; lengths are whole seconds.

    `draw` gives the secret of a new key by a label that names chain and start-time; it is called once a key, in the
    order of start-times. `algorithms` are (from when, which), ascending; before the first the newest key's holds on.
    """

    routers: tuple[Router, ...]
    at: datetime
    until: datetime
    every: timedelta
    draw: Callable[[str], Secret] = field(repr=False)
    max_age: timedelta | None = None
    ahead: int = 1
    spacing: timedelta = SPACING_DEFAULT
    quarantine: timedelta = timedelta()
    ids: Ids | None = None
    algorithms: tuple[tuple[datetime, Algorithm], ...] = ()
    skew: timedelta = SKEW_DEFAULT
    lead: timedelta = LEAD_DEFAULT
    pause: timedelta = PAUSE_DEFAULT
    commit: timedelta = COMMIT_DEFAULT
    history: tuple[Retired, ...] = ()
    notes: tuple[Note, ...] = ()
    """What a reader of the plan must know about the configurations."""


@dataclass(frozen=True, slots=True)
class RouterChange:
    """What one router's chain loses and gains in a change, and what it is before and after."""

    router: Router
    before: Keychain
    after: Keychain
    deleted: tuple[Key, ...]
    added: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the chains on all routers, one after the other.

    It may begin at `earliest`; `planned` is when it should; whoever comes last must be done before `latest`. `takeover`
    is the start-time of the first key that it adds (None where it only deletes); `looks` are what must be seen before
    it begins.
    """

    earliest: datetime
    planned: datetime
    latest: datetime | None
    takeovers: tuple[datetime, ...]
    routers: tuple[RouterChange, ...]
    looks: tuple[str, ...] = ()

    @property
    def late(self) -> timedelta | None:
        """How late one side may be, counted from when the change is planned; None: without a limit."""
        return None if self.latest is None else self.latest - self.planned


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes in order of time. `chains` are what the routers hold after the last one; `notes` are for people."""

    changes: tuple[Change, ...]
    chains: Mapping[str, Keychain]
    retired: tuple[Retired, ...] = ()
    notes: tuple[Note, ...] = ()
    quarantine_known_from: datetime | None = None
    """Before this instant, ids that were deleted earlier may come back: the configuration does not tell of them."""


def folders(plan: Plan) -> list[str]:
    """Return the folder of each change: its date, with the time where two fall on one day."""
    days = [change.planned.strftime("%Y-%m-%d") for change in plan.changes]
    return [
        day if days.count(day) == 1 else change.planned.strftime("%Y-%m-%dT%H%M")
        for day, change in zip(days, plan.changes, strict=True)
    ]
