"""What a statement is. The statements themselves are data, in `statements/`.

Five kinds cover the part of Junos that is modelled:

    container   `system { … }`
    entry       one of many, each with a key: `group G { … }`; with an empty name the key stands alone: `ge-0/0/0 { … }`
    leaf        a name and a value: `peer-as 65001;`; with an empty name the value stands alone: `any notice;`
    values      a name and any number of values: `export [ a b ];`
    flag        a name alone: `passive;`
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


class Effect(enum.Enum):
    """Whether the router acts on a statement."""

    LIVE = enum.auto()
    KEPT = enum.auto()
    """Kept and shown, without effect; `keyroll doctor` lists these."""


class Configured(Protocol):
    """A statement as it stands in a configuration, as far as constraints look at it (`tree.Node`)."""

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
        """Return what stands down these names, none of which has a key."""
        ...


Rule = Callable[[Configured, Configured, Configured], bool]
"""(the configuration's root, the parent, the node itself) -> whether the rule holds."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """What must hold of a statement at commit, and Junos' message when it does not."""

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
    effect: Effect = Effect.LIVE
    secret: bool = False
    exclusive: str | None = None
    """Of the siblings that share this word only one stands: setting one takes the others away (`then accept`)."""
    one_line: bool = False
    """A body whose only child stands on its own line: `route 0.0.0.0/0 next-hop 10.0.0.1;`, `then accept;`."""
    presence: bool = False
    """A container that means something even when it is empty: `family inet;`."""
    joined: bool = False
    """A container that is shown as a word before each of its children: `family inet { … }`."""
    quoted: bool = False
    """The value is always shown in quotes (start-times, `$9$`)."""
    ordered: bool = False
    """Entries whose order means something: a comparison shows beside which ones a change is (`term`)."""
    constraints: tuple[Constraint, ...] = ()
    _by_name: dict[str, Statement] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self._by_name.update({child.name: child for child in self.children})

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def child(self, name: str) -> Statement | None:
        """Return the child of exactly that name."""
        return self._by_name.get(name)

    @property
    def keyless(self) -> Statement | None:
        """The child whose key or value stands without a name before it."""
        return self._by_name.get("")

    @property
    def has_body(self) -> bool:
        """Whether it can be edited into: a container or an entry with children."""
        return self.kind is Kind.CONTAINER or (self.kind is Kind.ENTRY and bool(self.children))


def container(
    name: str,
    text: str,
    *children: Statement,
    one_line: bool = False,
    presence: bool = False,
    joined: bool = False,
    constraints: tuple[Constraint, ...] = (),
) -> Statement:
    """Build a container; one without children is there or not, like a flag."""
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
    """Build a statement that may stand many times, each with its own key."""
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
    """Build a statement that stands or does not."""
    return Statement(name, Kind.FLAG, text, exclusive=exclusive)


def kept(statement: Statement) -> Statement:
    """Return `statement` with everything below it marked as without effect."""
    children = tuple(kept(child) for child in statement.children)
    return replace(statement, effect=Effect.KEPT, children=children, _by_name={})
