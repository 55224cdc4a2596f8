"""The values of this package: the request for a plan, and the plan with its changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from keyroll.durations import format_duration
from keyroll.errors import InputError
from keyroll.keychain.generate import Ids
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm
from keyroll.plan.notes import Note

SPACING_DEFAULT = timedelta(minutes=30)
"""Juniper's advice for the time between the start-times of two subsequent keys (docs/junos.md 2.3)."""
SKEW_DEFAULT = timedelta(seconds=1)
"""The clocks of routers that follow NTP differ by less than this."""
LEAD_DEFAULT = timedelta(days=7)
"""A change is made this long before the key takes over, if its window allows: there is time for a second try in another
night."""
PAUSE_DEFAULT = timedelta(minutes=5)
"""Time between the commits on two routers: enough to check the first one before the second one is changed."""
COMMIT_DEFAULT = timedelta(minutes=5)
"""How long one commit may take: large configurations need minutes."""


class PlanRefusedError(InputError):
    """No hitless plan can be made for the request; `remedy` says what to do."""


class OptionsRefusedError(PlanRefusedError):
    """No hitless plan can be made with these options; `alternatives.py` tries others, the nearest values first."""


def as_option(length: timedelta) -> str:
    """Return a length as an option takes it, in whole seconds: `90d`, `1h12m`."""
    return format_duration(timedelta(seconds=round(length.total_seconds())))


@dataclass(frozen=True, slots=True)
class Router:
    """A router whose chain is planned. `zone` is the time zone of its start-times in set files."""

    name: str
    chain: Keychain
    zone: tzinfo = UTC
    reachable: bool = True
    deactivated: frozenset[int] = frozenset()
    """Numbers of deactivated keys: a key that is set under such a number stays deactivated."""


@dataclass(frozen=True, slots=True)
class Retired:
    """The ids and the number of a deleted key, and when it was deleted; quarantine counts from then."""

    router: str
    number: int
    send_id: int | None
    recv_id: int | None
    deleted: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """The request for a plan. All instants are aware; lengths are whole seconds.

    `draw` returns the secret of a new key, from a label that names chain and start-time; it is called once for each
    key, in the order of start-times. `algorithms` are pairs (from when, algorithm), ascending; before the first, new
    keys have the newest key's algorithm.
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
    """The keys that one router's chain loses and gains in a change, and the chain before and after it."""

    router: Router
    before: Keychain
    after: Keychain
    deleted: tuple[Key, ...]
    added: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the chains on all routers, one after the other.

    It may begin at `earliest` and is planned for `planned`; the last router must be changed before `latest` (None:
    without a limit). `takeovers` are the start-times of the keys that it adds (empty if it only deletes). `looks` are
    the checks to make before it begins, as sentences.
    """

    earliest: datetime
    planned: datetime
    latest: datetime | None
    takeovers: tuple[datetime, ...]
    routers: tuple[RouterChange, ...]
    looks: tuple[str, ...] = ()

    @property
    def late(self) -> timedelta | None:
        """How much later than planned one router may be changed; None: without a limit."""
        return None if self.latest is None else self.latest - self.planned


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes in order of time. `chains` are the routers' chains after the last one, by router name."""

    changes: tuple[Change, ...]
    chains: Mapping[str, Keychain]
    retired: tuple[Retired, ...] = ()
    notes: tuple[Note, ...] = ()
    quarantine_known_from: datetime | None = None
    """Before this instant, ids that were deleted before the plan may be reused: a configuration does not list them."""


def folders(plan: Plan) -> list[str]:
    """Return the folder of each change: its date, with the time if two changes are on one day."""
    days = [change.planned.strftime("%Y-%m-%d") for change in plan.changes]
    return [
        day if days.count(day) == 1 else change.planned.strftime("%Y-%m-%dT%H%M")
        for day, change in zip(days, plan.changes, strict=True)
    ]
