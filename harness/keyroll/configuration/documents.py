"""Reads configurations in XML and JSON into the same tree of words.

Both are trees of elements whose names are the CLI's words: a list's entry has its key in `name`, a leaf its value as
text. `interfaces interface` and `routing-instances instance` are words that the CLI does not show.

XML is read with expat, JSON with the standard library; both keep line numbers. A document type or an entity in XML is
refused: no router writes them, and an attacker can use them to read other files or to fill the memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from keyroll.configuration import console
from keyroll.configuration.findings import ConfigurationError, Kind, Note, Path
from keyroll.configuration.forms import TEXTS, WRAPPERS, first_line_with, unwrapped, without_trace
from keyroll.configuration.tree import INACTIVE, OMITTED, PROTECTED, Node
from keyroll.errors import Where

_HIDDEN = frozenset(
    (("interfaces", "interface"), ("routing-instances", "instance"), ("interface-range", "member-name"))
)
"""(parent, element) pairs where the CLI does not show the element's name."""
_BARE = frozenset(("as-number",))
"""Leaves whose value follows the word of the level above: `autonomous-system 64500`."""
_PLACEHOLDER = re.compile(
    r"<(/?)((?:secret |password )?(?:removed|redacted|hidden|scrubbed|masked|sanitized))>", re.IGNORECASE
)
_OWN_FORM = re.compile(r"(?<=>)<secret>(?=\s*</)")
DEPTH_MAX = 100
"""The most nested levels: Junos' own hierarchy has some twenty, and a hostile text must not exhaust the stack."""


@dataclass(slots=True)
class Element:
    """One element: its name without a namespace, its line, its content."""

    tag: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)
    inactive: bool = False
    protected: bool = False
    inherited: bool = False
    deleted: bool = False
    """An `operation="delete"` of a change request."""
    change: bool = False
    """Any `operation`: a request to change a configuration, or the difference of two."""
    valued: bool = False
    """Whether it is a leaf, possibly with an empty value."""


@dataclass(slots=True)
class Documents:
    """Puts elements into a tree. `texts` are configurations as text inside of a reply: (text, first line)."""

    root: Node
    note: Note
    inherited: bool = False
    statements: int = 0
    texts: list[tuple[str, int]] = field(default_factory=list)

    def add(self, element: Element) -> bool:
        """Add a document; return whether it contained a configuration."""
        if element.tag == "configuration":
            for child in element.children:
                self._fill(self.root, child, "", ())
            return True
        if element.tag in TEXTS:
            self.texts.append((element.text, element.line))
            return True
        return element.tag in WRAPPERS and self._add_all(element.children)

    def _add_all(self, elements: list[Element]) -> bool:
        found = False
        for element in elements:
            found |= self.add(element)
        return found

    def add_level(self, element: Element) -> None:
        """Add a level that has no `configuration` element around it."""
        self._fill(self.root, element, "", ())

    def _fill(self, node: Node, element: Element, parent: str, path: Path) -> None:
        if element.tag == "comment":
            self._comment(element, path)
            return
        if element.tag == "undocumented":
            # An element around undocumented statements of Junos; they belong to this level.
            self._comment(element, path)
            for child in element.children:
                self._fill(node, child, parent, path)
            return
        if element.change:
            self.note(Kind.UNKNOWN_EFFECT, "this changes a configuration that is not in the text", element.line, path)
        if element.deleted:
            return
        self.inherited |= element.inherited
        words, rest = _words(element, parent)
        made = node.make(words, element.line)
        self.statements += 1
        if element.inactive:
            made.flags |= INACTIVE
        if element.protected:
            made.flags |= PROTECTED
        for child in rest:
            self._fill(made, child, element.tag, (*path, *words))

    def _comment(self, element: Element, path: Path) -> None:
        text = element.text
        if "OMITTED" in text:
            target = self.root.at(path)
            if target is not None:
                target.flags |= OMITTED
        if re.search(r"warning:", text, re.IGNORECASE):
            self.note(Kind.ROUTER_WARNING, "the router warns here (in a comment)", element.line, path)


def _words(element: Element, parent: str) -> tuple[tuple[str, ...], list[Element]]:
    """Return the CLI's words of an element, and the elements below them."""
    name = next((child for child in element.children if child.tag == "name"), None)
    if name is not None:
        rest = [child for child in element.children if child is not name]
        hidden = (parent, element.tag) in _HIDDEN
        return ((name.text,) if hidden else (element.tag, name.text)), rest
    number = next((child for child in element.children if child.tag in _BARE and child.valued), None)
    if number is not None:
        # Options such as `loops 2` follow the number on its line.
        return (element.tag, number.text), [child for child in element.children if child is not number]
    if element.valued and not element.children:
        return ((element.text,) if element.tag in _BARE else (element.tag, element.text)), []
    return (element.tag,), element.children


# XML


def _around(text: str, line: int, note: Note) -> None:
    """Report lines around a document that belong neither to a configuration nor to a terminal session."""
    for number, one in enumerate(text.split("\n"), line):
        if not console.belongs_to_session(one):
            note(Kind.NOT_UNDERSTOOD, "this line is outside the document", number, ())
            return


def xml_elements(text: str, source: str, first: int, note: Note) -> Iterator[Element]:
    """Yield the documents of a text: there may be several, and lines of a terminal between them.

    Raises:
        ConfigurationError: it is not well formed, nests too deep, or contains a document type or an entity.
    """
    text = without_trace(text)
    text = _OWN_FORM.sub("&lt;secret&gt;", _PLACEHOLDER.sub(r"&lt;\1\2&gt;", text))
    end, position = 0, first_line_with(text, "<")
    while position is not None:
        line = text.count("\n", 0, position) + 1
        _around(text[end:position], first + text.count("\n", 0, end), note)
        parser = _Xml(source, line, first)
        element, used = parser.read(text[position:])
        yield element
        end = position + used
        after = first_line_with(text[end:], "<")
        position = None if after is None else end + after
    _around(text[end:], first + text.count("\n", 0, end), note)


class _Done(Exception):  # noqa: N818 - not an error: the document has ended, and other text follows
    pass


class _Xml:
    def __init__(self, source: str, line: int, first: int) -> None:
        self._source = source
        self._line = line
        self._first = first
        self._stack: list[Element] = []
        self._parts: list[list[str]] = []
        self._whole: Element | None = None
        self._end = 0
        # Without namespaces: files cut out of a reply use the prefix `junos:` and do not declare it.
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._close
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse

    def read(self, text: str) -> tuple[Element, int]:
        """Return the first document, and how many characters it takes."""
        octets = text.encode("utf-8", "replace")
        try:
            self._parser.Parse(octets, True)  # noqa: FBT003 - expat's own signature
        except _Done:
            pass
        except expat.ExpatError as error:
            raise self._error(f"this is not well-formed XML: {expat.ErrorString(error.code)}", error.lineno) from None
        if self._whole is None:
            raise self._error("this XML ends before its first element does", 1)
        return self._whole, len(octets[: self._end].decode("utf-8", "replace"))

    def _error(self, message: str, line: int) -> ConfigurationError:
        return ConfigurationError(message, where=Where(self._source, self._line + line - 1))

    def _refuse(self, *_: object) -> None:
        raise self._error("a document type or entity is refused: no router writes one", self._parser.CurrentLineNumber)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._stack) >= DEPTH_MAX:
            raise self._error(f"more than {DEPTH_MAX} elements are open here", self._parser.CurrentLineNumber)
        line = self._first + self._line + self._parser.CurrentLineNumber - 2
        plain = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        element = Element(
            name.rpartition(":")[2],
            line,
            inactive=plain.get("inactive") == "inactive",
            protected=plain.get("protect") == "protect",
            inherited="group" in plain,
            deleted=plain.get("operation") in {"delete", "remove"} or plain.get("delete") == "delete",
            change="operation" in plain or "delete" in plain,
        )
        if self._stack:
            self._stack[-1].children.append(element)
        self._stack.append(element)
        self._parts.append([])

    def _close(self, _: str) -> None:
        element = self._stack.pop()
        text = "".join(self._parts.pop())
        # Text between elements is layout; an empty `secret` is one that was removed.
        element.text = text if element.tag in TEXTS else text.strip()
        element.valued = bool(element.text) or element.tag in {"secret", "authentication-key"}
        if not self._stack:
            self._whole = element
            self._end = self._after_tag()
            raise _Done

    def _after_tag(self) -> int:
        """Return the offset after the end tag that is being read."""
        context = self._parser.GetInputContext() or b""
        index = self._parser.CurrentByteIndex
        return index + max(context.find(b">"), 0) + 1

    def _characters(self, text: str) -> None:
        if self._parts:
            self._parts[-1].append(text)


# JSON


class _Pairs(list[tuple[str, object]]):
    """A JSON object as a list of its pairs, so that a name that occurs twice is kept twice."""


_BARE_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|(?<=[:\[,\s])(\d[\w.]*[A-Za-z][\w.]*)(?=\s*[,}\]])')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"(\s*:)?')


def json_element(text: str, source: str, first: int, note: Note) -> Element:
    """Return the configuration of a JSON text.

    Raises:
        ConfigurationError: it is not well formed, nests too deep, or contains something other than a configuration.
    """
    text = unwrapped(text)
    start = first_line_with(text, "{") or 0
    before = text.count("\n", 0, start)
    try:
        whole, end = _decoded(text, start)
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        text = _quoted(text)
        try:
            whole, end = _decoded(text, start)
        except ValueError:
            raise ConfigurationError("this is not well-formed JSON", where=Where(source, line)) from None
    except RecursionError:
        raise ConfigurationError("this JSON nests too deep for a configuration", where=Where(source, 1)) from None
    _around(text[:start], first, note)
    _around(text[end:], first + text.count("\n", 0, end), note)
    reader = _Json(text[start:end], first + before)
    elements = reader.children(whole if isinstance(whole, _Pairs) else _Pairs(), 0)
    found = next((element for element in elements if element.tag in {"configuration", "data"}), None)
    if found is not None and found.tag == "data":
        found = next((child for child in found.children if child.tag == "configuration"), None)
    if found is None:
        tags = [name for name, _ in whole] if isinstance(whole, _Pairs) else []
        names = ", ".join([tag for tag in tags if re.fullmatch(r"[\w:.-]{1,40}", tag)][:3])
        raise ConfigurationError(
            f"this is JSON, but not a Junos configuration: it contains {names or 'nothing'}",
            where=Where(source, before + 1),
            remedy="use `show configuration | display json`",
        )
    return found


def _decoded(text: str, start: int) -> tuple[object, int]:
    return json.JSONDecoder(object_pairs_hook=_Pairs).raw_decode(text, start)


def _quoted(text: str) -> str:
    """Return JSON with values such as `3m` quoted: Junos releases of 2017 print some numbers with a unit unquoted."""
    return _BARE_VALUE.sub(lambda found: found[0] if found[1] is None else f'"{found[1]}"', text)


class _Json:
    def __init__(self, text: str, first: int) -> None:
        self._lines = _key_lines(text, first)

    def children(self, pairs: _Pairs, depth: int) -> list[Element]:
        """Return the elements of an object in its order; each name takes the next line of `_key_lines`."""
        if depth > DEPTH_MAX:
            raise ConfigurationError("this JSON nests too deep for a configuration")
        found: list[Element] = []
        marks: list[tuple[str, object]] = []
        for name, value in pairs:
            line = next(self._lines, 0)
            if name[:1] == "@" or name == "attributes":
                self._skip(value)
                marks.append((name[1:] if name[:1] == "@" else "", value))
            else:
                found += self._elements(name.rpartition(":")[2], value, line, depth)
        for name, value in marks:
            _mark(found, name, value)
            line = next((one.line for one in found if one.tag == name), found[0].line if found else 0)
            found += [Element("comment", line, text) for text in _comments(value)]
        return found

    def _skip(self, value: object) -> None:
        """Consume the lines of the names in a value that is not used."""
        if isinstance(value, _Pairs):
            for _, inner in value:
                next(self._lines, 0)
                self._skip(inner)
        elif isinstance(value, list):
            for inner in value:
                self._skip(inner)

    def _elements(self, tag: str, value: object, line: int, depth: int) -> list[Element]:
        if isinstance(value, _Pairs):
            return [self._object(tag, value, line, depth)]
        if isinstance(value, list):
            return [one for item in value for one in self._elements(tag, item, line, depth + 1)]
        if value is None:
            return [Element(tag, line)]
        text = {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
        return [Element(tag, line, text, valued=True)]

    def _object(self, tag: str, value: _Pairs, line: int, depth: int) -> Element:
        names = [name for name, _ in value]
        own = next((inner for name, inner in value if name in {"@", "attributes"}), None)
        element = Element(tag, line)
        _put_marks(element, own)
        if "data" in names and set(names) <= {"data", "attributes", "@"}:
            # The verbose form: a leaf is an object whose `data` is its value.
            for name, inner in value:
                next(self._lines, 0)
                self._skip(inner)
                if name == "data" and inner is not None and inner != [None]:
                    element.text, element.valued = str(inner), True
            return element
        element.children = self.children(value, depth + 1)
        # The entries of a list are below one name; the line of an entry is that of its `name`.
        element.line = next((child.line for child in element.children if child.tag == "name"), line)
        return element


def _key_lines(text: str, first: int) -> Iterator[int]:
    """Yield the line of every name, in order: the JSON decoder does not keep them."""
    line, before = first, 0
    for found in _STRING.finditer(text):
        if found[1]:
            line += text.count("\n", before, found.start())
            before = found.start()
            yield line


def _mark(elements: list[Element], name: str, value: object) -> None:
    """Set the attributes of `@name` on the elements of that name; those of a list one after the other."""
    named = [element for element in elements if element.tag == name]
    values = value if isinstance(value, list) and not isinstance(value, _Pairs) else [value] * len(named)
    for element, one in zip(named, values, strict=False):
        _put_marks(element, one)


def _comments(value: object) -> Iterator[str]:
    """Yield the comments among attributes: the router's warnings are there."""
    if isinstance(value, _Pairs):
        yield from (text for name, text in value if name.rpartition(":")[2] == "comment" and isinstance(text, str))
    elif isinstance(value, list):
        for one in value:
            yield from _comments(one)


def _put_marks(element: Element, value: object) -> None:
    for name, inner in value if isinstance(value, _Pairs) else ():
        plain = name.rpartition(":")[2]
        if plain == "inactive":
            element.inactive = inner in {True, "true", "inactive"} if isinstance(inner, (bool, str)) else True
        elif plain == "protect":
            element.protected = inner in {True, "true", "protect"} if isinstance(inner, (bool, str)) else True
        elif plain == "group":
            element.inherited = True
        elif plain == "operation":
            element.deleted = inner in {"delete", "remove"} if isinstance(inner, str) else False
            element.change = True
