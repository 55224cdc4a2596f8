"""Hashes of login passwords: `$1$`, `$5$` and `$6$` of crypt(3), which Junos accepts as `encrypted-password`.

Sources: U. Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.6; P.-H. Kamp's md5crypt (FreeBSD).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence

SCHEMES = ("$1$", "$5$", "$6$")
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ROUNDS, _ROUNDS_LOW, _ROUNDS_HIGH = 5000, 1000, 999_999_999
"""The default and the limits of `rounds=` in SHA-crypt's specification."""
SHORTEST = 6
"""Minimum length of a password in characters: Junos' default (`minimum-length`)."""
ROUNDS_LIMIT = 500_000
"""Maximum number of rounds that this router computes: more would block it for seconds at every login."""
_SHA_SALT, _MD5_SALT = 16, 8
"""Maximum length of a salt in characters, in SHA-crypt and md5crypt; the rest of a longer one is ignored."""
_MD5_ROUNDS = 1000
"""The fixed number of rounds of md5crypt."""
_Hash = Callable[[bytes], bytes]


def matches(password: str, encrypted: str) -> bool:
    """Return whether `encrypted` is a hash of `password`; False when its scheme is not supported."""
    found = crypt(password, encrypted)
    return found is not None and hmac.compare_digest(found.encode(), encrypted.encode())


def encrypted(password: str) -> str:
    """Return the `$6$` hash of a password, with a random salt from the operating system."""
    salt = "".join(secrets.choice(_ALPHABET) for _ in range(_MD5_SALT))  # the shorter of both: 48 random bits suffice
    found = crypt(password, f"$6${salt}")
    assert found is not None  # noqa: S101 - `$6$` is supported
    return found


def weakness(password: str) -> str | None:
    """Return Junos' message about a clear-text password that is too weak; None when it is accepted."""
    if len(password) < SHORTEST:
        return f"minimum password length is {SHORTEST}"
    kinds = (str.islower, str.isupper, lambda text: not text.isalpha())
    if sum(any(kind(char) for char in password) for kind in kinds) < 2:  # noqa: PLR2004 - a change needs two kinds
        return "require change of case, digits or punctuation"
    return None


def crypt(password: str, setting: str) -> str | None:
    """Hash a password as the C library does, with a setting (`$6$salt`, or a whole hash).

    None when the scheme is not supported, or the setting asks for more than ROUNDS_LIMIT rounds.
    """
    _, _, rest = setting.partition("$")
    scheme, _, rest = rest.partition("$")
    key = password.encode()
    if setting[:3] not in SCHEMES or len(scheme) != 1:
        return None
    if scheme == "1":
        salt = rest.partition("$")[0][:_MD5_SALT]
        return f"$1${salt}${_md5(key, salt.encode())}"
    rounds, shown = _ROUNDS, ""
    if rest.startswith("rounds="):
        number, _, rest = rest.removeprefix("rounds=").partition("$")
        if not number.isdecimal() or int(number) > ROUNDS_LIMIT:
            return None
        rounds = min(max(int(number), _ROUNDS_LOW), _ROUNDS_HIGH)
        shown = f"rounds={rounds}$"
    salt = rest.partition("$")[0][:_SHA_SALT]
    text = _sha512(key, salt.encode(), rounds) if scheme == "6" else _sha256(key, salt.encode(), rounds)
    return f"${scheme}${shown}{salt}${text}"


def _sha512(key: bytes, salt: bytes, rounds: int) -> str:
    digest = _sha(lambda data: hashlib.sha512(data).digest(), key, salt, rounds)
    order = [(22 * at % 63, (22 * at + 21) % 63, (22 * at + 42) % 63) for at in range(21)]
    return _letters(digest, order, (63,))


def _sha256(key: bytes, salt: bytes, rounds: int) -> str:
    digest = _sha(lambda data: hashlib.sha256(data).digest(), key, salt, rounds)
    order = [(21 * at % 30, (21 * at + 10) % 30, (21 * at + 20) % 30) for at in range(10)]
    return _letters(digest, order, (31, 30))


def _sha(function: _Hash, key: bytes, salt: bytes, rounds: int) -> bytes:
    """Return the digest of SHA-crypt, computed by the steps of its specification."""
    size = len(function(b""))
    mixed = function(key + salt + key)
    start = key + salt + _stretched(mixed, len(key))
    bits = len(key)
    while bits:
        start += mixed if bits & 1 else key
        bits >>= 1
    digest = function(start)
    p = _stretched(function(key * len(key)), len(key))
    s = _stretched(function(salt * (16 + digest[0])), len(salt))
    for number in range(rounds):
        first, last = (p, digest) if number & 1 else (digest, p)
        digest = function(first + (s if number % 3 else b"") + (p if number % 7 else b"") + last)
    return digest[:size]


def _stretched(digest: bytes, length: int) -> bytes:
    return (digest * (length // len(digest) + 1))[:length]


def _md5(key: bytes, salt: bytes) -> str:
    def function(data: bytes) -> bytes:
        return hashlib.md5(data, usedforsecurity=False).digest()

    start = key + b"$1$" + salt + _stretched(function(key + salt + key), len(key))
    bits = len(key)
    while bits:
        start += b"\0" if bits & 1 else key[:1]
        bits >>= 1
    digest = function(start)
    for number in range(_MD5_ROUNDS):
        first, last = (key, digest) if number & 1 else (digest, key)
        digest = function(first + (salt if number % 3 else b"") + (key if number % 7 else b"") + last)
    order = [(at, at + 6, (at + 12) if at < 4 else 5) for at in range(5)]  # noqa: PLR2004 - md5crypt's own order
    return _letters(digest, order, (11,))


def _letters(digest: bytes, order: Sequence[tuple[int, int, int]], last: tuple[int, ...]) -> str:
    """Return the digest in crypt's alphabet: four letters for three octets, the lowest six bits first."""
    groups = [(bytes(digest[at] for at in places), 4) for places in order]
    groups.append((bytes(digest[at] for at in last), len(last) + 1))
    text = []
    for octets, count in groups:
        value = int.from_bytes(octets, "big")
        text += [_ALPHABET[value >> (6 * at) & 0x3F] for at in range(count)]
    return "".join(text)
