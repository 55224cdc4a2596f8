"""Traffic keys: the key derivation functions of RFC 5926, and the MACs that the derived keys make.

    key = traffic_key(Algorithm.HMAC_SHA_1_96, master_key, kdf_context(src, dst, sport, dport, sisn, disn))
    key.mac(message)  # 12 octets

Make one `TrafficKey` for each connection, direction and MKT, and use it for every segment. It keeps the MAC state
after the key has been processed (HMAC inner and outer pad, CMAC subkeys) and copies that state for each MAC. A MAC of
a full-size segment then costs little more than its hash.
"""

from __future__ import annotations

import hashlib
import struct
from typing import NoReturn

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from keyroll.names import Algorithm

MAC_LENGTH = 12
"""Octets of MAC on the wire: both algorithms are truncated to 96 bits (RFC 5926 section 3.2)."""

_KDF_BEGIN = b"\x01TCP-AO"
"""Counter and label before the key derivation's context (RFC 5926 section 3.1)."""
_KDF_160, _KDF_128 = (160).to_bytes(2, "big"), (128).to_bytes(2, "big")
"""What follows the context: the length of the traffic key in bits."""
# Octets of one block of SHA-1 (RFC 2104, RFC 3174).
_SHA1_BLOCK = 64
_SHA1_PADDING = bytes(_SHA1_BLOCK - 20)
"""Fills a traffic key of 20 octets up to one block of SHA-1."""
# Octets of an AES-128 key; the two paddings of HMAC (RFC 2104), as tables to translate a key with.
_AES_KEY = 16
_IPAD = bytes(octet ^ 0x36 for octet in range(256))
_OPAD = bytes(octet ^ 0x5C for octet in range(256))
_SHA1 = hashlib.sha1(usedforsecurity=False)
"""SHA-1 without input. To copy it takes 50 ns less than a new `hashlib.sha1()`, for which OpenSSL looks the hash up by
name."""
# Source and destination port, source and destination ISN (RFC 5925 section 5.2).
_PORTS_AND_ISNS = struct.Struct("!HHII")


class TrafficKey:
    """A derived traffic key. Its repr hides the key; `mac(message: bytes) -> bytes` gives 12 octets."""

    __slots__ = ()

    def mac(self, message: bytes) -> bytes:
        """Return the 96-bit MAC of `message` (what `keyroll.tcpao.macs.mac_input` assembles)."""
        raise NotImplementedError

    def reveal(self) -> bytes:
        """Return the key's octets (20 with SHA-1, 16 with CMAC): for tests against published vectors."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a traffic key is not serialised")


class HmacSha1Key(TrafficKey):
    """HMAC-SHA-1-96 (RFC 5926 section 3.2.1), from copied pad states."""

    __slots__ = ("_inner", "_key", "_outer")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._inner, self._outer = _hmac_pads(key)

    def mac(self, message: bytes) -> bytes:
        """Return the first 96 bits of HMAC-SHA1."""
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()[:MAC_LENGTH]

    def reveal(self) -> bytes:
        """Return the 20 octets."""
        return self._key


class AesCmacKey(TrafficKey):
    """AES-128-CMAC-96 (RFC 5926 section 3.2.2), from a copied context."""

    __slots__ = ("_context", "_key")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._context = CMAC(AES(key))

    def mac(self, message: bytes) -> bytes:
        """Return the first 96 bits of AES-CMAC."""
        context = self._context.copy()
        context.update(message)
        return context.finalize()[:MAC_LENGTH]

    def reveal(self) -> bytes:
        """Return the 16 octets."""
        return self._key


def kdf_context(src: bytes, dst: bytes, sport: int, dport: int, sisn: int, disn: int) -> bytes:
    """Return the KDF's context (RFC 5925 section 5.2), in the direction of the segment.

    `src` and `dst` are packed addresses (4 or 16 octets). `sisn` is the ISN of the segment's sender, `disn` that of
    its receiver: 0 for a SYN without ACK, whose sender does not know it yet. A SYN-ACK already has both.
    """
    return src + dst + _PORTS_AND_ISNS.pack(sport, dport, sisn, disn)


class MasterKey:
    """A master key, prepared to derive traffic keys: caches what depends on the key alone. Its repr hides it."""

    __slots__ = ("_derivation", "_pads")

    def __init__(self, algorithm: Algorithm, octets: bytes) -> None:
        hmac = algorithm is Algorithm.HMAC_SHA_1_96
        self._pads = _hmac_pads(octets) if hmac else None
        self._derivation = None if hmac else CMAC(AES(_cmac_master(octets)))

    def traffic_key(self, context: bytes) -> TrafficKey:
        """Derive a traffic key (RFC 5926 sections 3.1.1.1 and 3.1.1.2); `context` is what `kdf_context` gives."""
        if self._pads is not None:
            inner, outer = self._pads[0].copy(), self._pads[1].copy()
            inner.update(_KDF_BEGIN + context + _KDF_160)
            outer.update(inner.digest())
            return HmacSha1Key(outer.digest())
        if self._derivation is None:
            raise TypeError("invalid master key: use an algorithm of RFC 5926")
        derivation = self._derivation.copy()
        derivation.update(_KDF_BEGIN + context + _KDF_128)
        return AesCmacKey(derivation.finalize())

    def mac(self, context: bytes, message: bytes) -> bytes:
        """Return the 96-bit MAC of `message` under the traffic key of `context`, which is not kept.

        For a key that signs one segment, as a SYN's does: with SHA-1 it takes 60 % of the time of `traffic_key` and
        its `mac`, because no pad states are made to be copied.
        """
        if self._pads is None:
            return self.traffic_key(context).mac(message)
        first, second = self._pads
        inner, outer = first.copy(), second.copy()
        inner.update(_KDF_BEGIN + context + _KDF_160)
        outer.update(inner.digest())
        block = outer.digest() + _SHA1_PADDING
        inner, outer = _SHA1.copy(), _SHA1.copy()
        inner.update(block.translate(_IPAD) + message)
        outer.update(block.translate(_OPAD) + inner.digest())
        return outer.digest()[:MAC_LENGTH]

    def __repr__(self) -> str:
        return "<MasterKey>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a master key is not serialised")


def traffic_key(algorithm: Algorithm, master_key: bytes, context: bytes) -> TrafficKey:
    """Derive a traffic key (RFC 5926 sections 3.1.1.1 and 3.1.1.2) from a master key of any length."""
    return MasterKey(algorithm, master_key).traffic_key(context)


def _cmac_master(master_key: bytes) -> bytes:
    """Convert a master key of another length to 128 bits (RFC 5926 section 3.1.1.2, after RFC 4615)."""
    if len(master_key) == _AES_KEY:
        return master_key
    extraction = CMAC(AES(bytes(_AES_KEY)))
    extraction.update(master_key)
    return extraction.finalize()


def _hmac_pads(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    if len(key) > _SHA1_BLOCK:
        key = hashlib.sha1(key, usedforsecurity=False).digest()
    block = key.ljust(_SHA1_BLOCK, b"\0")
    return (
        hashlib.sha1(block.translate(_IPAD), usedforsecurity=False),
        hashlib.sha1(block.translate(_OPAD), usedforsecurity=False),
    )
