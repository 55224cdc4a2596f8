"""Read and write TCP-AO (kind 29, RFC 5925 section 2.2) among a segment's TCP options.

    scan = scan_options(options)            # OptionError when the list is malformed
    scan.ao                                 # AoOption(offset, length, key_id, rnext_key_id, mac) or None
    scan.md5                                # True when TCP MD5 (kind 19, RFC 2385) is there
    insert_ao(header, key_id, rnext_key_id) # TCP header with an AO option whose MAC is zero
    strip_ao(header)                        # TCP header without it

`options` is what lies between a TCP header's fixed 20 octets and its data offset; `header` is the TCP header with its
options, without data.
"""

from __future__ import annotations

import enum
import re
from typing import NamedTuple

from keyroll.errors import InputError
from keyroll.tcpao.kdf import MAC_LENGTH

# Kinds of options (IANA), and lengths in octets (RFC 5925 section 2.2; RFC 9293 section 3.1).
KIND_END = 0
KIND_NOP = 1
KIND_MD5 = 19
KIND_AO = 29
AO_LENGTH = 4 + MAC_LENGTH
FIXED_HEADER = 20
OPTIONS_MAX = 40


class OptionDefect(enum.Enum):
    """What is wrong with an option list."""

    SHORT = "an option's length is less than 2"
    OVERRUN = "an option runs past the end of the TCP header"
    AO_SHORT = "a TCP-AO option is shorter than its 4 fixed octets"
    AO_TWICE = "there are two TCP-AO options"


class OptionError(InputError):
    """The TCP options of a segment are malformed; `defect` says how."""

    def __init__(self, defect: OptionDefect) -> None:
        super().__init__(f"malformed TCP options: {defect.value}")
        self.defect = defect


class OptionRoomError(InputError):
    """The 40 octets of TCP options have no room for TCP-AO."""


class AoOption(NamedTuple):
    """One TCP-AO option. `offset` and `length` place it within the options, in octets."""

    offset: int
    length: int
    key_id: int
    rnext_key_id: int
    mac: bytes


class OptionScan(NamedTuple):
    """The options of a segment that authenticate it: TCP-AO, and whether TCP MD5 is there."""

    ao: AoOption | None
    md5: bool


_NOTHING = OptionScan(None, md5=False)

# A fast form of `_walk`: options other than AO and MD5, one AO of 16 octets, options other than AO and MD5, the end.
# It matches only what `_walk` accepts. Everything else (no AO, MD5, malformed) goes to `_walk`. The most frequent
# lengths stand first, because the regular expression engine tries them in this order.
_OTHER = (
    rb"(?:\x01|[^\x00\x01\x13\x1d](?:\x0a.{8}|\x04..|\x02|\x03.|"
    + b"|".join(
        re.escape(bytes([length])) + b".{%d}" % (length - 2)
        for length in range(5, OPTIONS_MAX + 1)
        if length != 10  # noqa: PLR2004 -- timestamps, already first
    )
    + rb"))*"
)
USUAL = re.compile(_OTHER + rb"\x1d\x10(.)(.)(.{12})" + _OTHER + rb"(?:\x00.*)?\Z", re.DOTALL)
"""Matches well-formed options with exactly one AO of 16 octets and no MD5; groups: KeyID, RNextKeyID, MAC."""


def scan_options(options: bytes) -> OptionScan:
    """Find TCP-AO and MD5 in a segment's options.

    Raises:
        OptionError: an option's length is wrong, or TCP-AO is there twice (RFC 5925 section 2.2: at most one).
    """
    if not options:
        return _NOTHING
    usual = USUAL.match(options)
    if usual is not None:
        key_id, rnext, mac = usual.groups()
        return OptionScan(AoOption(usual.start(1) - 2, AO_LENGTH, key_id[0], rnext[0], mac), md5=False)
    return _walk(options)


def _walk(options: bytes) -> OptionScan:
    ao: AoOption | None = None
    md5 = False
    place = 0
    end = len(options)
    while place < end:
        kind = options[place]
        if kind == KIND_END:
            break
        if kind == KIND_NOP:
            place += 1
            continue
        length = _length_at(options, place)
        if kind == KIND_AO:
            if length < 4:  # noqa: PLR2004 -- kind, length, KeyID, RNextKeyID
                raise OptionError(OptionDefect.AO_SHORT)
            if ao is not None:
                raise OptionError(OptionDefect.AO_TWICE)
            mac = options[place + 4 : place + length]
            ao = AoOption(place, length, options[place + 2], options[place + 3], bytes(mac))
        elif kind == KIND_MD5:
            md5 = True
        place += length
    return OptionScan(ao, md5)


def _length_at(options: bytes, place: int) -> int:
    if place + 1 >= len(options):
        raise OptionError(OptionDefect.OVERRUN)
    length = options[place + 1]
    if length < 2:  # noqa: PLR2004 -- kind and length themselves
        raise OptionError(OptionDefect.SHORT)
    if place + length > len(options):
        raise OptionError(OptionDefect.OVERRUN)
    return length


def split_options(options: bytes) -> list[bytes]:
    """Return the options one by one, each with its kind and length; NOPs and what follows the end are left out.

    Raises:
        OptionError: an option's length is wrong.
    """
    found: list[bytes] = []
    place = 0
    while place < len(options) and options[place] != KIND_END:
        if options[place] == KIND_NOP:
            place += 1
            continue
        length = _length_at(options, place)
        found.append(bytes(options[place : place + length]))
        place += length
    return found


def join_options(options: list[bytes]) -> bytes:
    """Return the options in a row, padded with NOPs in front to a multiple of four octets.

    Raises:
        OptionRoomError: they take more than 40 octets.
    """
    row = b"".join(options)
    row = b"\x01" * (-len(row) % 4) + row
    if len(row) > OPTIONS_MAX:
        raise OptionRoomError(f"the options take {len(row)} octets, the TCP header has room for {OPTIONS_MAX}")
    return row


def insert_ao(header: bytes, key_id: int, rnext_key_id: int) -> bytes:
    """Append a TCP-AO option with a zero MAC to the TCP header's options, and raise the data offset to match.

    The other options stay unchanged if there is room; otherwise their padding is removed.

    Raises:
        OptionError: the header's options are malformed or hold TCP-AO already.
        OptionRoomError: there is no room, even without padding.
    """
    options = header[FIXED_HEADER:]
    if scan_options(options).ao is not None:
        raise OptionError(OptionDefect.AO_TWICE)
    ao = bytes((KIND_AO, AO_LENGTH, key_id, rnext_key_id)) + bytes(MAC_LENGTH)
    # Receivers ignore what follows an end-of-options octet, so such a list is repacked too.
    if len(options) + AO_LENGTH <= OPTIONS_MAX and len(options) % 4 == 0 and not _has_end(options):
        row = options + ao
    else:
        row = join_options([*split_options(options), ao])
    return with_options(header, row)


def strip_ao(header: bytes) -> bytes:
    """Return the TCP header without its TCP-AO option (unchanged when it has none); the data offset is lowered.

    Raises:
        OptionError: the header's options are malformed.
    """
    options = header[FIXED_HEADER:]
    ao = scan_options(options).ao
    if ao is None:
        return header
    rest = options[: ao.offset] + options[ao.offset + ao.length :]
    if len(rest) % 4 or not rest.strip(b"\x00\x01"):
        rest = join_options(split_options(rest))
    return with_options(header, rest)


def with_options(header: bytes, options: bytes) -> bytes:
    """Return the TCP header's fixed part with these options (a multiple of four octets) and the data offset set."""
    offset = (FIXED_HEADER + len(options)) >> 2
    return b"".join((header[:12], bytes((offset << 4 | header[12] & 0x0F,)), header[13:FIXED_HEADER], options))


def _has_end(options: bytes) -> bool:
    place = 0
    while place < len(options):
        kind = options[place]
        if kind == KIND_END:
            return True
        place += 1 if kind == KIND_NOP else options[place + 1]
    return False
