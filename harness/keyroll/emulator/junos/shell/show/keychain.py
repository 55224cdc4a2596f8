"""`show security keychain [brief|detail]` (docs/junos.md 3.1): the router's key clock, not the KeyIDs on the wire.

The layout equals that of real `detail` outputs of three releases. As in these, a TCP-AO key has `Algorithm hmac-md5`,
and the IDs are key numbers, not send-id and recv-id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from keyroll.emulator.contract.key_clock import NS, ClockKey, KeyClock, clock_key, to_ns
from keyroll.emulator.junos.shell.show.durations import age, ctime
from keyroll.keychain.model import Key, Keychain
from keyroll.names import Receiving

HEADER = (
    "Keychain                 Active-ID        Next-ID       Transition  Tolerance",
    "                       Send   Receive   Send   Receive",
)
NONE = "None"
_SHOWN_ALGORITHM = {"hmac-sha-1": "hmac-sha1", "sha-1": "sha1"}


@dataclass(frozen=True, slots=True)
class _Reading:
    """The state of a chain's key clock at an instant: numbers of keys, and the time to the next start-time."""

    active: int | None
    next: int | None
    transition: int | None
    """Seconds until the next start-time, rounded up."""
    accepted: frozenset[int]


def _clock(chain: Keychain, receiving: Receiving) -> KeyClock:
    found = (clock_key(key) or _other_scheme(key) for key in chain.keys)
    return KeyClock((key for key in found if key), tolerance=chain.tolerance, receiving=receiving)


def _other_scheme(key: Key) -> ClockKey | None:
    """Return the clock's entry for a key of an older scheme, which is shown too; the KeyIDs that it lacks are 0."""
    if key.scheme == "ao" or key.start is None or key.secret is None:
        return None
    return ClockKey(key.id, to_ns(key.start), 0, 0)


def _read(chain: Keychain, now: datetime, receiving: Receiving) -> _Reading:
    clock, instant = _clock(chain, receiving), to_ns(now)
    upcoming = clock.upcoming(instant)
    return _Reading(
        clock.active(instant),
        upcoming.number if upcoming else None,
        -((instant - upcoming.start) // NS) if upcoming else None,
        frozenset(clock.acceptable_keys(instant)),
    )


def _row(chain: Keychain, reading: _Reading) -> str:
    active = NONE if reading.active is None else str(reading.active)
    following = NONE if reading.next is None else str(reading.next)
    transition = NONE if reading.transition is None else age(reading.transition)
    name = f" {chain.name}"
    cells = ((name, 25), (active, 7), (active, 9), (following, 7), (following, 9), (transition, 11))
    # Widths as in the samples; a text that fills its column, or is longer, is still followed by a space.
    return "".join(f"{text:<{max(width, len(text) + 1)}}" for text, width in cells) + f"{chain.tolerance} (secs)"


def brief(chains: Sequence[Keychain], now: datetime, receiving: Receiving) -> list[str]:
    """Return the table, with one row for each chain; empty without chains."""
    if not chains:
        return []
    return [*HEADER, *(_row(chain, _read(chain, now, receiving)) for chain in chains)]


def detail(chains: Sequence[Keychain], now: datetime, zone: tzinfo, receiving: Receiving) -> list[str]:
    """Return for each chain the header and its row, followed by two lines for each key."""
    lines: list[str] = []
    for chain in chains:
        reading = _read(chain, now, receiving)
        lines += [*HEADER, _row(chain, reading)]
        for key in chain.keys:
            lines += _key_lines(key, reading, now, zone)
    return lines


def _key_lines(key: Key, reading: _Reading, now: datetime, zone: tzinfo) -> list[str]:
    algorithm = _SHOWN_ALGORITHM.get(key.scheme or "", "hmac-md5")
    start = ctime(key.start, zone) if key.start else NONE
    return [
        f"  Id {key.id}, Algorithm {algorithm}, State {_state(key, reading, now)}, Option basic",
        f"  Start-time {start}, Mode send-receive",
    ]


def _state(key: Key, reading: _Reading, now: datetime) -> str:
    if key.id == reading.active:
        return "send-receive"
    started = key.start is not None and key.start <= now
    return "receive" if started and key.id in reading.accepted else "inactive"
