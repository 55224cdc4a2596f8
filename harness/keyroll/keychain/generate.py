"""Keychains from a seed: the same seed gives the same chain, byte for byte, on every machine and Python version.

Every choice is derived from HMAC-SHA-256 with the seed as key and the purpose of the choice as message; nothing depends
on the order of choices. Whoever knows the seed knows the secrets: a seed for a real change is itself a secret.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import string
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from keyroll.keychain.model import KEYS_MAX, SECRET_MAX, TOLERANCE_DEFAULT, Key, Keychain, KeychainError
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm

INTERVAL_DEFAULT = timedelta(minutes=30)
"""Juniper's recommended least distance between the start-times of two subsequent keys (docs/junos.md 2.3)."""
SECRET_LENGTH_DEFAULT = 20
"""Characters out of 62 letters and digits: 119 bits, nearly the 128 that AES-128-CMAC can use."""
_ALPHABET = string.ascii_letters + string.digits
# Octets from here on are skipped, or some characters would be more frequent than others.
_FAIR = 256 - 256 % len(_ALPHABET)


class Ids(enum.Enum):
    """How send-id and recv-id are chosen. The peer's chain always has them reversed."""

    REVERSED = "reversed"
    """Key n sends 2n+1 and receives 2n+2, so that the two directions never share a number."""
    EQUAL = "equal"
    """Key n sends and receives n: both routers hold the same text (the common public practice)."""
    DRAWN = "drawn"
    """Distinct numbers from 0 to 255, drawn from the seed."""


def draw_secret(seed: int | str, label: str, length: int = SECRET_LENGTH_DEFAULT) -> Secret:
    """Return the secret that belongs to `seed` and `label`: `length` letters and digits.

    Junos asks for "any alphanumeric characters without any space" (Juniper, authentication-key-chains for TCP-AO).

    Raises:
        KeychainError: the length is not 1 to 126.
    """
    if not 1 <= length <= SECRET_MAX:
        raise KeychainError(f"a secret has 1 to {SECRET_MAX} characters, not {length}")
    letters: list[str] = []
    for octet in _octets(seed, "secret", label):
        if octet < _FAIR:
            letters.append(_ALPHABET[octet % len(_ALPHABET)])
        if len(letters) == length:
            break
    return Secret("".join(letters))


def generate(
    seed: int | str,
    *,
    name: str,
    count: int = 2,
    first: datetime,
    interval: timedelta = INTERVAL_DEFAULT,
    algorithms: Sequence[Algorithm] = (Algorithm.HMAC_SHA_1_96,),
    ids: Ids = Ids.REVERSED,
    secret_length: int = SECRET_LENGTH_DEFAULT,
    tolerance: int = TOLERANCE_DEFAULT,
) -> Keychain:
    """Return R1's chain of `count` keys, numbered from 0; `mirrored()` of it is R2's.

    Args:
        seed: determines secrets and drawn ids; 7 and "7" are the same seed.
        name: the chain's name; secrets depend on it too.
        count: 1 to 64 keys.
        first: start-time of key 0, aware, whole seconds (Junos stores no fractions).
        interval: from one start-time to the next, more than zero, whole seconds.
        algorithms: key n has number n of these, starting over at the end.
        ids: how send-id and recv-id are chosen.
        secret_length: 1 to 126 characters.
        tolerance: clock skew tolerance in seconds.

    Raises:
        KeychainError: a value is out of its range.
    """
    if not 1 <= count <= KEYS_MAX:
        raise KeychainError(f"a chain is generated with 1 to {KEYS_MAX} keys, not {count}")
    if not algorithms:
        raise KeychainError("a chain is generated with at least one algorithm")
    if first.microsecond or interval.microseconds:
        raise KeychainError("start-times are whole seconds: Junos stores no fractions")
    if interval <= timedelta():
        raise KeychainError("the interval between start-times must be more than zero")
    if first.tzinfo is None:
        raise KeychainError("the first start-time needs a time zone")
    try:
        # Added in UTC: in a zone with summer time, Python would add to the wall clock.
        starts = [(first.astimezone(UTC) + n * interval).astimezone(first.tzinfo) for n in range(count)]
    except OverflowError:
        raise KeychainError("the last start-time is beyond the year 9999") from None
    keys = (
        Key(
            id=number,
            secret=draw_secret(seed, f"{name} key {number}", secret_length),
            start=starts[number],
            scheme="ao",
            send_id=send_id,
            recv_id=recv_id,
            tcp_ao_option=True,
            algorithm=algorithms[number % len(algorithms)],
        )
        for number, (send_id, recv_id) in enumerate(_id_pairs(seed, name, count, ids))
    )
    return Keychain(name=name, keys=tuple(keys), tolerance=tolerance)


def _id_pairs(seed: int | str, name: str, count: int, ids: Ids) -> list[tuple[int, int]]:
    if ids is Ids.EQUAL:
        return [(number, number) for number in range(count)]
    if ids is Ids.REVERSED:
        return [(2 * number + 1, 2 * number + 2) for number in range(count)]
    drawn: list[int] = []
    for octet in _octets(seed, "ids", name):
        if octet not in drawn:
            drawn.append(octet)
        if len(drawn) == 2 * count:
            break
    return list(zip(drawn[::2], drawn[1::2], strict=True))


def _octets(seed: int | str, purpose: str, label: str) -> Iterator[int]:
    """Yield an endless stream of octets that depends on the arguments alone."""
    key = f"keyroll 1 {seed}".encode()
    block = 0
    while True:
        yield from hmac.digest(key, f"{purpose}\0{label}\0{block}".encode(), hashlib.sha256)
        block += 1
