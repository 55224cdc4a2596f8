"""Which ids and which key number a new key gets.

A configuration does not say which keys were deleted, so both continue upwards from the newest key's, and start again at
the lowest. Reversed ids take two of the 256 a key, which gives 128 pairs; equal ids take one, which gives 256.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from keyroll.keychain.generate import Ids
from keyroll.keychain.model import AO_ID_MAX, KEY_ID_MAX, Key
from keyroll.plan.model import OptionsRefusedError

# How many ids and key numbers there are.
_IDS = AO_ID_MAX + 1
_NUMBERS = KEY_ID_MAX + 1


def mode_of(keys: Collection[Key]) -> Ids:
    """Return how a chain chooses its ids: equal where all its keys have equal ids, reversed otherwise."""
    return Ids.EQUAL if keys and all(key.send_id == key.recv_id for key in keys) else Ids.REVERSED


def next_ids(newest: Key | None, taken: Collection[int], mode: Ids) -> tuple[int, int]:
    """Return send-id and recv-id of the first router's next key. `taken` are ids that must not be used.

    Raises:
        OptionsRefusedError: none is free.
    """
    for send, recv in _candidates(newest, mode):
        if send not in taken and recv not in taken:
            return send, recv
    raise OptionsRefusedError(
        f"no id is free: {len(set(taken))} of {_IDS} are in use or in quarantine",
        remedy="use a shorter quarantine, or --ids equal, which takes one id per key instead of two",
    )


def _candidates(newest: Key | None, mode: Ids) -> Iterator[tuple[int, int]]:
    if mode is Ids.EQUAL:
        first = 0 if newest is None or newest.send_id is None else max(newest.send_id, newest.recv_id or 0) + 1
        yield from (((first + step) % _IDS,) * 2 for step in range(_IDS))
        return
    if newest is None or newest.send_id is None or newest.recv_id is None:
        first, order = 1, 0
    elif (newest.recv_id - newest.send_id) % _IDS == 1:
        first, order = newest.send_id + 2, 0
    elif (newest.send_id - newest.recv_id) % _IDS == 1:
        first, order = newest.recv_id + 2, 1
    else:
        first, order = max(newest.send_id, newest.recv_id) + 1, 0
    # First in steps of two, so that new pairs do not overlap earlier ones; then from an odd offset, because earlier
    # pairs may have begun there.
    for begin in (first, first + 1):
        for step in range(0, _IDS, 2):
            pair = (begin + step) % _IDS, (begin + step + 1) % _IDS
            yield pair if order == 0 else pair[::-1]


def next_number(newest: int | None, taken: Collection[int], router: str) -> int:
    """Return a router's next key number: the newest key's plus one; after 63 comes 0.

    Raises:
        OptionsRefusedError: all 64 are taken.
    """
    first = 0 if newest is None else newest + 1
    for step in range(_NUMBERS):
        number = (first + step) % _NUMBERS
        if number not in taken:
            return number
    raise OptionsRefusedError(
        f"{router}: all {_NUMBERS} key numbers are in use or in quarantine",
        remedy="use fewer keys ahead or a shorter quarantine, or begin later, when retired keys can be deleted",
    )
