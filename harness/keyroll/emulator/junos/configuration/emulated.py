"""Generates docs/emulated.md: which statements are emulated, kept without effect, or refused at commit.

`python -m keyroll.emulator.junos.configuration.emulated` prints the page; `make docs` writes it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

from keyroll.emulator.contract.errors import NOT_EMULATED
from keyroll.emulator.junos.configuration.paths import GROUPS
from keyroll.emulator.junos.configuration.schema import Effect, Kind, Statement
from keyroll.emulator.junos.configuration.statements import ROOT
from keyroll.markdown_table import table

_INHERITING = ("apply-groups", "apply-groups-except", "apply-flags", "apply-macro")
"""Statements that every body accepts; the head of the page describes them once."""
_HEAD = f"""\
# How emulated routers treat a configuration

`make docs` writes this page from the emulated router's statement tables. A statement is treated in one of three ways:

- **Emulated**: the router acts on it.
- **Kept**: a valid Junos statement that is kept and shown, without effect. Each load lists these in one warning.
- **Unknown**: refused with Junos' own error message, which gives the position.

A few statements are **refused**: they are accepted and shown, but a commit in which they are active fails, because
they would change how a session behaves. Every such message, and every other refusal of something that a real router
accepts, begins with `{NOT_EMULATED.strip()}`. A scenario that meets one ends as unfit (exit code 2), never as failed.

`apply-groups` and `apply-groups-except` are emulated in every body, wildcards included; `apply-flags` and `apply-macro`
are kept. `show configuration | display inheritance` shows inherited statements. Interfaces of every kind and unit are
accepted; those that the router does not have are without effect.

Commands: `?` lists the commands that work. A command that Junos has and the emulated router lacks (`show chassis
hardware`, `wildcard delete`, `| save`) is refused as
`error: {NOT_EMULATED}'show chassis' (a real router has this command)`; a word that Junos does not have either gets
Junos' own error message.
"""


def page() -> str:
    """Return the page as Markdown, with a final newline."""
    kept = list(_with_effect(ROOT, (), Effect.KEPT))
    inside: dict[tuple[str, str], list[str]] = {}
    for words, one in kept:
        if not one.hierarchy:
            place, _, name = words.rpartition(" ")
            inside.setdefault((place, one.note or "nothing that a session depends on"), []).append(name)
    refused = _with_effect(ROOT, (), Effect.REFUSED)
    sections = (
        _section(
            "Emulated",
            ("statement", "what follows it"),
            ((_code(words), _codes(names)) for words, names in _emulated(ROOT, ())),
        ),
        _section("Refused at commit", ("statement", "why"), ((_code(words), one.note) for words, one in refused)),
        _section(
            "Kept whole, as text",
            ("hierarchy", "what is lost"),
            ((_code(words), one.note) for words, one in kept if one.hierarchy),
        ),
        _section(
            "Kept inside hierarchies that are emulated",
            ("in", "statements", "what is lost"),
            ((_code(place), _codes(names), lost) for (place, lost), names in inside.items()),
        ),
    )
    return "\n".join((_HEAD, "\n\n".join(sections))) + "\n"


def _section(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join((f"## {title}", "", *table(columns, rows)))


def _code(words: str) -> str:
    return f"`{words}`" if words else "(top)"


def _codes(names: Iterable[str]) -> str:
    return ", ".join(map(_code, names))


def _children(statement: Statement) -> list[Statement]:
    return [child for child in statement.children if child.name not in (*_INHERITING, GROUPS)]


def _words(statement: Statement, words: tuple[str, ...]) -> tuple[str, ...]:
    key = ("*",) if statement.kind is Kind.ENTRY else ()
    return (*words, *([statement.name] if statement.name else []), *key)


def _emulated(statement: Statement, words: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """Yield the words of each emulated body, with the names of the emulated statements in it that have no body."""
    emulated = [child for child in _children(statement) if child.effect is Effect.EMULATED]
    names = [
        " ".join(_words(child, ()))
        for child in emulated
        if not any(one.effect is Effect.EMULATED for one in child.children)
    ]
    names = [name for name in names if name]
    if names:
        yield " ".join(words), names
    for child in emulated:
        yield from _emulated(child, _words(child, words))


def _with_effect(statement: Statement, words: tuple[str, ...], effect: Effect) -> Iterator[tuple[str, Statement]]:
    """Yield the topmost statements that have this effect, each with its path in words."""
    for child in _children(statement):
        place = _words(child, words)
        if child.effect is effect:
            yield " ".join(place), child
        elif child.effect is Effect.EMULATED:
            yield from _with_effect(child, place, effect)


if __name__ == "__main__":
    sys.stdout.write(page())
