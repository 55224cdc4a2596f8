"""YAML files that people write, read strictly: every mistake is named by file, line, column and field.

PyYAML gives the positions, pydantic the checking; this module joins the two. It knows no format of its own: rooms
bring their pydantic models.

A few hundred characters of YAML can stand for gigabytes (aliases of aliases), and its parser needs a second for a few
hundred kilobytes. So there are limits, far above what people write; they are checked before anything is built.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_origin

import yaml

from keyroll.errors import InputError, Where
from keyroll.suggest import did_you_mean, nearest

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound="BaseModel")
Loc = tuple[str | int, ...]

OCTETS_MAX = 256 * 1024
"""The longest file. The longest scenario of ours has 7 KiB; PyYAML reads some 250 KiB a second."""
VALUES_MAX = 20_000
"""Keys and values of a file, with those of an alias counted each time it is used. Our longest scenario has 1,000."""
DEPTH_MAX = 100
"""How deep values may be nested. Scenarios need eight; Python's own limit lets PyYAML go to about 150."""
_TOO_DEEP = f"it is nested too deeply: at most {DEPTH_MAX} levels"
LENGTH_MAX = 10_000
"""Characters of one value: a number in base 60 (`1:59:59`) of 100,000 digits would take PyYAML minutes."""


class DocumentError(InputError):
    """A YAML file cannot be read, or says something that is not allowed there."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed YAML file: plain data, and where each part of it stands.

    `data` holds dicts, lists and scalars as YAML's safe loader makes them. `places` maps a path of keys and indexes,
    such as `("steps", 2, "expect")`, to the line and column of its value; `key_places` to those of its key.
    """

    path: Path
    data: Any
    text: str = field(default="", repr=False)
    """The whole file as it was read; it is read once, since it may be a pipe, or change meanwhile."""
    places: dict[Loc, tuple[int, int]] = field(default_factory=dict)
    key_places: dict[Loc, tuple[int, int]] = field(default_factory=dict)

    def where(self, loc: Sequence[str | int] = ()) -> Where:
        """Return the place of `loc`, or of its nearest parent that the file holds."""
        path = tuple(loc)
        while path and path not in self.places:
            path = path[:-1]
        line, column = self.places.get(path, (1, 1))
        return Where.of(self.path, line, column)

    def where_key(self, loc: Sequence[str | int]) -> Where:
        """Return the place of the key that `loc` ends with (an unknown field is shown at its name)."""
        found = self.key_places.get(tuple(loc))
        return Where.of(self.path, *found) if found else self.where(loc)


class _PositionLoader(yaml.SafeLoader):
    """The safe loader, refusing keys that occur twice (YAML forbids them; PyYAML lets the last one win)."""

    quotes_names = True
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a value, not too deep in others: libyaml gives up on some nesting before `_Limits` sees it."""
        self._depth += 1
        if self._depth > DEPTH_MAX + 1:
            raise yaml.composer.ComposerError(None, None, _TOO_DEEP, parent.start_mark if parent else None)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - PyYAML's
        """Construct a value; what PyYAML cannot construct is an error with its place.

        PyYAML ends with any of these where a value is not what it looks like, or what its tag says. Its words are not
        shown: they may quote the value, which may be a secret.
        """
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, LookupError, AttributeError):
            problem = "this value looks like a number or a date but is not a valid one; put it in quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None


_QUOTING = {
    "found undefined alias": "'*' begins an alias, and nothing has this name; put what begins with '*' in quotes",
    "second occurrence": "'&' begins an anchor, and this one occurs twice; put a value that begins with '&' in quotes",
    "could not determine a constructor for the tag": "'!' begins a tag; put what begins with '!' in quotes",
    "found undefined tag handle": "'!' begins a tag; put what begins with '!' in quotes",
}
"""Beginnings of parser messages that quote a value, and the words that replace them."""


def _construct_mapping(loader: _PositionLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    loader.flatten_mapping(node)
    mapping: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a plain word", key_node.start_mark)
        if key in mapping:
            name = f"'{key}'" if loader.quotes_names or _is_address(key) else "this name"
            raise yaml.constructor.ConstructorError(None, None, f"{name} occurs twice", key_node.start_mark)
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


def _is_address(key: Hashable) -> bool:
    """Whether a key is an IP address, which may be quoted everywhere: it is not a secret."""
    try:
        ip_address(key if isinstance(key, str) else "")
    except ValueError:
        return False
    return True


_PositionLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


class _QuickLoader(_PositionLoader):
    """The same on libyaml's events, six times as fast. Only what is without a mistake is read by it."""

    def __init__(self, text: str) -> None:
        super().__init__("")  # nothing for PyYAML's own scanner
        self._events = yaml.CSafeLoader(text)

    def check_event(self, *choices: Any) -> bool:  # noqa: ANN401 - PyYAML's
        return bool(self._events.check_event(*choices))

    def peek_event(self) -> Any:  # noqa: ANN401 - PyYAML's
        return self._events.peek_event()

    def get_event(self) -> Any:  # noqa: ANN401 - PyYAML's
        return self._events.get_event()


_READ_OTHERWISE = re.compile("[\t?!\ufeff\x85\u2028\u2029]")
"""What libyaml takes and PyYAML refuses (tabs between words, `?` within brackets), or reads differently (`!`,
columns)."""


def _read_quickly(text: str) -> tuple[yaml.Node, Any] | None:
    """Return a text's node and data; None on any fault: PyYAML's own scanner reports it better."""
    if not yaml.__with_libyaml__ or _READ_OTHERWISE.search(text):
        return None
    try:
        loader = _QuickLoader(text)
        node = loader.get_single_node()
        return None if node is None else (node, loader.construct_document(node))
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def _places(node: yaml.Node, loc: Loc = ()) -> Iterator[tuple[bool, Loc, tuple[int, int]]]:
    yield False, loc, (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            key: str | int = key_node.value
            if key_node.tag == "tag:yaml.org,2002:int" and key_node.value.isdecimal():
                key = int(key_node.value)
            yield True, (*loc, key), (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            yield from _places(value_node, (*loc, key))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _places(item, (*loc, index))


def _problem(error: yaml.MarkedYAMLError) -> str:
    """Return the parser's message without the words that it quotes from values: they may be (part of) a secret."""
    problem = error.problem or error.context or "it cannot be read"
    for said, sentence in _QUOTING.items():
        if problem.startswith(said):
            return sentence
    return problem


def _not_text(octets: bytes, error: UnicodeDecodeError, path: Path) -> DocumentError:
    before = octets[: error.start]
    line, column = before.count(b"\n") + 1, len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
    return DocumentError(
        f"not a text file in UTF-8: the octet 0x{octets[error.start]:02X} is not valid here; save it as UTF-8",
        where=Where.of(path, line, column),
    )


def _not_allowed(text: str, error: yaml.reader.ReaderError, path: Path) -> DocumentError:
    before = text[: error.position]
    where = Where.of(path, before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
    return DocumentError(f"not YAML: the character U+{ord(text[error.position]):04X} is not allowed here", where=where)


def read_text(path: Path) -> str:
    """Return the text of a file (or pipe), read once.

    Raises:
        DocumentError: it cannot be read, is not UTF-8 or too long, or its path is not UTF-8.
    """
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise DocumentError("the file's path is not UTF-8; rename it", where=Where.of(path)) from None
    try:
        with path.open("rb") as stream:
            octets = stream.read(OCTETS_MAX + 1)
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror}", where=Where.of(path)) from error
    if len(octets) > OCTETS_MAX:
        raise _too_long(path)
    try:
        return octets.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise _not_text(octets, error, path) from None


def _too_long(path: Path) -> DocumentError:
    return DocumentError(f"the file is too long: at most {OCTETS_MAX // 1024} KiB", where=Where.of(path, 1))


class _Limits:
    """Counts a file's values, with aliases followed, from the parser's events alone, before anything is built."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0
        self._open: list[tuple[str | None, int]] = []
        """The collections that are not ended yet: their anchors, and the count before them."""
        self._sizes: dict[str, int] = {}
        """By anchor, how many values it stands for."""

    def take(self, event: yaml.Event) -> None:
        """Count one event. Raises DocumentError beyond a limit."""
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in self._open):
                raise self._refused(event, f"'*{event.anchor}' stands for a value that holds it: it would never end")
            self._add(event, self._sizes.get(event.anchor or "", 1))
        elif isinstance(event, yaml.ScalarEvent):
            if len(event.value) > LENGTH_MAX:
                raise self._refused(event, f"a value of {len(event.value)} characters; at most {LENGTH_MAX}")
            self._add(event, 1)
            if event.anchor is not None:
                self._sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open.append((event.anchor, self._count))
            if len(self._open) > DEPTH_MAX:
                raise self._refused(event, _TOO_DEEP)
            self._add(event, 1)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self._open.pop()
            if anchor is not None:
                self._sizes[anchor] = self._count - before

    def _add(self, event: yaml.Event, size: int) -> None:
        self._count += size
        if self._count > VALUES_MAX:
            raise self._refused(event, f"too many keys and values (aliases counted each time): at most {VALUES_MAX}")

    def _refused(self, event: yaml.Event, problem: str) -> DocumentError:
        mark = event.start_mark
        where = Where.of(self._path, mark.line + 1, mark.column + 1) if mark else Where.of(self._path)
        return DocumentError(problem, where=where)


_EVENTS = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser, ten times as fast, where PyYAML was built with it. Its messages are not shown."""


def _check_limits(path: Path, text: str) -> None:
    """Raise DocumentError when a file is beyond the limits. What is not YAML is left to the parser's own messages."""
    if len(text) > OCTETS_MAX:
        raise _too_long(path)
    limits = _Limits(path)
    with contextlib.suppress(yaml.YAMLError, RecursionError):
        for event in yaml.parse(text, Loader=_EVENTS):
            limits.take(event)


def load(path: Path, text: str | None = None, *, quotes_names: bool = True) -> Document:
    """Read a YAML file (or `text`, shown as coming from `path`).

    `quotes_names`: whether an error may quote a field's name; not where a secret may have been typed in its place.

    Raises:
        DocumentError: the file cannot be read, is not UTF-8, is not YAML, is empty, repeats a key, or is beyond a limit
            (OCTETS_MAX, VALUES_MAX, DEPTH_MAX, LENGTH_MAX).
    """
    if text is None:
        text = read_text(path)
    _check_limits(path, text)
    found = _read_quickly(text) or _read_slowly(path, text, quotes_names=quotes_names)
    if found is None:
        raise DocumentError("the file is empty", where=Where.of(path, 1))
    node, data = found
    document = Document(path, data, text)
    for is_key, loc, place in _places(node):
        (document.key_places if is_key else document.places)[loc] = place
    return document


def _read_slowly(path: Path, text: str, *, quotes_names: bool) -> tuple[yaml.Node, Any] | None:
    """Return a text's node and data, None where it is empty. Raises DocumentError for what is wrong, with its place."""
    loader = None
    try:
        loader = _PositionLoader(text)
        loader.quotes_names = quotes_names
        try:
            node = loader.get_single_node()
            return None if node is None else (node, loader.construct_document(node))
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Where.of(path, mark.line + 1, mark.column + 1) if mark else Where.of(path)
        raise DocumentError(f"not YAML: {_problem(error)}", where=where) from None
    except yaml.reader.ReaderError as error:
        raise _not_allowed(text, error, path) from None
    except RecursionError:
        raise DocumentError("not YAML: it is nested too deeply", where=Where.of(path, 1)) from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError):
        # As in `construct_object`, for what PyYAML meets outside of it, such as an escape beyond the last character.
        where = Where.of(path, loader.line + 1, loader.column + 1) if loader else Where.of(path, 1)
        raise DocumentError("not YAML: a value, its tag or an escape in it is not valid", where=where) from None


def read(document: Document, model: type[Model], *, root: Loc = ()) -> Model:
    """Check the data (or the part of it at `root`) against a pydantic model.

    Raises:
        DocumentError: for the first thing that is wrong; it names the line, the column, the field and what is allowed.
            Values are never quoted from fields that may hold a secret (those that a model types as its own class).
    """
    # Imported here because the import takes longer than reading most files, and not every caller has a model.
    from pydantic import ValidationError  # noqa: PLC0415

    data = document.data
    for step in root:
        data = data[step]
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = _told(error.errors(include_url=False, include_input=False))
        loc = (*root, *(part for part in first["loc"] if not str(part).startswith(_VALIDATOR)))
        raise DocumentError(
            _sentence(first["type"], first["msg"], loc, model),
            where=_where(document, loc, first["type"]),
            remedy=_meant(first, error, loc, model),
        ) from None


def _meant(told: ErrorDetails, error: ValidationError, loc: Loc, model: type[BaseModel]) -> str | None:
    """Return which field or word may be meant. The message does not repeat what was typed: it may be a secret."""
    if told["type"] == "extra_forbidden":
        return did_you_mean(str(loc[-1]), _allowed(model, loc))
    if told["type"] not in ("literal_error", "enum"):
        return None
    words = _QUOTED.findall(str(told.get("ctx", {}).get("expected", "")))
    same = (one for one in error.errors(include_url=False) if (one["type"], one["loc"]) == (told["type"], told["loc"]))
    typed = next(same)["input"]
    return did_you_mean(typed, words) if isinstance(typed, str) else None


def _told(errors: Sequence[ErrorDetails]) -> ErrorDetails:
    """Return the error to report: the first one, or the unknown field where it is a mistyped name of a missing one."""
    first = errors[0]
    if first["type"] == "missing":
        for other in errors:
            beside = other["type"] == "extra_forbidden" and other["loc"][:-1] == first["loc"][:-1]
            if beside and nearest(str(other["loc"][-1]), [str(first["loc"][-1])]):
                return other
    return first


_QUOTED = re.compile(r"'([^']+)'")
"""The words that a literal or an enum allows, as pydantic lists them."""
_VALIDATOR = "function-"
"""How pydantic begins the name of a validator in the place of an error in a union (`function-after[…]`)."""


def _where(document: Document, loc: Loc, kind: str) -> Where:
    return document.where_key(loc) if kind == "extra_forbidden" else document.where(loc)


def _sentence(kind: str, message: str, loc: Loc, model: type[BaseModel]) -> str:
    name = ".".join(str(part) for part in loc) or "the file"
    if kind == "extra_forbidden":
        allowed = ", ".join(_allowed(model, loc))
        return f"unknown field '{loc[-1]}'" + (f"; allowed here: {allowed}" if allowed else "")
    if kind == "missing":
        return f"'{name}' is missing"
    message = message.removeprefix("Value error, ")
    return f"'{name}': {message[:1].lower()}{message[1:]}"


def _allowed(model: type[BaseModel], loc: Loc) -> list[str]:
    """Return the field names allowed beside the unknown one, where they can be told from the model."""
    current: type[BaseModel] | None = model
    free = False  # whether the next part is a name that the person chose: of a router, not of a field
    for part in loc[:-1]:
        if isinstance(part, int) or current is None or free:
            free = False
            continue
        info = next((one for name, one in current.model_fields.items() if str(part) in (name, one.alias)), None)
        current = next((found for found in _models_in(info.annotation) if found), None) if info else None
        free = info is not None and get_origin(info.annotation) is dict
    return sorted(info.alias or name for name, info in current.model_fields.items()) if current else []


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    from pydantic import BaseModel  # noqa: PLC0415 -- see `read`

    for mark in getattr(annotation, "__metadata__", ()):
        if (form := getattr(mark, "written_form", None)) is not None:
            yield form()  # written in another form than the class that it becomes
            return
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)
