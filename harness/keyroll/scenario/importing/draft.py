"""The scenario of two configurations: keys relative to t0, the coming rollovers, and what `check` predicts of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from keyroll.check.coming_rollovers import Outcome, PredictedRollover
from keyroll.check.judge import Report
from keyroll.configuration import Chain
from keyroll.durations import LONGEST, format_duration
from keyroll.errors import InputError
from keyroll.keychain.model import Key
from keyroll.keychain.secret import Likeness
from keyroll.keychain.simulation import Drop
from keyroll.names import DropReason, Receiving, Sending, SessionKind
from keyroll.scenario.importing.as_numbers import NO_ASES, DraftAses, as_numbers
from keyroll.scenario.importing.keys import Differences, DraftKey, Labels
from keyroll.scenario.importing.planned import FormerAuthentication, Planned, TurnedOn
from keyroll.scenario.importing.session_groups import SessionGroup
from keyroll.scenario.importing.sessions import DraftSession

DEFAULT_POLICY = Sending.CLOCK, Receiving.TOLERANCE
"""The key policy of an emulated router if none is given, and the likeliest reading of Juniper's text."""
_DEFAULT = DEFAULT_POLICY, DEFAULT_POLICY
_REASONS = {
    Drop.UNKNOWN_KEYID: DropReason.UNKNOWN_KEY_ID,
    Drop.TOO_EARLY: DropReason.NOT_ACCEPTABLE,
    Drop.TOO_LATE: DropReason.NOT_ACCEPTABLE,
    Drop.OTHER_SECRET: DropReason.BAD_MAC,
    Drop.OTHER_ALGORITHM: DropReason.BAD_MAC,
    Drop.OTHER_OPTIONS: DropReason.BAD_MAC,
}
"""The reason under which the receiver counts a predicted drop; a segment that is never sent is not counted."""
NAME = "imported"
"""The name of the file's first chain; further chains have a number after it."""


@dataclass(frozen=True, slots=True)
class DraftRollover:
    """A coming rollover: when it is, which key each router then sends, and what is predicted under default policies."""

    chain: int
    """The index of its chain."""
    first: timedelta
    """When the first router's key starts, counted from t0."""
    last: timedelta
    """When both routers' keys have started, counted from t0."""
    active: tuple[int | None, int | None]
    hitless: bool
    hitless_in_all: bool
    words: str
    drops: tuple[tuple[str, str], ...] = ()
    """(receiving router, reason) of what is dropped, under the default policies."""


@dataclass(frozen=True, slots=True)
class DraftChange:
    """What a planned commit does to a chain: deleted keys, added keys, and a changed tolerance."""

    delete: tuple[int, ...]
    add: tuple[DraftKey, ...]
    tolerances: tuple[int, int] | None
    """R1's and R2's tolerance after it, in seconds; None: unchanged."""


@dataclass(frozen=True, slots=True)
class DraftPointing:
    """The key-chain that a planned commit points a chain's sessions to."""

    name: str
    keys: tuple[DraftKey, ...]
    tolerances: tuple[int, int]


@dataclass(frozen=True, slots=True)
class DraftChain:
    """A chain of both routers, and the sessions that it protects."""

    name: str
    group: SessionGroup
    keys: tuple[DraftKey, ...]
    tolerances: tuple[int, int]
    active: tuple[int | None, int | None]
    """The key that each router sends at t0."""
    down: bool
    """Whether `check` says that its sessions are down at t0."""
    change: DraftChange | None = None
    """None: no commit is planned, or it leaves this chain as it is."""
    pointing: DraftPointing | None = None
    """None: no commit is planned, or its sessions stay on this chain."""
    turned_on: FormerAuthentication | None = None
    """Its sessions' authentication before a planned commit that turns TCP-AO on; None: TCP-AO from the beginning."""
    active_after: tuple[int | None, int | None] | None = None
    """The key that each router sends once the planned commit is made; None: none is planned."""

    @property
    def stays_down(self) -> bool:
        """Whether its sessions are predicted to be down from the beginning, without a commit that makes them so."""
        return self.down and self.turned_on is None

    @property
    def is_reset(self) -> bool:
        """Whether the planned commit resets its sessions, once."""
        return self.pointing is not None or self.turned_on is not None

    @property
    def all_tolerances(self) -> tuple[int, ...]:
        """Every tolerance that a router has at any time, in seconds."""
        changed = () if self.change is None or self.change.tolerances is None else self.change.tolerances
        return self.tolerances + changed + (() if self.pointing is None else self.pointing.tolerances)


@dataclass(frozen=True, slots=True)
class Draft:
    """A scenario before it is written as text."""

    t0: datetime
    chains: tuple[DraftChain, ...]
    hold_time: int | None
    rollovers: tuple[DraftRollover, ...]
    """Of all chains, in the order of time."""
    skew: timedelta = timedelta()
    planned: Planned | None = None
    """The planned commit, played once the sessions are up."""
    turned_on: TurnedOn | None = None
    """The planned commit that turns TCP-AO on, played once the sessions are up without it."""
    more: int = 0
    """The number of coming rollovers that are not played."""
    ases: DraftAses = NO_ASES

    @property
    def played(self) -> tuple[DraftSession, ...]:
        """Every session, as the file writes it."""
        return tuple(one for chain in self.chains for one in chain.group.played)

    @property
    def is_named(self) -> bool:
        """Whether the sessions are written as mappings with names; else as words (`[bgp, ldp]`)."""
        bgp = [one for one in self.played if one.kind is SessionKind.BGP]
        local = any(self.ases.local_as(index) for index in range(len(self.played)))
        return len(self.chains) > 1 or len(bgp) > 1 or local or not all(one.is_word for one in self.played)

    @property
    def is_committed(self) -> bool:
        """Whether a planned commit is played."""
        return any(chain.change is not None or chain.is_reset for chain in self.chains)

    @property
    def keys(self) -> tuple[DraftKey, ...]:
        """Every key that a chain holds at any time of the scenario."""
        come = (key for chain in self.chains if chain.change is not None for key in chain.change.add)
        others = (key for chain in self.chains if chain.pointing is not None for key in chain.pointing.keys)
        return (*(key for chain in self.chains for key in chain.keys), *come, *others)


def draft(
    groups: Sequence[SessionGroup],
    report: Report,
    *,
    at: datetime,
    rollovers: int,
    skew: timedelta,
    planned: Planned | None = None,
    turned_on: TurnedOn | None = None,
    keep_as_numbers: bool = False,
) -> Draft:
    """Draft the scenario.

    Args:
        groups: the sessions by their chains.
        report: what `check` says of them.
        planned: what is committed once the sessions are up; the rollovers are then those of its chains.
        turned_on: a planned commit that gave the sessions their chains, where one did.
        at: the instant to begin at; t0 is its minute.
        rollovers: how many coming rollovers are played.
        skew: R2's clock minus R1's.
        keep_as_numbers: whether the file has the routers' own ASes instead of private ones.

    Raises:
        InputError: no key of a chain can be used.
    """
    t0 = at.astimezone(UTC).replace(second=0, microsecond=0)
    labels = Labels()
    chains: list[DraftChain] = []
    coming: list[DraftRollover] = []
    for index, one in enumerate(groups):
        numbers: dict[int, int] = {}
        usable = _usable(one.chains)
        files = [end.where.file for end in one.sessions[0]]
        drafted = _drafted(usable, one.chains, files, t0, labels, numbers)
        active = _active(usable, t0, skew, numbers)
        change, pointing, after, last, source = None, None, None, usable, report
        if planned is not None:
            then = planned.groups[index].chains
            last, source = _usable(then), planned.report
            before = dict(numbers)
            come = _drafted(last, then, files, t0, labels, numbers)
            if planned.points(one, planned.groups[index]):
                pointing = DraftPointing(_name(len(groups) + index), come, _tolerances(then))
                numbers |= planned.staying(last, before)
            else:
                change = _change((drafted, _tolerances(one.chains)), (come, _tolerances(then)))
            after = _active(last, t0, skew, numbers)
        former = None if turned_on is None else turned_on.former
        drawn = drafted, _tolerances(one.chains), active, _is_down(report, one)
        chains.append(DraftChain(_name(index), one, *drawn, change, pointing, former, after))
        coming += [
            _rollover(index, predicted, t0, last, numbers, skew)
            for predicted in _rollovers_of(source, one if planned is None else planned.groups[index])
            if max(_instants(predicted, skew)) > t0
        ]
    coming.sort(key=lambda rollover: (rollover.last, rollover.chain))
    holds = [played.hold_time for one in groups for played in one.played if played.hold_time is not None]
    playing = tuple(coming[:rollovers])
    return Draft(
        t0,
        tuple(chains),
        min(holds, default=None),
        playing,
        skew,
        planned,
        turned_on,
        max(0, len(coming) - rollovers),
        as_numbers(groups, keep=keep_as_numbers),
    )


def _name(index: int) -> str:
    return NAME if index == 0 else f"{NAME}-{index + 1}"


def _usable(chains: tuple[Chain, Chain]) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
    mine, theirs = (tuple(key for key in chain.keychain.keys if key.usable) for chain in chains)
    for chain, keys in zip(chains, (mine, theirs), strict=True):
        if not keys:
            raise InputError(f"key-chain {chain.name} holds no key that TCP-AO can use", where=chain.where)
    return mine, theirs


def _drafted(
    usable: tuple[Sequence[Key], Sequence[Key]],
    chains: tuple[Chain, Chain],
    files: Sequence[str],
    t0: datetime,
    labels: Labels,
    numbers: dict[int, int],
) -> tuple[DraftKey, ...]:
    """Draft the keys of two chains. `numbers` gets the file's number of each key, by the key's identity.

    `files` are R1's and R2's configuration as saved: a key from another file belongs to a planned change.
    """
    taken = {key.id for key in usable[0]}
    found = []
    for mine, theirs in _paired(*usable):
        drawn = _key(mine, theirs, chains, files, t0, labels, taken)
        numbers.update({id(key): drawn.number for key in (mine, theirs) if key is not None})
        found.append(drawn)
    return tuple(found)


def _tolerances(chains: tuple[Chain, Chain]) -> tuple[int, int]:
    return chains[0].keychain.tolerance, chains[1].keychain.tolerance


def _change(
    before: tuple[Sequence[DraftKey], tuple[int, int]], after: tuple[Sequence[DraftKey], tuple[int, int]]
) -> DraftChange | None:
    """Return the keys that are deleted and added. A key that only moved to another line is the same key."""
    held = {replace(key, places=()): key for key in before[0]}
    kept = {replace(key, places=()) for key in after[0]}
    gone = tuple(key.number for bare, key in held.items() if bare not in kept)
    come = tuple(key for key in after[0] if replace(key, places=()) not in held)
    tolerances = None if after[1] == before[1] else after[1]
    return DraftChange(gone, come, tolerances) if gone or come or tolerances else None


def _paired(mine: Sequence[Key], theirs: Sequence[Key]) -> Iterator[tuple[Key | None, Key | None]]:
    """Pair the keys of two chains: those whose ids are each other's reverse; else those of one start-time."""
    left = list(theirs)
    alone: list[Key] = []
    for key in mine:
        same = [peer for peer in left if (peer.recv_id, peer.send_id) == (key.send_id, key.recv_id)]
        if not same:
            alone.append(key)
            continue
        nearest = min(same, key=lambda peer: abs(_start(peer) - _start(key)))
        left.remove(nearest)
        yield key, nearest
    for key in alone:
        twin = next((peer for peer in left if _start(peer) == _start(key)), None)
        if twin is not None:
            left.remove(twin)
        yield key, twin
    for peer in left:
        yield None, peer


def _key(
    mine: Key | None,
    theirs: Key | None,
    chains: tuple[Chain, Chain],
    files: Sequence[str],
    t0: datetime,
    labels: Labels,
    taken: set[int],
) -> DraftKey:
    base = mine if mine is not None else theirs.mirrored() if theirs is not None else None
    assert base is not None  # noqa: S101 - one of them is there
    assert base.secret is not None  # noqa: S101 - usable
    number = base.id
    if mine is None and number in taken:
        number = next(free for free in range(64) if free not in taken)
    taken.add(number)
    owner = ("R1", chains[0].name) if mine is not None else ("R2", chains[1].name)
    place = *owner, base.id, base.send_id, base.recv_id, _start(base)
    label = labels.of(base.secret, place)
    held = Differences() if mine is None or theirs is None else _held(mine, theirs, t0, labels, chains[1].name)
    places = tuple(
        f"R{index}{'' if chain.place(key.id).file == file else ' planned'}:{chain.place(key.id).line}"
        for index, (key, chain, file) in enumerate(zip((mine, theirs), chains, files, strict=True), 1)
        if key is not None
    )
    unknown = any(key is not None and key.secret is not None and not key.secret.known for key in (mine, theirs))
    return DraftKey(
        number,
        _offset(_start(base), t0),
        base.send_id or 0,
        base.recv_id or 0,
        None if base.algorithm is None else base.algorithm.value,
        None if base.tcp_ao_option else "disabled",
        label,
        tuple(name for name, key in (("R1", mine), ("R2", theirs)) if key is not None),
        held,
        places,
        unknown,
    )


def _held(mine: Key, theirs: Key, t0: datetime, labels: Labels, chain: str) -> Differences:
    assert mine.secret is not None  # noqa: S101 - usable
    assert theirs.secret is not None  # noqa: S101 - usable
    same = mine.secret.compare(theirs.secret) is not Likeness.DIFFERENT
    return Differences(
        start=None if _start(mine) == _start(theirs) else _offset(_start(theirs), t0),
        send=None if theirs.send_id == mine.recv_id else theirs.send_id,
        recv=None if theirs.recv_id == mine.send_id else theirs.recv_id,
        algorithm=None if mine.effective_algorithm is theirs.effective_algorithm else theirs.effective_algorithm.value,
        secret=None if same else labels.of(theirs.secret, ("R2", chain, theirs.id, _start(theirs))),
    )


def _offset(start: datetime, t0: datetime) -> timedelta:
    return max(start - t0, -LONGEST)  # a key that started earlier is written as ten years old


def _start(key: Key) -> datetime:
    assert key.start is not None  # noqa: S101 - usable
    return key.start.astimezone(UTC)


def _active(
    usable: Sequence[Sequence[Key]], moment: datetime, skew: timedelta, numbers: dict[int, int]
) -> tuple[int | None, int | None]:
    """Return the key that each router sends at a moment of R1's clock."""
    mine, theirs = (_latest(keys, clock, numbers) for keys, clock in zip(usable, (moment, moment + skew), strict=True))
    return mine, theirs


def _latest(keys: Sequence[Key], clock: datetime, numbers: dict[int, int]) -> int | None:
    started = [key for key in keys if _start(key) <= clock]
    return numbers[id(max(started, key=lambda key: (_start(key), key.id)))] if started else None


def _rollovers_of(report: Report, group: SessionGroup) -> tuple[PredictedRollover, ...]:
    pair = next((judged.pair for judged in group.judged if judged.pair is not None), None)
    return () if pair is None else report.pairs[pair].coming.rollovers


def _is_down(report: Report, group: SessionGroup) -> bool:
    pair = next((judged.pair for judged in group.judged if judged.pair is not None), None)
    if pair is None:
        return False
    faults = report.pairs[pair].coming.faults
    return bool(faults.get(_DEFAULT))


def _instants(predicted: PredictedRollover, skew: timedelta) -> list[datetime]:
    """Return when each router's key starts by R1's clock: R2's clock, which is `skew` ahead, reaches it earlier."""
    return [
        part.start.astimezone(UTC) - ahead
        for part, ahead in zip(predicted.rollover.parts, (timedelta(), skew), strict=True)
        if part is not None
    ]


def _rollover(
    chain: int,
    predicted: PredictedRollover,
    t0: datetime,
    usable: Sequence[Sequence[Key]],
    numbers: dict[int, int],
    skew: timedelta,
) -> DraftRollover:
    instants = _instants(predicted, skew)
    moment = max(instants)
    outcome = predicted.outcomes.get(_DEFAULT)
    # Predicted with the clocks that are played: a rollover may be hitless with equal clocks only, or with a skew only.
    offset = skew // timedelta(microseconds=1)
    failing = [mix for mix, skews in predicted.skews.items() if not any(part.holds(offset) for part in skews)]
    if not skew:
        failing = list(predicted.failing)
    count = len(predicted.outcomes)
    with_skew = (
        f" with R2's clock {format_duration(abs(skew))} {'ahead' if skew > timedelta() else 'behind'}" if skew else ""
    )
    words = (
        f"hitless under all policies{with_skew}"
        if not failing
        else f"not hitless under {len(failing)} of {count} mixes of policies{with_skew}"
    )
    if failing:
        outcome_shown = predicted.outcomes.get(_DEFAULT if _DEFAULT in failing else failing[0])
        words += f": {_why(outcome_shown, skew)}"
    drops = tuple(_drops(outcome)) if outcome is not None else ()
    active = _active(usable, moment, skew, numbers)
    first = max(min(instants) - t0, timedelta())
    hitless = _DEFAULT not in failing
    return DraftRollover(chain, first, moment - t0, active, hitless, not failing, words, drops)


def _why(outcome: Outcome | None, skew: timedelta) -> str:
    """Return why a rollover is not hitless. `outcome` is for equal clocks: it may be hitless if there is a skew."""
    if outcome is None or outcome.hitless:
        return "the clocks are further apart than the tolerances allow" if skew else "a router does not change its key"
    if outcome.down_before:
        return "the session is already down when the rollover begins"
    why = dict.fromkeys(f"R{gap.flow.receiver}: {gap.flow.drop.value}" for gap in outcome.gaps if gap.flow.drop)
    return "; ".join(why) or "a router never changes its key"


def _drops(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield which router drops for which reason; in a prediction the routers are named "1" and "2"."""
    seen = set()
    for gap in outcome.gaps:
        reason = None if gap.flow.drop is None else _REASONS.get(gap.flow.drop)
        if reason is not None:
            found = f"R{gap.flow.receiver}", reason.value
            if found not in seen:
                seen.add(found)
                yield found
