"""Read containerlab's topology file; strict in the fields that keyroll uses.

Format: https://containerlab.dev/manual/topo-def-file/. Interfaces of links may have vendor names if containerlab
accepts them (`R1:ge-0/0/0`), and links may have the extended form (`type: veth`). Node labels hold what containerlab
has no field for: `keyroll.asn`, `keyroll.loopback`, `keyroll.loopback6`, `keyroll.<interface>.ipv4`,
`keyroll.<interface>.ipv6`, `keyroll.platform` if the kind alone does not tell the platform (`keyroll.lab.platforms`),
and an emulated router's `keyroll.repoint`, `keyroll.alteration`, `keyroll.deletion` (docs/assumptions/junos.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from keyroll.document import Document, DocumentError, Loc, load, read
from keyroll.lab.platforms import PortMap, platform_of
from keyroll.lab.protocol import Port

T = TypeVar("T")
LABEL_PREFIX = "keyroll."
# What four octets hold (RFC 6793).
ASN_MAX = 4294967295
_SETTINGS = ("repoint", "alteration", "deletion")
_SETTING_VALUES = ("next-connection", "at-once")
_INTERFACE = re.compile(r"eth([1-9][0-9]{0,2})")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Node:
    """One router of the file. `ports` are in the order of their interface numbers."""

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
    """The labels `keyroll.repoint`, `keyroll.alteration`, `keyroll.deletion`: when an emulated router applies a
    commit's changes of keychains in use, `next-connection` or `at-once`."""


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
    """A topology file: its name, routers and links, and its path."""

    path: Path
    name: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]


_UNKNOWN = PortMap("ge-0/0/{}")


def junos_name(interface: str) -> str:
    """Return the router's own name of containerlab's `eth<n>`: `ge-0/0/<n-1>`.

    Raises ValueError for any other name.
    """
    match = _INTERFACE.fullmatch(interface)
    if match is None:
        raise ValueError(f"'{interface}' is not eth1, eth2, …")
    return f"ge-0/0/{int(match[1]) - 1}"


def _endpoint(value: Any) -> Any:  # noqa: ANN401 - YAML gives anything
    """Return `NODE:INTERFACE` of both forms: that text, or a mapping with `node` and `interface`."""
    if isinstance(value, dict):
        value = f"{value.get('node', '')}:{value.get('interface', '')}"
    node, colon, interface = str(value).partition(":")
    if not colon or not node or not interface:
        raise ValueError(f"'{value}' is not NODE:INTERFACE, such as R1:eth1")
    return value


def _text(value: Any) -> Any:  # noqa: ANN401 - YAML gives anything; numbers are taken as containerlab takes them
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class _Loose(BaseModel):
    """Base for mappings with further containerlab fields, which keyroll allows and ignores."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _NodeModel(_Loose):
    kind: str = ""
    labels: dict[str, Annotated[str, BeforeValidator(_text)]] = Field(default_factory=dict)


class _LinkModel(_Loose):
    """A link in containerlab's short form, or in the extended one (`type: veth`)."""

    type: Literal["veth"] = "veth"
    endpoints: Annotated[list[Annotated[str, BeforeValidator(_endpoint)]], Field(min_length=2, max_length=2)]


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
        _node(document, name, node or _NodeModel(), model.topology.defaults, links, _ports_of(model.topology, name))
        for name, node in model.topology.nodes.items()
    )
    return Topology(path, model.name, nodes, links)


def _links(document: Document, model: _TopologyModel) -> tuple[Link, ...]:
    links: list[Link] = []
    seen: dict[tuple[str, str], int] = {}
    for index, item in enumerate(model.links):
        ends: list[tuple[str, str]] = []
        for side, endpoint in enumerate(item.endpoints):
            loc = ("topology", "links", index, "endpoints", side)
            node = endpoint.partition(":")[0]
            if node not in model.nodes:
                names = ", ".join(model.nodes)
                raise DocumentError(f"'{node}' is not a node; nodes are: {names}", where=document.where(loc))
            end = (node, _wire(document, loc, endpoint, model))
            if end in seen:
                raise DocumentError(f"'{endpoint}' is already on link {seen[end] + 1}", where=document.where(loc))
            seen[end] = index
            ends.append(end)
        links.append(Link(*ends))
    return tuple(links)


def _wire(document: Document, loc: Loc, endpoint: str, model: _TopologyModel) -> str:
    """Return the `eth<n>` of an endpoint, which may use the vendor's interface name (`R1:ge-0/0/0`)."""
    node, _, interface = endpoint.partition(":")
    try:
        return _ports_of(model, node).wire(interface)
    except ValueError as error:
        raise DocumentError(f"'{endpoint}' is not NODE:eth<n>: {error}", where=document.where(loc)) from None


def _ports_of(model: _TopologyModel, node: str) -> PortMap:
    """Return the port naming of a node; an unknown kind has `eth1` and so on."""
    found = model.nodes[node] or _NodeModel()
    label = {**model.defaults.labels, **found.labels}.get(LABEL_PREFIX + "platform")
    platform = platform_of(found.kind or model.defaults.kind, label)
    return platform.ports if platform is not None else _UNKNOWN


def _node(
    document: Document, name: str, model: _NodeModel, defaults: _NodeModel, links: tuple[Link, ...], map_of: PortMap
) -> Node:
    base = ("topology", "nodes", name)
    if not _NAME.fullmatch(name):
        raise DocumentError(
            f"invalid router name '{name}': use at most 32 letters, digits and inner hyphens",
            where=document.where_key(base),
        )
    interfaces = sorted(
        {end[1] for link in links for end in (link.a, link.b) if end[0] == name}, key=lambda text: int(text[3:])
    )
    labels = _Labels(document, (*base, "labels"), {**defaults.labels, **model.labels}, map_of)
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


def _plain_label(label: str, ports: PortMap) -> str:
    """Return a label with a vendor's interface name replaced by `eth<n>`."""
    interface, dot, family = label.removeprefix(LABEL_PREFIX).rpartition(".")
    if not dot or family not in {"ipv4", "ipv6"}:
        return label
    try:
        return f"{LABEL_PREFIX}{ports.wire(interface)}.{family}"
    except ValueError:
        return label


class _Labels:
    """The `keyroll.*` labels of one node, with their places."""

    def __init__(self, document: Document, loc: tuple[str, ...], values: dict[str, str], ports: PortMap) -> None:
        self._document = document
        self._loc = loc
        self._values = values
        self._spelled = {_plain_label(label, ports): label for label in values if label.startswith(LABEL_PREFIX)}

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
            raise self._wrong(label, f"invalid AS number '{text}': use 1 to {ASN_MAX}")
        return int(text)

    def ipv4(self, name: str) -> IPv4Interface | None:
        return self._prefixed(name, IPv4Interface, "IPv4")

    def ipv6(self, name: str) -> IPv6Interface | None:
        return self._prefixed(name, IPv6Interface, "IPv6")

    def _label(self, name: str) -> str:
        """Return the label as spelled in the file, perhaps with a vendor's interface name."""
        return self._spelled.get(LABEL_PREFIX + name, LABEL_PREFIX + name)

    def _prefixed(self, name: str, read: Callable[[str], T], version: str) -> T | None:
        text = self._values.get(self._label(name))
        if text is None:
            return None
        if "/" not in text:
            raise self._wrong(self._label(name), f"'{text}' has no prefix length")
        try:
            return read(text)
        except ValueError:
            raise self._wrong(self._label(name), f"'{text}' is not an {version} address with a prefix length") from None

    def refuse_unknown(self, interfaces: list[str]) -> None:
        known = {"asn", "loopback", "loopback6", "platform", *_SETTINGS} | {
            f"{i}.{family}" for i in interfaces for family in ("ipv4", "ipv6")
        }
        for plain, label in self._spelled.items():
            if plain.removeprefix(LABEL_PREFIX) not in known:
                allowed = ", ".join(sorted(LABEL_PREFIX + name for name in known))
                raise DocumentError(
                    f"unknown label '{label}'; allowed here: {allowed}",
                    where=self._document.where_key((*self._loc, label)),
                )
