"""containerlab's topology file, read strictly as far as keyroll uses it.

Format: https://containerlab.dev/manual/topo-def-file/. What containerlab does not know stands in node labels:
`keyroll.asn`, `keyroll.loopback`, `keyroll.loopback6`, `keyroll.<interface>.ipv4`, `keyroll.<interface>.ipv6`,
`keyroll.platform` where the kind alone does not say what a router is (`keyroll.lab.platforms`), and an emulated
router's `keyroll.repoint`, `keyroll.alteration`, `keyroll.deletion` (docs/assumptions/junos.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from keyroll.document import Document, DocumentError, load, read
from keyroll.lab.protocol import Port

LABEL_PREFIX = "keyroll."
ASN_MAX = 4294967295
_SETTINGS = ("repoint", "alteration", "deletion")
_SETTING_VALUES = ("next-connection", "at-once")
_INTERFACE = re.compile(r"eth([1-9][0-9]{0,2})")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Node:
    """One router as the file plans it. `ports` are in the order of their interface numbers."""

    name: str
    kind: str
    asn: int
    loopback: IPv4Interface | None
    loopback6: IPv6Interface | None
    ports: tuple[Port, ...]
    interfaces: tuple[str, ...]
    """containerlab's names (`eth1`) of `ports`, in the same order."""
    platform: str | None = None
    """The label `keyroll.platform`."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """The labels `keyroll.repoint`, `keyroll.alteration`, `keyroll.deletion`: what an emulated router lets a commit
    change of keychains in use, `next-connection` or `at-once`."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link between two ports, each a (node, interface) pair such as ("R1", "eth1")."""

    a: tuple[str, str]
    b: tuple[str, str]

    @property
    def name(self) -> str:
        """The link's name for people: `R1:eth1-R2:eth1`."""
        return f"{self.a[0]}:{self.a[1]}-{self.b[0]}:{self.b[1]}"


@dataclass(frozen=True, slots=True)
class Topology:
    """A topology file: its name, routers and links. `path` is where it was read."""

    path: Path
    name: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]


def junos_name(interface: str) -> str:
    """Return the router's own name of containerlab's `eth<n>`: `ge-0/0/<n-1>`.

    Raises ValueError for any other name.
    """
    match = _INTERFACE.fullmatch(interface)
    if match is None:
        raise ValueError(f"'{interface}' is not eth1, eth2, …")
    return f"ge-0/0/{int(match[1]) - 1}"


def _endpoint(text: str) -> str:
    node, colon, interface = text.partition(":")
    if not colon or not node or not _INTERFACE.fullmatch(interface):
        raise ValueError(f"'{text}' is not NODE:eth<n>, such as R1:eth1")
    return text


def _text(value: Any) -> Any:  # noqa: ANN401 - YAML gives anything; numbers are taken as containerlab takes them
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class _Loose(BaseModel):
    """containerlab has many fields that are none of our business: they are allowed and ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _NodeModel(_Loose):
    kind: str = ""
    labels: dict[str, Annotated[str, BeforeValidator(_text)]] = Field(default_factory=dict)


class _LinkModel(_Loose):
    endpoints: Annotated[list[Annotated[str, AfterValidator(_endpoint)]], Field(min_length=2, max_length=2)]


class _TopologyModel(_Loose):
    nodes: Annotated[dict[str, _NodeModel | None], Field(min_length=1)]
    links: list[_LinkModel] = Field(default_factory=list)
    defaults: _NodeModel = Field(default_factory=_NodeModel)


class _FileModel(_Loose):
    name: str
    topology: _TopologyModel


def read_topology(path: Path, text: str | None = None) -> Topology:
    """Read a topology file (or `text`, shown as coming from `path`).

    Raises:
        DocumentError: names the file, line and field of the first mistake.
    """
    document = load(path, text)
    model = read(document, _FileModel)
    links = _links(document, model.topology)
    nodes = tuple(
        _node(document, name, node or _NodeModel(), model.topology.defaults, links)
        for name, node in model.topology.nodes.items()
    )
    return Topology(path, model.name, nodes, links)


def _links(document: Document, model: _TopologyModel) -> tuple[Link, ...]:
    links: list[Link] = []
    seen: dict[str, int] = {}
    for index, item in enumerate(model.links):
        for side, endpoint in enumerate(item.endpoints):
            loc = ("topology", "links", index, "endpoints", side)
            node = endpoint.partition(":")[0]
            if node not in model.nodes:
                names = ", ".join(model.nodes)
                raise DocumentError(f"'{node}' is not a node; nodes are: {names}", where=document.where(loc))
            if endpoint in seen:
                raise DocumentError(f"'{endpoint}' is already on link {seen[endpoint] + 1}", where=document.where(loc))
            seen[endpoint] = index
        ends = [tuple(endpoint.split(":", 1)) for endpoint in item.endpoints]
        links.append(Link((ends[0][0], ends[0][1]), (ends[1][0], ends[1][1])))
    return tuple(links)


def _node(document: Document, name: str, model: _NodeModel, defaults: _NodeModel, links: tuple[Link, ...]) -> Node:
    base = ("topology", "nodes", name)
    if not _NAME.fullmatch(name):
        raise DocumentError(
            f"'{name}' is not a router name: letters, digits and inner hyphens, at most 32",
            where=document.where_key(base),
        )
    interfaces = sorted(
        {end[1] for link in links for end in (link.a, link.b) if end[0] == name}, key=lambda text: int(text[3:])
    )
    labels = _Labels(document, (*base, "labels"), {**defaults.labels, **model.labels})
    ports = tuple(
        Port(
            interface=junos_name(interface),
            ipv4=labels.ipv4(f"{interface}.ipv4"),
            ipv6=labels.ipv6(f"{interface}.ipv6"),
        )
        for interface in interfaces
    )
    asn = labels.asn()
    loopback = labels.ipv4("loopback")
    loopback6 = labels.ipv6("loopback6")
    labels.refuse_unknown(interfaces)
    kind = model.kind or defaults.kind
    return Node(name, kind, asn, loopback, loopback6, ports, tuple(interfaces), labels.platform, labels.settings())


class _Labels:
    """The `keyroll.*` labels of one node, with their places."""

    def __init__(self, document: Document, loc: tuple[str, ...], values: dict[str, str]) -> None:
        self._document = document
        self._loc = loc
        self._values = values

    @property
    def platform(self) -> str | None:
        return self._values.get(LABEL_PREFIX + "platform")

    def _wrong(self, label: str, message: str) -> DocumentError:
        return DocumentError(f"label '{label}': {message}", where=self._document.where((*self._loc, label)))

    def settings(self) -> dict[str, str]:
        found = {name: self._values[LABEL_PREFIX + name] for name in _SETTINGS if LABEL_PREFIX + name in self._values}
        for name, value in found.items():
            if value not in _SETTING_VALUES:
                raise self._wrong(LABEL_PREFIX + name, f"'{value}' is not one of {', '.join(_SETTING_VALUES)}")
        return found

    def asn(self) -> int:
        label = LABEL_PREFIX + "asn"
        text = self._values.get(label)
        if text is None:
            raise DocumentError(
                f"label '{label}' is missing: the router's AS number", where=self._document.where(self._loc)
            )
        if not text.isdecimal() or not 1 <= int(text) <= ASN_MAX:
            raise self._wrong(label, f"'{text}' is not an AS number (1..{ASN_MAX})")
        return int(text)

    def ipv4(self, name: str) -> IPv4Interface | None:
        text = self._prefixed(name)
        if text is None:
            return None
        try:
            return IPv4Interface(text)
        except ValueError:
            raise self._wrong(LABEL_PREFIX + name, f"'{text}' is not an IPv4 address with a prefix length") from None

    def ipv6(self, name: str) -> IPv6Interface | None:
        text = self._prefixed(name)
        if text is None:
            return None
        try:
            return IPv6Interface(text)
        except ValueError:
            raise self._wrong(LABEL_PREFIX + name, f"'{text}' is not an IPv6 address with a prefix length") from None

    def _prefixed(self, name: str) -> str | None:
        text = self._values.get(LABEL_PREFIX + name)
        if text is not None and "/" not in text:
            raise self._wrong(LABEL_PREFIX + name, f"'{text}' has no prefix length")
        return text

    def refuse_unknown(self, interfaces: list[str]) -> None:
        known = {"asn", "loopback", "loopback6", "platform", *_SETTINGS} | {
            f"{i}.{family}" for i in interfaces for family in ("ipv4", "ipv6")
        }
        for label in self._values:
            if label.startswith(LABEL_PREFIX) and label.removeprefix(LABEL_PREFIX) not in known:
                allowed = ", ".join(sorted(LABEL_PREFIX + name for name in known))
                raise DocumentError(
                    f"unknown label '{label}'; allowed here: {allowed}",
                    where=self._document.where_key((*self._loc, label)),
                )
