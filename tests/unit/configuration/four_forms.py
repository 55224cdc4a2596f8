"""A model of a configuration, and functions that write it in four forms: curly, set lines, XML, JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

SECRET = "kettleDrum77"
SECRETS = (SECRET, "brassHorn42", "$9$.PT3REyv87CtMX-waJz36", "interop")


@dataclass(frozen=True)
class Statement:
    """One statement: its word, its name if it has one, and a value, a list of values, or the statements below it."""

    word: str
    name: str | None = None
    value: str | None = None
    values: tuple[str, ...] = ()
    below: tuple[Statement, ...] | None = None
    inactive: bool = False

    @property
    def hidden(self) -> bool:
        """Whether the CLI leaves out the word; XML and JSON have it."""
        return self.word in {"interface", "instance"} and self.name is not None


def level(word: str, *below: Statement, name: str | None = None, inactive: bool = False) -> Statement:
    return Statement(word, name=name, below=below, inactive=inactive)


def leaf(word: str, value: str, *, inactive: bool = False) -> Statement:
    return Statement(word, value=value, inactive=inactive)


def quoted(word: str) -> str:
    return f'"{word}"' if re.search(r'[\s{};\[\]"#]|^$', word) else word


def head(one: Statement) -> str:
    return " ".join(quoted(word) for word in (None if one.hidden else one.word, one.name) if word is not None)


def curly(statements: tuple[Statement, ...], indent: str = "") -> Iterator[str]:
    for one in statements:
        mark = "inactive: " if one.inactive else ""
        if one.below:
            yield f"{indent}{mark}{head(one)} {{"
            yield from curly(one.below, indent + "    ")
            yield indent + "}"
        elif len(one.values) > 1:
            yield f"{indent}{mark}{head(one)} [ {' '.join(map(quoted, one.values))} ];"
        else:
            value = one.value if one.value is not None else (one.values[0] if one.values else None)
            yield f"{indent}{mark}{head(one)}{'' if value is None else ' ' + quoted(value)};"


def set_lines(statements: tuple[Statement, ...], path: str = "") -> Iterator[str]:
    for one in statements:
        here = f"{path}{head(one)}"
        if one.below:
            yield from set_lines(one.below, here + " ")
        elif one.values:
            yield from (f"set {here} {quoted(value)}" for value in one.values)
        else:
            yield f"set {here}{'' if one.value is None else ' ' + quoted(one.value)}"
        if one.inactive:
            yield f"deactivate {here}"


def xml(statements: tuple[Statement, ...], indent: str = "  ") -> Iterator[str]:
    for one in statements:
        mark = ' inactive="inactive"' if one.inactive else ""
        if one.below is not None:
            yield f"{indent}<{one.word}{mark}>"
            if one.name is not None:
                yield f"{indent}  <name>{escape(one.name)}</name>"
            yield from xml(one.below, indent + "  ")
            yield f"{indent}</{one.word}>"
        elif one.word == "autonomous-system":
            yield f"{indent}<{one.word}><as-number>{one.value}</as-number></{one.word}>"
        else:
            for value in one.values or (one.value,):
                text = f"<{one.word}{mark}/>" if value is None else f"<{one.word}{mark}>{escape(value)}</{one.word}>"
                yield indent + text


def as_json(statements: tuple[Statement, ...]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for one in statements:
        mark = {"inactive": True}
        if one.below is not None:
            inside = as_json(one.below)
            if one.inactive:
                inside["@"] = mark
            if one.name is None:
                made[one.word] = inside
            else:
                made.setdefault(one.word, []).append({"name": one.name, **inside})
        elif one.word == "autonomous-system":
            made[one.word] = {"as-number": one.value}
        else:
            made[one.word] = list(one.values) if one.values else ([None] if one.value is None else one.value)
            if one.inactive:
                made["@" + one.word] = [mark] * len(one.values) if one.values else mark
    return made


def forms(statements: tuple[Statement, ...]) -> dict[str, str]:
    return {
        "curly": "\n".join(curly(statements)),
        "set": "\n".join(set_lines(statements)),
        "xml": "<configuration>\n" + "\n".join(xml(statements)) + "\n</configuration>",
        "json": json.dumps({"configuration": as_json(statements)}, indent=1),
    }
