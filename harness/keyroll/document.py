"""YAML files that people write, read strictly: every mistake is named by file, line, column and field.

PyYAML gives the positions, pydantic the checking; this module joins the two. It knows no format of its own: rooms
bring their pydantic models.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from keyroll.errors import InputError, Where

if TYPE_CHECKING:
    from pydantic import BaseModel

Model = TypeVar("Model", bound="BaseModel")
Loc = tuple[str | int, ...]


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
    """The safe loader, refusing keys that stand twice (YAML forbids them; PyYAML lets the last one win)."""

    quotes_names = True


_QUOTING = {
    "found undefined alias": "'*' stands for an alias, and nothing has this name; put what begins with '*' in quotes",
    "second occurrence": "'&' stands for an anchor, and this one stands twice; put what begins with '&' in quotes",
    "could not determine a constructor for the tag": "'!' stands for a tag; put what begins with '!' in quotes",
    "found undefined tag handle": "'!' stands for a tag; put what begins with '!' in quotes",
}
"""How the parser's messages begin that quote a value, and what is said instead."""


def _construct_mapping(loader: _PositionLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    loader.flatten_mapping(node)
    mapping: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a plain word", key_node.start_mark)
        if key in mapping:
            name = f"'{key}'" if loader.quotes_names else "this name"
            raise yaml.constructor.ConstructorError(None, None, f"{name} stands twice", key_node.start_mark)
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


_PositionLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


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
    """Return what the parser found, but for words that it quotes out of values: they may be (part of) a secret."""
    problem = error.problem or error.context or "it cannot be read"
    for said, sentence in _QUOTING.items():
        if problem.startswith(said):
            return sentence
    return problem


def _odd_character(error: yaml.reader.ReaderError) -> str:
    return (
        f"character {error.position + 1} of the file is U+{ord(str(error.character)[:1] or chr(0)):04X}, a special one"
    )


def load(path: Path, text: str | None = None, *, quotes_names: bool = True) -> Document:
    """Read a YAML file (or `text`, shown as coming from `path`).

    `quotes_names`: whether an error may quote a field's name; not where a secret may have been typed in its place.

    Raises:
        DocumentError: the file cannot be read, is not UTF-8, is not YAML, is empty, or repeats a key.
    """
    if text is None:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise DocumentError("this is not a text file in UTF-8", where=Where.of(path)) from error
        except OSError as error:
            raise DocumentError(f"cannot be read: {error.strerror}", where=Where.of(path)) from error
    try:
        loader = _PositionLoader(text)
        loader.quotes_names = quotes_names
        try:
            node = loader.get_single_node()
            data = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Where.of(path, mark.line + 1, mark.column + 1) if mark else Where.of(path)
        raise DocumentError(f"not YAML: {_problem(error)}", where=where) from None
    except yaml.reader.ReaderError as error:
        raise DocumentError(f"not YAML: {_odd_character(error)}", where=Where.of(path)) from None
    except RecursionError:
        raise DocumentError("not YAML: it is nested too deeply", where=Where.of(path)) from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError):
        # What PyYAML's constructors end with where a value is not what it looks like, or what its tag says. Its words
        # are not shown: they may quote the value, which may be a secret.
        raise DocumentError(
            "not YAML: a value looks like a number or a date and is none; put it in quotes", where=Where.of(path)
        ) from None
    if node is None:
        raise DocumentError("the file is empty", where=Where.of(path))
    document = Document(path, data)
    for is_key, loc, place in _places(node):
        (document.key_places if is_key else document.places)[loc] = place
    return document


def read(document: Document, model: type[Model], *, root: Loc = ()) -> Model:
    """Check the data (or the part of it at `root`) against a pydantic model.

    Raises:
        DocumentError: for the first thing that is wrong; it names the line, the column, the field and what is allowed.
            Values are never quoted from fields that may hold a secret (those that a model types as its own class).
    """
    # Its import takes longer than reading most files: only who has a model pays for it.
    from pydantic import ValidationError  # noqa: PLC0415

    data = document.data
    for step in root:
        data = data[step]
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        loc = (*root, *(part for part in first["loc"]))
        raise DocumentError(
            _sentence(first["type"], first["msg"], loc, model), where=_where(document, loc, first["type"])
        ) from None


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
    for part in loc[:-1]:
        if isinstance(part, int) or current is None:
            continue
        info = current.model_fields.get(str(part))
        current = next((found for found in _models_in(info.annotation) if found), None) if info else None
    return sorted(info.alias or name for name, info in current.model_fields.items()) if current else []


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    from pydantic import BaseModel  # noqa: PLC0415 -- see `read`

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)
