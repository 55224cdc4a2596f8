"""Value types: how a value is checked, in which form it is stored, and what help shows for it.

Each type converts typed text to its stored form; the valid forms of values are defined here only. Messages are Junos'
own (docs/junos.md 3.6); the ones not known are listed in `docs/assumptions/junos.md`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from keyroll.emulator.contract.policy_expression import is_expression, normalised
from keyroll.emulator.junos.configuration.faults import ValueFault
from keyroll.keychain.model import KeychainError
from keyroll.keychain.secret import Secret
from keyroll.keychain.starttime import format_start_stored, parse_start
from keyroll.keychain.type9 import decode_type9, encode_type9, is_type9
from keyroll.patterns import compiled


@dataclass(frozen=True, slots=True)
class EntryContext:
    """What storing a value depends on: the router's clock (UTC), its time zone, and the source of salt for `$9$`."""

    now: Callable[[], datetime]
    zone: tzinfo = UTC
    salt: Callable[[], int] = lambda: 1


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the keywords of a value, with its help."""

    name: str
    help: str


class ValueType(Protocol):
    """The type of a key or value."""

    @property
    def hint(self) -> str:
        """The text that help shows after the statement's help, such as `(0..63)`; may be empty."""
        ...

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The allowed keywords; empty for free text."""
        ...

    def store(self, text: str, context: EntryContext) -> str:
        """Return the stored form of a typed value. Raises ValueFault for an invalid one."""
        ...


@dataclass(frozen=True, slots=True)
class _Free:
    """Base of types without keywords."""

    @property
    def hint(self) -> str:
        return ""

    @property
    def choices(self) -> tuple[Choice, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Integer(_Free):
    """A whole number from `low` to `high` inclusive, or one of `also` (hold-time 0)."""

    low: int
    high: int
    also: tuple[int, ...] = ()

    @property
    def hint(self) -> str:
        """Return the range as help shows it."""
        return f"({self.low}..{self.high})"

    def store(self, text: str, context: EntryContext) -> str:
        """Return the number without leading zeros."""
        del context
        if not re.fullmatch(r"[0-9]{1,20}", text):
            raise ValueFault(f"invalid numeric value: '{text}' at '{text}'")
        number = int(text)
        if not self.low <= number <= self.high and number not in self.also:
            raise ValueFault(f"Value {text} is not within range ({self.low}..{self.high}) at '{text}'")
        return str(number)


@dataclass(frozen=True, slots=True)
class Text(_Free):
    """Free text of `low` to `high` characters; `refuse` is a pattern that it must not match, with its message.

    The default of `high` is ours, for statements whose limit no document says.
    """

    low: int = 1
    high: int = 255
    refuse: str | None = None
    message: str | None = None

    def store(self, text: str, context: EntryContext) -> str:
        """Return the text as it is."""
        del context
        if self.refuse is not None and compiled(self.refuse, re.DOTALL).fullmatch(text):
            raise ValueFault(self.message or "invalid value")
        if not self.low <= len(text) <= self.high:
            raise ValueFault(self.message or f"Must be a string of {self.low} to {self.high} characters")
        if any(ord(char) < ord(" ") or char == "\x7f" for char in text):
            raise ValueFault("invalid character in string")
        return text


@dataclass(frozen=True, slots=True)
class Word(_Free):
    """A name of up to `high` characters that need no quotes (of groups, policies, terms).

    The default of `high` is ours, for names whose limit no document says.
    """

    high: int = 255
    pattern: str = r"[^\s{};\[\]#\"]+"

    def store(self, text: str, context: EntryContext) -> str:
        """Return the name as it is."""
        del context
        if not 1 <= len(text) <= self.high or not compiled(self.pattern).fullmatch(text):
            raise ValueFault(f"invalid value '{text}'")
        return text


@dataclass(frozen=True, slots=True)
class PolicyName(_Free):
    """A policy's name, or an expression of policies in parentheses, shown without quotes: `( A && !B )`."""

    def store(self, text: str, context: EntryContext) -> str:
        """Return the name, or the expression with one space between its words."""
        if not is_expression(text):
            return Word().store(text, context)
        try:
            return normalised(text)
        except ValueError:
            raise ValueFault("syntax error.") from None


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several keywords. Abbreviations are resolved before, by `paths.Walk`."""

    choices: tuple[Choice, ...]

    @property
    def hint(self) -> str:
        """Empty: help lists the keywords, each with its own text."""
        return ""

    def store(self, text: str, context: EntryContext) -> str:
        """Return the keyword."""
        del context
        if text not in {choice.name for choice in self.choices}:
            raise ValueFault("syntax error.")
        return text


def one_of(**keywords: str) -> OneOf:
    """Build a `OneOf` from keyword=help pairs.

    An underscore stands for a hyphen; a leading one is dropped, for keywords that are not Python names (`_255`).
    """
    return OneOf(tuple(Choice(name.lstrip("_").replace("_", "-"), text) for name, text in keywords.items()))


@dataclass(frozen=True, slots=True)
class IpAddress(_Free):
    """An IP address, of `version` 4 or 6 if given."""

    version: int | None = None

    def store(self, text: str, context: EntryContext) -> str:
        """Return the address in its canonical form."""
        del context
        try:
            found = ipaddress.ip_address(text)
        except ValueError:
            raise ValueFault(f"invalid value '{text}' in ip address: '{text}'") from None
        if self.version is not None and found.version != self.version:
            raise ValueFault(f"invalid value '{text}' in ip{'v6' if self.version != 4 else ''} address: '{text}'")  # noqa: PLR2004 - IP's own number
        return str(found)


@dataclass(frozen=True, slots=True)
class Prefix(_Free):
    """A prefix, of IP `version` 4 or 6 if given.

    With `host` the host bits may be set (an interface's address), else they must be zero. With `also_all` the word
    `all` may stand for every prefix.
    """

    version: int | None = None
    host: bool = False
    also_all: bool = False

    def store(self, text: str, context: EntryContext) -> str:
        """Return the canonical form: an address without a length is a host prefix, `10.1/16` becomes `10.1.0.0/16`."""
        del context
        if self.also_all and text == "all":
            return text
        short = _SHORT.fullmatch(text)
        try:
            found = ipaddress.ip_interface(_padded(short[1], short[2]) if short else text)
        except ValueError:
            raise ValueFault(f"invalid prefix '{text}' in '{text}'") from None
        if self.version is not None and found.version != self.version:
            raise ValueFault(f"invalid prefix '{text}' in '{text}'")
        if "/" in text and not re.fullmatch(r"[0-9]{1,3}", text.partition("/")[2]):
            raise ValueFault(f"invalid prefix length in '{text}'")
        if not self.host and found.ip != found.network.network_address:
            raise ValueFault(f"Host portion is not zero ({found.network})")
        return str(found)


_SHORT = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,2})(/\d{1,2})", re.ASCII)


def _padded(octets: str, length: str) -> str:
    return octets + ".0" * (3 - octets.count(".")) + length


_MANAGEMENT = re.compile(r"fxp0|em0|me0|re0:mgmt-0")
"""Management interfaces of real routers: kept without effect, because the lab's SSH does not use an interface."""
_PORT = r"[a-z]{2,3}-\d{1,3}/\d{1,3}/\d{1,3}(?::\d{1,3})?"
"""An interface named by its slot and port: `ge-0/0/0`, `et-0/0/6`, `xe-0/1/2:3`."""
_VIRTUAL = r"[a-z][a-z0-9_]{1,15}?\d{0,4}"
"""Any other interface: `lo0`, `ae12`, `irb`, `st0`, `fxp0`, `vtep`."""
_PHYSICAL = re.compile(rf"(?:{_PORT}|{_VIRTUAL}|re0:mgmt-0)")
_LOGICAL = re.compile(rf"(?:{_PORT}|{_VIRTUAL}|re0:mgmt-0)(?:\.(?:0|[1-9]\d{{0,4}}))?")


@dataclass(frozen=True, slots=True)
class InterfaceName(_Free):
    """A physical interface of any kind, whether or not this router has it; with `logical` a unit may follow."""

    logical: bool = False
    also_all: bool = False

    def store(self, text: str, context: EntryContext) -> str:
        """Return the name; a logical interface without a unit is unit 0, as in Junos."""
        del context
        if self.also_all and text == "all":
            return text
        if not self.logical:
            if _PHYSICAL.fullmatch(text):
                return text
            raise ValueFault(f"invalid interface type in '{text}'")
        if not _LOGICAL.fullmatch(text):
            raise ValueFault(f"invalid interface type in '{text}'")
        return text if "." in text else f"{text}.0"


@dataclass(frozen=True, slots=True)
class AsNumber(_Free):
    """An autonomous system number, plain (1..4294967295) or dotted (`1.10`: the two 16-bit halves, RFC 5396)."""

    @property
    def hint(self) -> str:
        """Return the two forms in the words of Junos' help."""
        return "in plain number or dotted format"

    def store(self, text: str, context: EntryContext) -> str:
        """Return the plain number."""
        del context
        dotted = re.fullmatch(r"(\d{1,5})\.(\d{1,5})", text)
        half_max = 0xFFFF
        if dotted:
            high, low = (int(part) for part in dotted.groups())
            number = high << 16 | low if high <= half_max and low <= half_max else 0
        else:
            number = int(text) if re.fullmatch(r"\d{1,10}", text) else 0
        if not 1 <= number <= (1 << 32) - 1:
            raise ValueFault(f"invalid autonomous system number '{text}'")
        return str(number)


@dataclass(frozen=True, slots=True)
class IdleTimeout(_Free):
    """How long a session stays down after it exceeded its prefix limit: minutes, or `forever`."""

    @property
    def hint(self) -> str:
        """Return the range as help shows it."""
        return "(1..2400, or forever)"

    def store(self, text: str, context: EntryContext) -> str:
        """Return the minutes, or `forever`."""
        return text if text == "forever" else Integer(1, 2400).store(text, context)


@dataclass(frozen=True, slots=True)
class AsNumbers(_Free):
    """A sequence of AS numbers: `"65001 65001"`."""

    def store(self, text: str, context: EntryContext) -> str:
        """Return the plain numbers with one space between them."""
        numbers = [AsNumber().store(word, context) for word in text.split()]
        if not numbers:
            raise ValueFault(f"invalid autonomous system number '{text}'")
        return " ".join(numbers)


@dataclass(frozen=True, slots=True)
class NextHopValue(_Free):
    """A next hop that a policy sets: an address, or a keyword (`self`)."""

    def store(self, text: str, context: EntryContext) -> str:
        """Return the address in its canonical form, or the keyword."""
        return text if text in _NEXT_HOP_WORDS else IpAddress().store(text, context)


_NEXT_HOP_WORDS = frozenset({"self", "peer-address", "discard", "reject"})


@dataclass(frozen=True, slots=True)
class TimeZone(_Free):
    """A name in the IANA time zone database (`UTC`, `America/New_York`)."""

    def store(self, text: str, context: EntryContext) -> str:
        """Return the name."""
        del context
        zone_named(text)
        return text


def zone_named(name: str) -> tzinfo:
    """Return the time zone of that name. Raises ValueFault for an unknown name."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueFault(f"invalid value '{name}'") from None


@dataclass(frozen=True, slots=True)
class StartTime(_Free):
    """A key's start-time (docs/junos.md 1.2, 1.3): absolute, or relative to now (`now`, `5min`, `3hour`, `2day`)."""

    @property
    def hint(self) -> str:
        """Empty: the statement's help includes the form."""
        return ""

    def store(self, text: str, context: EntryContext) -> str:
        """Return Junos' stored form, `2021-6-29.00:00:00 +0000`, in the router's time zone."""
        try:
            return format_start_stored(parse_start(text, context.zone, now=context.now()), context.zone)
        except (KeychainError, OverflowError):
            raise ValueFault(f"invalid date and time: '{text}'") from None


@dataclass(frozen=True, slots=True)
class SecretText(_Free):
    """A secret of up to `high` characters, typed in clear or as `$9$`; stored as `$9$`.

    No message quotes the typed text. The default of `high` is that of Juniper's model (docs/junos.md 1.1).
    """

    high: int = 126

    def store(self, text: str, context: EntryContext) -> str:
        """Return the `$9$` form; typed `$9$` text that decodes stays as it is."""
        if is_type9(text):
            try:
                secret = decode_type9(text)
            except KeychainError:
                raise ValueFault("invalid encrypted password") from None
            self._check(secret)
            return text
        secret = Secret(text)
        self._check(secret)
        return encode_type9(secret, context.salt())

    def _check(self, secret: Secret) -> None:
        if not 1 <= len(secret) <= self.high:
            raise ValueFault(f"Must be a string of 1 to {self.high} characters")


def is_management(interface: str) -> bool:
    """Return whether this is a management interface, which has no effect on this router."""
    return _MANAGEMENT.fullmatch(interface) is not None


def reveal(stored: str) -> Secret:
    """Return the clear secret of stored `$9$` text. Raises KeychainError if it cannot be decoded."""
    return decode_type9(stored)
