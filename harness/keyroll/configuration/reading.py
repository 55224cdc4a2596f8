"""`read` makes a `Configuration` of a text in any form."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from pathlib import PurePath
from typing import TYPE_CHECKING

from keyroll.configuration.chains import ROOT as CHAINS_AT
from keyroll.configuration.findings import ConfigurationError, Finding, Kind, Note, Path
from keyroll.configuration.findings_by_path import FindingsByPath
from keyroll.configuration.foreign import make_of
from keyroll.configuration.forms import is_json, is_xml
from keyroll.configuration.hierarchy import DECIDING, META, ROOT, level_of
from keyroll.configuration.inheritance import APPLY, Groups, View
from keyroll.configuration.levels import HOMELESS, PASTED, settle
from keyroll.configuration.routers import Router, host_name, routers_of
from keyroll.configuration.sessions import Session
from keyroll.configuration.text import TextReader
from keyroll.configuration.tree import Node, Sources, growing
from keyroll.errors import Where

if TYPE_CHECKING:
    from keyroll.configuration.documents import Element


@dataclass(frozen=True, eq=False)
class Configuration:
    """One router's configuration, as far as its text shows it.

    `findings` is everything that could not be determined; `routers` are the main router and its logical systems, whose
    sessions and chains have the findings that affect them.
    """

    name: str
    tree: Node = field(repr=False)
    """The statements as in the text, with groups not expanded."""
    sources: Sources = field(repr=False)
    statements: int
    """How many statements were read."""
    inherited: bool
    """Whether the text has its groups expanded (`display inheritance`)."""
    zone: tzinfo
    reading: tuple[Finding, ...] = field(repr=False)
    """The findings from reading the text; those from its meaning are in `findings` only."""
    counted: int = 0
    """How many words were not understood at levels that do not affect sessions or chains."""
    called: str | None = None
    """The router's name if the text has no `host-name`; None: the file's name without folder and suffix."""

    @property
    def label(self) -> str:
        """The router's name if the text has no `host-name`."""
        return self.called or PurePath(self.name).stem or self.name

    @functools.cached_property
    def host(self) -> str | None:
        """The router's `host-name`, or None where the text has none."""
        return host_name(self.view())

    @functools.cached_property
    def _judged(self) -> tuple[tuple[Router, ...], tuple[Finding, ...]]:
        found: dict[Finding, None] = dict.fromkeys(self.reading)

        def note(kind: Kind, message: str, line: int | Where, path: Path) -> None:
            where = line if isinstance(line, Where) else self.sources.where(line)
            found.setdefault(Finding(kind, message, where, level_of(path)))

        groups = Groups(self.tree, expanded=self.inherited)
        view = View.top(self.tree, groups)
        with growing():
            routers = routers_of(view, source=self.label, note=note, where=self.sources.where, zone=self.zone)
        for group, (line, path) in groups.missing.items():
            note(Kind.MAYBE, f"group {group} is applied here, but is not in the text", line, path)
        findings = tuple(found)
        if findings:
            by_path = FindingsByPath(findings, self._applied)
            routers = tuple(_with_doubts(router, by_path) for router in routers)
        return routers, findings

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that could not be determined, in the order in which it was found."""
        return self._judged[1]

    @property
    def routers(self) -> tuple[Router, ...]:
        """The main router first, then the logical systems."""
        return self._judged[0]

    @property
    def main(self) -> Router:
        """The main router."""
        return self.routers[0]

    def view(self, *words: str) -> View:
        """Return the level at these words, with groups expanded."""
        return View.top(self.tree, Groups(self.tree, expanded=self.inherited)).below(*words)

    def findings_on(self, path: Path) -> tuple[Finding, ...]:
        """Return the findings that could change the meaning of `path`, including those in groups."""
        return self._by_path.on(path)

    @functools.cached_property
    def doubts(self) -> tuple[Finding, ...]:
        """The findings at levels that contain sessions or key chains, or above them.

        A damaged line there may have been a session, so with such a finding sessions may be missing.
        """
        return tuple(finding for finding in self.findings if self._decides(finding.path))

    def _decides(self, path: Path) -> bool:
        if path[:1] == ("groups",) and len(path) > 1:
            if path[1] not in self._applied_anywhere:
                return False
            path = path[2:]
        for word in ("logical-systems", "tenants", "routing-instances"):
            if path[:1] == (word,):
                path = path[2:]
        return any(path[:2] == level[: len(path)] for level in DECIDING)

    @functools.cached_property
    def _applied_anywhere(self) -> frozenset[str]:
        return frozenset(_applied_inside(self.tree))

    @functools.cached_property
    def _by_path(self) -> FindingsByPath:
        return FindingsByPath(self.findings, self._applied)

    def _applied(self, path: Path) -> frozenset[str]:
        """Return the groups that may apply to `path`: applied at a level above it, or inside of such a group."""
        names: set[str] = set()
        node: Node | None = self.tree
        for word in (*path, None):
            if node is None:
                break
            names.update(node.get(APPLY) or ())
            node = node.get(word) if word is not None else None
        waiting = list(names)
        while waiting:
            nested = self._nested.get(waiting.pop(), frozenset()) - names
            names |= nested
            waiting += nested
        return frozenset(names)

    @functools.cached_property
    def _nested(self) -> Mapping[str, frozenset[str]]:
        """The groups that are applied anywhere inside of each group."""
        return {name: frozenset(_applied_inside(node)) for name, node in (self.tree.get("groups") or {}).items()}


def _with_doubts(router: Router, by_path: FindingsByPath) -> Router:
    defined = {chain.name for chain in router.chains}

    def doubts(session: Session) -> tuple[Finding, ...]:
        here = by_path.on(session.path)
        chain = session.authentication.chain
        if chain is None or chain.value in defined:
            return here
        # The chain that it names may be in a part that was not understood.
        above = {(), session.path[:2] if router.system is not None else ()}
        hiding = [one for path in sorted(above) for one in by_path.on((*path, *CHAINS_AT, "key-chain", chain.value))]
        return tuple(dict.fromkeys((*here, *hiding))) if hiding else here

    return replace(
        router,
        sessions=tuple(replace(session, doubts=doubts(session)) for session in router.sessions),
        chains=tuple(replace(chain, doubts=by_path.on(chain.path)) for chain in router.chains),
    )


def _applied_inside(node: Node) -> set[str]:
    found = set(node.get(APPLY) or ())
    for word, child in node.items():
        if word != APPLY and child:
            found |= _applied_inside(child)
    return found


_REMEDY = "use `show configuration`, plain or with `| display set`, `| display xml` or `| display json`"


def read(text: str, name: str, *, zone: tzinfo = UTC, base: Configuration | None = None) -> Configuration:
    """Read a configuration in any form.

    Args:
        text: the text; line ends of any kind.
        name: its name in findings, such as the file's path.
        zone: the router's zone, for start-times that name none.
        base: a configuration that `text` (set and delete lines, or levels to merge) is applied to; it is not changed.

    Raises:
        ConfigurationError: the text is not a Junos configuration; the message says what it is, if known.
    """
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ConfigurationError("this is not a text file: it contains a NUL character", where=Where(name, line))
    found: list[Finding] = []
    before = base.sources if base is not None else Sources((), ())
    first = before.ends[-1] + 1 if before.ends else 1
    sources = Sources((*before.names, name), (*before.ends, first + text.count("\n")))

    def note(kind: Kind, message: str, line: int | Where, path: Path) -> None:
        where = line if isinstance(line, Where) else sources.where(line)
        found.append(Finding(kind, message, where, level_of(path)))

    root = Node() if base is None else base.tree.copy()
    with growing():
        statements, inherited = _fill(root, text, name, first, note)
        counted = settle(root, note)
    known = any(word in ROOT.statements or word in META or word in HOMELESS for word in root)
    # An empty text is an empty configuration; a text of which no line is understood is an error.
    if not known and (root or found):
        raise ConfigurationError(
            "this contains no statement of a Junos configuration",
            where=Where(name, 1),
            remedy=f"{_REMEDY}; if you copied one level, put its banner before it, such as [edit groups]",
        )
    return Configuration(
        name,
        root,
        sources,
        statements + (base.statements if base is not None else 0),
        inherited or (base is not None and base.inherited),
        zone,
        (*(base.reading if base is not None else ()), *found),
        counted,
    )


def _fill(root: Node, text: str, name: str, first: int, note: Note) -> tuple[int, bool]:
    """Read a text of any form into `root`; return how many statements it has, and whether groups are expanded."""
    if is_json(text):
        from keyroll.configuration.documents import Documents, json_element  # noqa: PLC0415 - see `forms`

        documents = Documents(root, note)
        documents.add(json_element(text, name, first, note))
        return documents.statements, documents.inherited
    if is_xml(text):
        return _fill_xml(root, text, name, first, note)
    make = make_of(text)
    if make is not None:
        raise ConfigurationError(f"this is {make}", where=Where(name, 1), remedy=_REMEDY)
    reader = TextReader(root, note, name, first)
    reader.read(text)
    return reader.statements, reader.inherited


def _fill_xml(root: Node, text: str, name: str, first: int, note: Note) -> tuple[int, bool]:
    from keyroll.configuration.documents import Documents, xml_elements  # noqa: PLC0415 - see `forms`

    documents = Documents(root, note)
    loose: list[Element] = []
    found = False
    for element in xml_elements(text, name, first, note):
        if documents.add(element):
            found = True
        else:
            loose.append(element)
    levels = [element for element in loose if element.tag in ROOT.statements or element.tag in PASTED]
    for level in levels:
        documents.add_level(level)
    if not found and not levels:
        tags = ", ".join(element.tag for element in loose[:3])
        raise ConfigurationError(
            f"this is XML, but not a Junos configuration: it contains {tags}", where=Where(name, 1), remedy=_REMEDY
        )
    for inner, line in documents.texts:
        reader = TextReader(root, note, name, line)
        reader.read(inner)
        documents.statements += reader.statements
        documents.inherited |= reader.inherited
    return documents.statements, documents.inherited
