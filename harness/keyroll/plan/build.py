"""Makes the plan: when keys take over, which change adds each key, and what is deleted in the same change.

Start-times are counted in UTC from the newest key's, `every` apart. A key is added in a change of its own, after the
takeover that leaves too few keys ahead, and before its own start-time minus the assumed skew: a router without the key
would drop the first segment that the other router sends with it. A retired key is deleted in the next change. It is
older than the active key, whose takeover is complete on both routers once each was seen to send it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from keyroll.keychain.generate import Ids
from keyroll.keychain.model import KEYS_MAX, Key, Keychain
from keyroll.keychain.schedule import in_order
from keyroll.keychain.secret import Likeness, Secret
from keyroll.names import Algorithm
from keyroll.plan.alternatives import nearest
from keyroll.plan.chain_agreement import Agreed, agreed
from keyroll.plan.ids import mode_of, next_ids, next_number
from keyroll.plan.model import (
    Change,
    OptionsRefusedError,
    Plan,
    PlanRefusedError,
    Request,
    Retired,
    Router,
    RouterChange,
    as_option,
)
from keyroll.plan.notes import About, Note, Remark
from keyroll.plan.verify import verify

_MINUTE = timedelta(minutes=1)


def plan(request: Request) -> Plan:
    """Return the changes until `request.until`, each state of them judged.

    Raises:
        PlanRefusedError: no hitless plan can be made; the message gives the reason, and the remedy says what to do.
    """
    try:
        return _planned(request)
    except OptionsRefusedError as refused:
        words = nearest(request, _built, _planned)
        if words is not None:
            refused.remedy = f"use {words}"
        raise


def _planned(request: Request) -> Plan:
    state, changes = _built(request)
    verify(changes, request, dict(zip((router.name for router in request.routers), state.agreed.mirrored, strict=True)))
    return Plan(
        tuple(changes),
        {router.name: state.chains[router.name] for router in request.routers},
        tuple(state.retired),
        tuple(_notes(request, state, changes)),
        None if request.history or not request.quarantine else request.at + request.quarantine,
    )


def _built(request: Request) -> tuple[State, list[Change]]:
    """Return the changes, not judged yet, and the state after them."""
    check_request(request)
    state = State.of(request)
    _refuse_before_the_first_start(request, state)
    _refuse_keys_that_wait_too_long(request, state)
    starts = list(_starts(request, state))
    changes: list[Change] = []
    while starts:
        earliest = state.takeover_before(starts[0])
        missing = request.ahead - state.ahead(earliest) + (state.newest is None)
        count = 1 if changes else max(1, missing)
        added, starts = starts[:count], starts[count:]
        changes.append(_change(request, state, added, earliest))
    return state, changes


def check_request(request: Request) -> None:
    """Refuse a request that no plan can meet.

    Raises:
        PlanRefusedError: the request's options contradict each other.
    """
    check_limits(request)
    if request.until <= request.at:
        raise PlanRefusedError(
            f"the plan would end on {request.until.date().isoformat()}, before it begins", remedy="use a later --until"
        )
    if request.every < request.spacing:
        raise PlanRefusedError(
            f"keys every {as_option(request.every)} are closer than the minimum spacing of "
            f"{as_option(request.spacing)}, and Juniper advises 30 minutes",
            remedy=f"use --every {as_option(request.spacing)} or more, or a smaller --spacing",
        )
    if request.max_age is not None and request.spacing > request.max_age:
        raise PlanRefusedError(
            f"a maximum age of {as_option(request.max_age)} is shorter than the minimum spacing of "
            f"{as_option(request.spacing)}",
            remedy=f"use --max-age {as_option(request.spacing)} or more, or --spacing {as_option(request.max_age)} "
            "or less",
        )
    if request.max_age is not None and request.every > request.max_age:
        raise PlanRefusedError(
            f"with a new key every {as_option(request.every)}, keys become older than the maximum of "
            f"{as_option(request.max_age)}",
            remedy=f"use --every {as_option(request.max_age)} or less",
        )
    if request.ahead < 1:
        raise PlanRefusedError("at least one key must be ahead", remedy="use --ahead 1 or more")


def _refuse_before_the_first_start(request: Request, state: State) -> None:
    """Refuse a chain in which no key has started: nothing is sent with it, so no change of it is hitless yet."""
    if not state.keys:
        return
    # The key must have started on the clock that is behind, too.
    first = start_of(state.keys[0]) + request.skew
    if first > request.at:
        raise PlanRefusedError(
            f"no key has started on all routers at {request.at.isoformat()}: the first key starts at "
            f"{start_of(state.keys[0]).isoformat()}, clocks may be {request.skew.total_seconds():g} s behind, and "
            "before that nothing is sent",
            remedy=f"use --at {first.isoformat()} or later",
        )


def _refuse_keys_that_wait_too_long(request: Request, state: State) -> None:
    """Refuse existing keys that would become older than the maximum: a plan adds keys only after the newest."""
    if request.max_age is None:
        return
    for key, successor in itertools.pairwise(state.keys):
        age = start_of(successor) - start_of(key)
        if start_of(successor) <= request.at or age <= request.max_age or request.at - start_of(key) > request.max_age:
            continue  # the takeover is past, or the age is allowed, or the key is too old already (a note reports it)
        raise PlanRefusedError(
            f"key {key.id} of {request.routers[0].name} is active for {as_option(age)} until key {successor.id} takes "
            f"over, longer than the maximum of {as_option(request.max_age)}",
            remedy=f"delete key {successor.id} and the later ones first, so that the plan adds new keys; or use "
            f"--max-age {math.ceil(age / timedelta(days=1))}d",
        )


def check_limits(request: Request) -> None:
    """Refuse a request with which no change at all is hitless.

    Raises:
        PlanRefusedError: only one router, or a tolerance that is not greater than the assumed skew.
    """
    if len(request.routers) < 2:  # noqa: PLR2004 - a session has two ends
        raise PlanRefusedError("a plan needs two routers on one chain", remedy="name both routers' configurations")
    tolerance = min(router.chain.tolerance for router in request.routers)
    if timedelta(seconds=tolerance) <= request.skew:
        needed = int(request.skew.total_seconds()) + 1
        raise PlanRefusedError(
            f"a tolerance of {tolerance} s is too small for clocks that are {request.skew.total_seconds():g} s apart",
            remedy=f"set the chain's tolerance to {needed} or more on both routers; Junos' default is 3600",
        )


@dataclass(slots=True)
class State:
    """The chains with the changes that are planned so far."""

    request: Request
    agreed: Agreed
    chains: dict[str, Keychain]
    mode: Ids
    newest: Key | None
    numbers: dict[str, int | None]
    retired: list[Retired] = field(default_factory=list)

    @classmethod
    def of(cls, request: Request) -> State:
        """Return the state before the first change: the routers' chains. Raises PlanRefusedError if they differ."""
        found = agreed(request.routers)
        newest = found.keys[-1] if found.keys else None
        return cls(
            request,
            found,
            {router.name: router.chain for router in request.routers},
            request.ids or mode_of(found.keys),
            newest,
            {router.name: _newest_number(router.chain) for router in request.routers},
            list(request.history),
        )

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys of the first router, in order of start-time."""
        return in_order(self.chains[self.request.routers[0].name])

    def ahead(self, moment: datetime) -> int:
        """Return how many keys have not started yet."""
        return sum(start_of(key) > moment for key in self.keys)

    def retired_at(self, moment: datetime) -> set[datetime]:
        """Return the start-times of the keys that a change at this moment may delete: older than the active one.

        The active key is the newest whose takeover is surely complete: start, tolerance and skew have passed.
        """
        margin = self.margin
        done = [start_of(key) for key in self.keys if start_of(key) + margin <= moment]
        return set(done[:-1])

    @property
    def margin(self) -> timedelta:
        """How long after a start-time some router may still send with the key before it."""
        tolerance = max(chain.tolerance for chain in self.chains.values())
        return timedelta(seconds=tolerance) + self.request.skew

    def takeover_before(self, start: datetime) -> datetime:
        """Return when the change that adds a key of this start-time may begin.

        This is when the takeover of the key that is `ahead` keys earlier is complete; at once if there is none.
        """
        at, ahead = self.request.at, self.request.ahead
        before = [start_of(key) for key in self.keys if start_of(key) < start]
        if len(before) < ahead or before[-ahead] <= at - self.margin:
            return ceil_minute(at)
        return ceil_minute(before[-ahead] + self.margin)

    def add(self, start: datetime, moment: datetime, retiring: set[datetime]) -> Key:
        """Add a key to every chain, and remove the retired ones. Return the key as the first router has it."""
        taken = {router.name: self._numbers_taken(router, moment) for router in self.request.routers}
        ids = next_ids(self.newest, self._ids_taken(moment), self.mode)
        label = f"{start.astimezone(UTC).isoformat()}"
        name = self.request.routers[0].chain.name
        secret = self.request.draw(f"{name} {label}")
        self._refuse_known(secret, start)
        made = Key(
            0,
            secret=secret,
            start=start,
            scheme="ao",
            send_id=ids[0],
            recv_id=ids[1],
            tcp_ao_option=True,
            algorithm=self._algorithm(start),
        )
        self.remove(retiring)
        for router, mirrored in zip(self.request.routers, self.agreed.mirrored, strict=True):
            chain = self.chains[router.name]
            number = next_number(self.numbers[router.name], taken[router.name], router.name)
            own = replace(made.mirrored() if mirrored else made, id=number)
            self.chains[router.name] = replace(chain, keys=(*chain.keys, own))
            self.numbers[router.name] = number
        self.newest = made
        return made

    def _refuse_known(self, secret: Secret, start: datetime) -> None:
        """Refuse a secret that a key already has: whoever knows the old key's secret would know the new one's."""
        for router in self.request.routers:
            for key in (*router.chain.keys, *self.chains[router.name].keys):
                if key.secret is not None and key.secret.compare(secret) is Likeness.EQUAL:
                    raise PlanRefusedError(
                        f"the new secret for {start.isoformat()} is the same as that of key {key.id} of {router.name}",
                        remedy="let --secret-command print secrets that no key of the chain has or had",
                    )

    def remove(self, starts: set[datetime]) -> None:
        """Remove the keys of these start-times from every chain."""
        for name, chain in self.chains.items():
            kept = tuple(key for key in chain.keys if start_of(key) not in starts)
            self.chains[name] = replace(chain, keys=kept)

    def retire(self, router: Router, key: Key, moment: datetime) -> None:
        """Remember that a key was deleted."""
        self.retired.append(Retired(router.name, key.id, key.send_id, key.recv_id, moment))

    def _ids_taken(self, moment: datetime) -> set[int]:
        held = {value for chain in self.chains.values() for key in chain.keys for value in (key.send_id, key.recv_id)}
        quiet = {value for gone in self._quarantined(moment) for value in (gone.send_id, gone.recv_id)}
        return {value for value in held | quiet if value is not None}

    def _numbers_taken(self, router: Router, moment: datetime) -> set[int]:
        """Return the numbers that a new key must not have.

        The numbers that this change deletes are among them, so that a commit does not delete and add the same key. If
        all 64 numbers are taken and no quarantine is set, the commit reuses a retired key's number, as operators of
        full chains do (junos.md 9.16).
        """
        held = {key.id for key in self.chains[router.name].keys} | router.deactivated
        taken = held | {gone.number for gone in self._quarantined(moment) if gone.router == router.name}
        if len(taken) == KEYS_MAX and not self.request.quarantine:
            return held - {
                gone.number for gone in self.retired if gone.deleted == moment and gone.router == router.name
            }
        return taken

    def _quarantined(self, moment: datetime) -> Iterable[Retired]:
        return (
            gone for gone in self.retired if moment - gone.deleted < self.request.quarantine or gone.deleted == moment
        )

    def _algorithm(self, start: datetime) -> Algorithm:
        """Return the algorithm of a key of this start-time: as requested, else that of the newest key."""
        asked = [algorithm for since, algorithm in self.request.algorithms if since <= start]
        if asked:
            return asked[-1]
        return self.newest.effective_algorithm if self.newest is not None else Algorithm.AES_128_CMAC_96


def start_of(key: Key) -> datetime:
    """Return a usable key's start-time in UTC."""
    assert key.start is not None  # noqa: S101 - a usable key has a start-time
    return key.start.astimezone(UTC)


def _starts(request: Request, state: State) -> Iterable[datetime]:
    """Yield the start-times of the keys to add, until the end of the plan."""
    first = ceil_minute(request.at) + duration_of(request) + request.skew  # a change begins at a whole minute
    last = start_of(state.newest) if state.newest is not None else None
    if last is None:
        # A new chain sends nothing before its first start-time, so this has passed when the chain is committed, also
        # on the clock that is behind by the assumed skew.
        moment = _floor(request.at - request.skew)
        yield moment
        last = moment
    moment = last + request.every
    if moment < first:
        # The chain has run out, or is about to: the next key starts as soon as the commits allow.
        moment = ceil_minute(max(first, last + request.spacing))
        if moment > request.until >= last + request.every:
            raise PlanRefusedError(
                f"a key is due by {(last + request.every).isoformat()}, and the commits allow none before "
                f"{moment.isoformat()}, after the end of the plan",
                remedy=f"use --until {moment.isoformat()} or later, or a shorter --pause and --commit-time",
            )
    while moment <= request.until:
        yield moment
        moment += request.every


def _change(request: Request, state: State, starts: Sequence[datetime], earliest: datetime) -> Change:
    before = dict(state.chains)
    own = (
        starts if any(chain.keys for chain in before.values()) else starts[1:]
    )  # a new chain's first key has started already
    latest = min(own) - request.skew if own else None
    needed = duration_of(request)
    if latest is not None and latest < earliest + needed:
        raise OptionsRefusedError(
            f"the key of {min(own).isoformat()} has no window: its change may begin at {earliest.isoformat()}, takes "
            f"{as_option(needed)}, and must be complete on all routers before {latest.isoformat()}",
            remedy="use a longer --every, a smaller tolerance, or more keys ahead (--ahead)",
        )
    planned = earliest if latest is None else max(earliest, min(latest - needed, min(own) - request.lead))
    if request.ahead > 1:
        planned = earliest  # the keys ahead are the reserve for a change that is late
    retiring = state.retired_at(planned)
    for router in request.routers:
        for key in before[router.name].keys:
            if start_of(key) in retiring:
                state.retire(router, key, planned)
    if len(state.keys) - len(retiring) + len(starts) > KEYS_MAX:
        raise OptionsRefusedError(
            f"the chain would hold more than {KEYS_MAX} keys on {planned.date().isoformat()}",
            remedy="use fewer keys ahead, or begin when retired keys can be deleted",
        )
    for start in starts:
        state.add(start, planned, retiring)
    # A new chain has no key before its first change: there is nothing that `show security keychain` could show.
    held = before[request.routers[0].name].keys
    active = max((start_of(key) for key in held if start_of(key) <= planned), default=None)
    parts = router_changes(request, before, state)
    return Change(earliest, planned, latest, tuple(starts), parts, tuple(_looks(request, state, retiring, active)))


def router_changes(request: Request, before: Mapping[str, Keychain], state: State) -> tuple[RouterChange, ...]:
    """Return the keys that each router's chain has lost and gained since `before`."""
    found = []
    for router in request.routers:
        old, new = before[router.name], state.chains[router.name]
        kept = {_identity(key) for key in old.keys} & {_identity(key) for key in new.keys}
        deleted = tuple(key for key in old.keys if _identity(key) not in kept)
        added = tuple(key for key in new.keys if _identity(key) not in kept)
        found.append(RouterChange(router, old, new, deleted, added))
    return tuple(found)


def _identity(key: Key) -> tuple[object, ...]:
    """Return what distinguishes a key from its replacement: a secret may be unknown, and is not compared."""
    return key.id, key.start, key.send_id, key.recv_id


def _looks(request: Request, state: State, retiring: set[datetime], active: datetime | None) -> Iterable[str]:
    if active is not None:
        shown = " and ".join(
            f"key {key.id} on {router.name}"
            for router in request.routers
            for key in state.chains[router.name].keys
            if start_of(key) == active
        )
        yield f"`show security keychain` shows as active: {shown} (since {active:%Y-%m-%d %H:%M:%S} UTC)"
    if retiring:
        yield (
            "a capture judged by `keyroll verify` shows that each router sends with that key or a later one: if the "
            "peer's request (RNextKeyID) changes the sending key, the start-time alone does not"
        )
    yield "`show bgp summary` and `show ldp session`: the sessions are up and have not flapped"


def _notes(request: Request, state: State, changes: Sequence[Change]) -> Iterable[Note]:
    yield from request.notes
    if request.max_age is not None and request.routers[0].chain.keys:
        keys = in_order(request.routers[0].chain)
        started = [key for key in keys if start_of(key) <= request.at]
        if started and request.at - start_of(started[-1]) > request.max_age:
            yield Remark(
                About.KEY_TOO_OLD,
                f"the active key is already older than {as_option(request.max_age)}",
                request.routers[0].name,
                (started[-1].id,),
            )
    if state.mode is Ids.EQUAL:
        yield Remark(
            About.IDS, "ids: send-id and recv-id are equal, so a key takes one id: one is reused after 256 keys"
        )
    else:
        yield Remark(
            About.IDS,
            "ids: send-id and recv-id are reversed on the peer, so a key takes two ids: they are reused after 128 keys",
        )
    if not request.routers[0].chain.keys:
        yield Remark(
            About.CHAIN_IS_NEW,
            "the chain is new: a session without authentication goes down once when authentication is added to it",
        )
    yield from hours_that_occur_twice(changes)


def hours_that_occur_twice(changes: Sequence[Change]) -> Iterator[Remark]:
    """Yield the start-times in the hour that occurs twice on a router's clock when summer time ends."""
    for part in (part for change in changes for part in change.routers):
        for key in part.added:
            local = start_of(key).astimezone(part.router.zone)
            if local.utcoffset() == local.replace(fold=1 - local.fold).utcoffset():
                continue
            yield Remark(
                About.HOUR_OCCURS_TWICE,
                f"{part.router.name}: key {key.id} takes over at {local:%Y-%m-%d %H:%M:%S %z}, and that hour occurs "
                f"twice in {part.router.zone}: the set file has the UTC offset, but `show security keychain detail` "
                "does not show it; use another --at or --every to avoid this",
                part.router.name,
                (key.id,),
            )


def duration_of(request: Request) -> timedelta:
    """Return how long a change takes: a commit on each router, with a pause between two commits."""
    count = len(request.routers)
    return count * request.commit + (count - 1) * request.pause


def _newest_number(chain: Keychain) -> int | None:
    keys = in_order(chain)
    return keys[-1].id if keys else None


def ceil_minute(moment: datetime) -> datetime:
    """Return the instant, rounded up to a whole minute: people type minutes."""
    floor = _floor(moment)
    return floor if floor == moment.astimezone(UTC) else floor + _MINUTE


def _floor(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
