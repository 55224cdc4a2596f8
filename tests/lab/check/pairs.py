"""Draws pairs of chains from a seed, most of them with a mistake, on which predictions are compared with the lab.

Start-times and windows are drawn so that no edge lies within two seconds of another, unless both are at the same
instant. A pair is drawn again if a twentieth of a second of skew would change the outcome.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypedDict, Unpack

from keyroll.check.skew import MIXES, Mix
from keyroll.keychain.generate import Ids, generate
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.prediction import Clock, Prediction, Side, predict
from keyroll.keychain.schedule import in_order, window
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm, Receiving, Sending

T0 = datetime(2030, 1, 1, tzinfo=UTC)
BEGIN = T0 + timedelta(seconds=90)
APART = timedelta(seconds=2)
"""The least time between two edges: enough for the play to send data between them."""
_CLOCK_ERROR = timedelta(milliseconds=50)
"""The two clocks are set one after the other, some milliseconds apart; this leaves a margin."""
SPACING = 1800
"""Seconds between two start-times: the 30 minutes that Juniper advises."""
_DRAWS = 40
"""How often a pair of one kind is drawn before another kind is taken: some kinds never fit some mixes."""
_OF_THREE = frozenset(("ids-come-back", "starts-swapped"))
"""Kinds of mistakes that need two keys after the first."""


class KeyChange(TypedDict, total=False):
    """The fields of a key that a mistake changes."""

    secret: Secret
    start: datetime | None
    send_id: int | None
    recv_id: int | None
    tcp_ao_option: bool
    algorithm: Algorithm


@dataclass(frozen=True)
class Drawn:
    """A pair to play: R1's chain, R2's chain, the policies of both, and the kind of mistake."""

    seed: int
    kind: str
    chains: tuple[Keychain, Keychain]
    mix: Mix

    def sides(self, skew: timedelta = timedelta()) -> tuple[Side, Side]:
        (sends, receives), (sends_too, receives_too) = self.mix
        return (
            Side("R1", self.chains[0], Clock(), sends, receives),
            Side("R2", self.chains[1], Clock(skew), sends_too, receives_too),
        )

    def edges(self, skew: timedelta = timedelta()) -> list[datetime]:
        """Return every instant of R1's clock after BEGIN at which something may change."""
        found = set()
        for chain, (_, receiving), ahead in zip(self.chains, self.mix, (timedelta(), skew), strict=True):
            for key in in_order(chain):
                found |= {edge - ahead for edge in (key.start, *window(chain, key, receiving)) if edge is not None}
        return sorted(edge for edge in found if edge > BEGIN)

    def predicted(self, skew: timedelta = timedelta()) -> Prediction:
        """Return the prediction without hold timers: the tests' connection has none."""
        end = max(self.edges(skew), default=BEGIN) + timedelta(seconds=60)
        return predict(*self.sides(skew), BEGIN, end, hold=None)


def drawn(seed: int) -> Drawn:
    """Return the pair of a seed. The seed modulo 16 gives the mix; the mistake is drawn."""
    dice = random.Random(f"keyroll pairs {seed}")
    mix = MIXES[seed % len(MIXES)]
    kind = ""
    for draw in itertools.count():
        if draw % _DRAWS == 0:
            kind = dice.choice(sorted(_KINDS))
        chain = generate(
            seed,
            name="played",
            count=dice.choice((2, 2, 3)) if kind not in _OF_THREE else 3,
            first=T0,
            interval=timedelta(seconds=SPACING),
            tolerance=dice.randrange(20, 860),
            ids=dice.choice((Ids.REVERSED, Ids.EQUAL, Ids.DRAWN)),
            algorithms=dice.choice(((Algorithm.HMAC_SHA_1_96,), tuple(Algorithm))),
        )
        one, other = _KINDS[kind](chain, dice)
        found = Drawn(seed, kind, (one, other), mix)
        if _is_playable(found):
            return found
    raise AssertionError("itertools.count() ended")


def drawn_for_skew(seed: int) -> Drawn:
    """Return a pair without a mistake. Its first key has been active for a day, so that clocks can be far apart."""
    dice = random.Random(f"keyroll skews {seed}")
    chain = generate(
        seed,
        name="skewed",
        count=2,
        first=T0,
        interval=timedelta(seconds=SPACING),
        tolerance=dice.randrange(30, 300),
        ids=Ids.REVERSED,
    )
    chain = _changed(chain, 0, start=T0 - timedelta(days=1))
    peer = replace(chain.mirrored(), tolerance=dice.randrange(30, 300))
    peer = _second(peer, start=_late(chain.keys[1], dice.randrange(-200, 200)))
    return Drawn(seed, "skewed", (chain, peer), BOUNDED[seed % len(BOUNDED)])


BOUNDED: tuple[Mix, ...] = tuple(
    mix
    for mix in MIXES
    for (sends, receives), (sends_too, receives_too) in (mix,)
    if (sends is Sending.CLOCK and receives_too is Receiving.TOLERANCE)
    or (sends_too is Sending.CLOCK and receives is Receiving.TOLERANCE)
)
"""The mixes under which the skew has bounds: a router with policy `clock` sends to one with policy `tolerance`."""


def _is_playable(pair: Drawn) -> bool:
    """Say whether the pair is up at BEGIN, its edges are apart, and an error of the clocks changes nothing."""
    edges = pair.edges()
    if not edges or any(later - before < APART for before, later in itertools.pairwise([BEGIN, *edges])):
        return False
    outcomes = [_outcome(pair.predicted(skew)) for skew in (-_CLOCK_ERROR, timedelta(), _CLOCK_ERROR)]
    return outcomes[0] == outcomes[1] == outcomes[2] and pair.predicted().spans[0].through


def _outcome(prediction: Prediction) -> object:
    first = prediction.gaps[:1]
    drops = [(gap.flow.sender, gap.flow.key, gap.flow.drop) for gap in prediction.gaps if gap.begin == first[0].begin]
    unmoved = [(change.router, change.key) for change in prediction.changes if change.done is None]
    return sorted(map(str, drops)) if drops else unmoved


def _second(chain: Keychain, **values: Unpack[KeyChange]) -> Keychain:
    return _changed(chain, chain.keys[1].id, **values)


def _changed(chain: Keychain, number: int, **values: Unpack[KeyChange]) -> Keychain:
    return replace(chain, keys=tuple(replace(key, **values) if key.id == number else key for key in chain.keys))


def _late(key: Key, seconds: int) -> datetime:
    assert key.start is not None
    return key.start + timedelta(seconds=seconds)


def _alike(chain: Keychain, _: random.Random) -> tuple[Keychain, Keychain]:
    return chain, chain.mirrored()


def _late_within(chain: Keychain, dice: random.Random) -> tuple[Keychain, Keychain]:
    by = dice.choice((-1, 1)) * dice.randrange(5, chain.tolerance - 5)
    return chain, _second(chain.mirrored(), start=_late(chain.keys[1], by))


def _late_beyond(chain: Keychain, dice: random.Random) -> tuple[Keychain, Keychain]:
    by = dice.choice((-1, 1)) * dice.randrange(chain.tolerance + 5, chain.tolerance + 400)
    return chain, _second(chain.mirrored(), start=_late(chain.keys[1], by))


def _tolerances_differ(chain: Keychain, dice: random.Random) -> tuple[Keychain, Keychain]:
    peer = replace(chain.mirrored(), tolerance=dice.randrange(0, 15))
    return chain, _second(peer, start=_late(chain.keys[1], dice.choice((-1, 1)) * dice.randrange(18, 300)))


def _lacking(chain: Keychain, dice: random.Random) -> tuple[Keychain, Keychain]:
    peer = chain.mirrored()
    short = replace(peer, keys=tuple(key for key in peer.keys if key.id != 1))
    return (chain, short) if dice.random() < 0.5 else (short.mirrored(), peer)


def _other_secret(chain: Keychain, dice: random.Random) -> tuple[Keychain, Keychain]:
    return chain, _second(chain.mirrored(), secret=Secret(f"mistyped{dice.randrange(10**6)}"))


def _other_algorithm(chain: Keychain, _: random.Random) -> tuple[Keychain, Keychain]:
    other = next(one for one in Algorithm if one is not chain.keys[1].effective_algorithm)
    return chain, _second(chain.mirrored(), algorithm=other)


def _option_disabled(chain: Keychain, _: random.Random) -> tuple[Keychain, Keychain]:
    return chain, _second(chain.mirrored(), tcp_ao_option=False)


def _not_reversed(chain: Keychain, _: random.Random) -> tuple[Keychain, Keychain]:
    key = chain.keys[1]
    return chain, _second(chain.mirrored(), send_id=key.send_id, recv_id=key.recv_id)


def _other_recv_id(chain: Keychain, _: random.Random) -> tuple[Keychain, Keychain]:
    used = {number for key in chain.keys for number in (key.send_id, key.recv_id)}
    return chain, _second(chain.mirrored(), recv_id=next(number for number in range(200, 256) if number not in used))


def _other_send_id(chain: Keychain, _: random.Random) -> tuple[Keychain, Keychain]:
    used = {number for key in chain.keys for number in (key.send_id, key.recv_id)}
    return chain, _second(chain.mirrored(), send_id=next(number for number in range(200, 256) if number not in used))


def _ids_come_back(chain: Keychain, _: random.Random) -> tuple[Keychain, Keychain]:
    first, *_rest, last = chain.keys
    again = _changed(chain, last.id, send_id=first.send_id, recv_id=first.recv_id)
    return again, again.mirrored()


def _swapped(chain: Keychain, _: random.Random) -> tuple[Keychain, Keychain]:
    peer = chain.mirrored()
    second, third = peer.keys[1:3]
    return chain, _changed(_changed(peer, second.id, start=third.start), third.id, start=second.start)


_KINDS: dict[str, Callable[[Keychain, random.Random], tuple[Keychain, Keychain]]] = {
    "alike": _alike,
    "late-within": _late_within,
    "late-beyond": _late_beyond,
    "tolerances-differ": _tolerances_differ,
    "key-missing": _lacking,
    "other-secret": _other_secret,
    "other-algorithm": _other_algorithm,
    "option-disabled": _option_disabled,
    "ids-not-reversed": _not_reversed,
    "other-recv-id": _other_recv_id,
    "other-send-id": _other_send_id,
    "ids-come-back": _ids_come_back,
    "starts-swapped": _swapped,
}

__all__ = ["BEGIN", "Drawn", "drawn", "drawn_for_skew"]
