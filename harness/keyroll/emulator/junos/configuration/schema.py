"""The types that describe a statement. The statements themselves are data, in `statements/`.

Six kinds cover the part of Junos that this router accepts:

    container   `system { … }`
    entry       one of many, each with a key: `group G { … }`; with an empty name the key stands alone: `ge-0/0/0 { … }`
    leaf        a name and a value: `peer-as 65001;`; with an empty name the value stands alone: `any notice;`
    values      a name and any number of values: `export [ a b ];`
    flag        a name alone: `passive;`
    opaque      a name and any words, with a body of any statements or none, kept as text: `class-of-service { … }`
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

from keyroll.emulator.junos.configuration.values import ValueType


class Kind(enum.Enum):
    """The shape of a statement."""

    CONTAINER = enum.auto()
    ENTRY = enum.auto()
    LEAF = enum.auto()
    VALUES = enum.auto()
    FLAG = enum.auto()
    OPAQUE = enum.auto()


class Effect(enum.Enum):
    """How the router treats a statement (docs/emulated.md lists them)."""

    EMULATED = enum.auto()
    """The router acts on it."""
    KEPT = enum.auto()
    """It is kept and shown, without effect."""
    REFUSED = enum.auto()
    """It is kept and shown, but a commit in which it is active fails: it would change how sessions behave."""


class Configured(Protocol):
    """A statement in a configuration: the part of `tree.Node` that constraints read."""

    @property
    def key(self) -> str | None:
        """Its key or value, in stored form."""
        ...

    def child(self, name: str, key: str | None = None) -> Self | None:
        """Return the child of that name (and key)."""
        ...

    def entries(self, name: str) -> Sequence[Self]:
        """Return the entries (or values) of that name, in order."""
        ...

    def value_of(self, name: str) -> str | None:
        """Return the value of the leaf of that name."""
        ...

    def find(self, *names: str) -> Self | None:
        """Return the node down these names, each a statement without a key; None where one is missing."""
        ...


Rule = Callable[[Configured, Configured, Configured], bool]
"""(root of the configuration, parent, the node itself) -> whether the rule holds."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A condition on a statement, checked at commit, and Junos' message when it does not hold."""

    message: str
    holds: Rule


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the configuration language."""

    name: str
    kind: Kind
    help: str
    value: ValueType | None = None
    children: tuple[Statement, ...] = ()
    effect: Effect = Effect.EMULATED
    secret: bool = False
    exclusive: str | None = None
    """Name of a group of siblings that exclude each other: setting one removes the others (`then accept`)."""
    one_line: bool = False
    """Whether a body with one child is shown on one line: `route 0.0.0.0/0 next-hop 10.0.0.1;`, `then accept;`."""
    presence: bool = False
    """Whether the container has a meaning even when it is empty: `family inet;`."""
    joined: bool = False
    """Whether the container is shown as a word before each of its children: `family inet { … }`."""
    quoted: bool = False
    """Whether the value is always shown in quotes (start-times, `$9$`)."""
    note: str = ""
    """For a kept statement: what has no effect. For a refused one: the reason."""
    hierarchy: bool = False
    """For an opaque statement: whether it always has a body, so that words after its name are a line in that body."""
    ordered: bool = False
    """Whether the order of the entries matters: `show | compare` then shows the neighbors of a change (`term`)."""
    constraints: tuple[Constraint, ...] = ()
    _by_name: dict[str, Statement] = field(default_factory=dict, compare=False, repr=False)
    order: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
    """Position of each child, by name, in the order in which Junos shows them."""

    def __post_init__(self) -> None:
        self._by_name.update({child.name: child for child in self.children})
        self.order.update({child.name: number for number, child in enumerate(self.children)})

    # Compared by identity: each statement exists once, and comparing all its children would be slow.
    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def child(self, name: str) -> Statement | None:
        """Return the child with this exact name; in kept text, LINE for the empty name."""
        if self.kind is Kind.OPAQUE:
            return LINE if not name else None
        return self._by_name.get(name)

    @property
    def keyless(self) -> Statement | None:
        """The child without a name, of which only the key or value is typed and shown."""
        return self._by_name.get("")

    @property
    def is_value(self) -> bool:
        """Whether it is a value with further words on its line: `autonomous-system 64500 loops 2`."""
        return self.kind is Kind.CONTAINER and self.one_line and self.keyless is not None

    @property
    def has_body(self) -> bool:
        """Whether `edit` can enter it: a container, an entry with children, kept text."""
        return self.kind in (Kind.CONTAINER, Kind.OPAQUE) or (self.kind is Kind.ENTRY and bool(self.children))


LINE = Statement("", Kind.OPAQUE, "Statement that is kept as text", effect=Effect.KEPT)
"""Any statement in the body of an opaque one: its key is its words, in the form in which they are shown."""


def container(
    name: str,
    text: str,
    *children: Statement,
    one_line: bool = False,
    presence: bool = False,
    joined: bool = False,
    constraints: tuple[Constraint, ...] = (),
) -> Statement:
    """Build a container; one without children is present or absent, like a flag."""
    return Statement(
        name,
        Kind.CONTAINER,
        text,
        children=children,
        one_line=one_line,
        presence=presence or not children,
        joined=joined,
        constraints=constraints,
    )


def entry(
    name: str,
    text: str,
    key: ValueType,
    *children: Statement,
    one_line: bool = False,
    secret: bool = False,
    ordered: bool = False,
    constraints: tuple[Constraint, ...] = (),
) -> Statement:
    """Build a statement that may occur many times, each time with another key."""
    return Statement(
        name,
        Kind.ENTRY,
        text,
        key,
        children,
        one_line=one_line,
        secret=secret,
        quoted=secret,
        ordered=ordered,
        constraints=constraints,
    )


def leaf(
    name: str,
    text: str,
    value: ValueType,
    *,
    secret: bool = False,
    quoted: bool = False,
    exclusive: str | None = None,
    constraints: tuple[Constraint, ...] = (),
) -> Statement:
    """Build a statement with one value."""
    return Statement(
        name,
        Kind.LEAF,
        text,
        value,
        secret=secret,
        quoted=quoted or secret,
        exclusive=exclusive,
        constraints=constraints,
    )


def values(name: str, text: str, value: ValueType, *, constraints: tuple[Constraint, ...] = ()) -> Statement:
    """Build a statement with any number of values."""
    return Statement(name, Kind.VALUES, text, value, constraints=constraints)


def flag(name: str, text: str, *, exclusive: str | None = None) -> Statement:
    """Build a statement without a value, which is present or absent."""
    return Statement(name, Kind.FLAG, text, exclusive=exclusive)


def opaque(name: str, text: str, lost: str) -> Statement:
    """Build a statement that is kept as text, with whatever follows it. `lost` names what has no effect."""
    return Statement(name, Kind.OPAQUE, text, effect=Effect.KEPT, note=lost)


def opaques(lost: str, rows: tuple[tuple[str, str], ...]) -> tuple[Statement, ...]:
    """Build an opaque statement from each (name, help); `lost` holds for all of them."""
    return tuple(opaque(name, text, lost) for name, text in rows)


def hierarchy(name: str, text: str, lost: str) -> Statement:
    """Build a whole hierarchy that is kept as text. `lost` names what has no effect."""
    return Statement(name, Kind.OPAQUE, text, effect=Effect.KEPT, note=lost, hierarchy=True)


def refused(name: str, text: str, why: str) -> Statement:
    """Build a statement that is accepted and shown, but whose commit fails. `why` names what it would change."""
    return Statement(name, Kind.OPAQUE, text, effect=Effect.REFUSED, note=why)


def kept(statement: Statement) -> Statement:
    """Return `statement` and everything below it, marked as kept without effect."""
    children = tuple(kept(child) for child in statement.children)
    return replace(statement, effect=Effect.KEPT, children=children, _by_name={}, order={})
