"""docs/emulated.md, made from the statements: what is emulated, what is kept without effect, what a commit refuses.

`python -m keyroll.emulator.junos.configuration.emulated` prints it; `make docs` writes it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from keyroll.emulator.contract.errors import NOT_EMULATED
from keyroll.emulator.junos.configuration.paths import GROUPS
from keyroll.emulator.junos.configuration.schema import Effect, Kind, Statement
from keyroll.emulator.junos.configuration.statements import ROOT

_INHERITING = ("apply-groups", "apply-groups-except", "apply-flags", "apply-macro")
"""Taken in every body, and said once."""
_HEAD = f"""\
# What emulated routers do of a configuration

`make docs` writes this page from the statements that the emulated router knows. There are three answers to a statement:

- **Emulated**: the router acts on it.
- **Kept**: known to Junos, kept and shown again, without effect. Each load says so in one warning.
- **Unknown**: Junos' own error, with the place.

A few statements are **refused**: they are taken and shown, and a commit in which they are active is refused, because
they would change what a session does. Every such message, and every other refusal of something that a real router
takes, begins with `{NOT_EMULATED.strip()}`. A scenario that meets one ends as unfit (exit code 2), never red.

`apply-groups` and `apply-groups-except` are emulated in every body, wildcards included; `apply-flags` and `apply-macro`
are kept. `show configuration | display inheritance` shows what groups bring. Interfaces of every kind and unit are
taken; those that the router does not have are without effect.

Commands: `?` offers what works. A command that Junos has and the emulated router has not (`show chassis hardware`,
`wildcard delete`, `| save`) is refused as `error: {NOT_EMULATED}'show chassis' (a real router has this command)`; a
word that Junos does not have either is answered as Junos answers a mistake.
"""


def page() -> str:
    """Return the page."""
    lines = [_HEAD, "## Emulated", "", "| statement | what follows it |", "|---|---|"]
    lines += [f"| `{words}` | {', '.join(f'`{name}`' for name in names)} |" for words, names in _emulated(ROOT, ())]
    lines += ["", "## Refused at commit", "", "| statement | why |", "|---|---|"]
    lines += [f"| `{words}` | {one.note} |" for words, one in _with(ROOT, (), Effect.REFUSED)]
    lines += ["", "## Kept whole, as text", "", "| hierarchy | what is lost |", "|---|---|"]
    kept = list(_with(ROOT, (), Effect.KEPT))
    lines += [f"| `{words}` | {one.note} |" for words, one in kept if one.hierarchy]
    lines += [
        "",
        "## Kept inside hierarchies that are emulated",
        "",
        "| in | statements | what is lost |",
        "|---|---|---|",
    ]
    rows: dict[tuple[str, str], list[str]] = {}
    for words, one in kept:
        if not one.hierarchy:
            place, _, name = words.rpartition(" ")
            rows.setdefault((place, one.note or "nothing that a session depends on"), []).append(name)
    lines += [
        f"| `{place}` | {', '.join(f'`{name}`' for name in names)} | {lost} |" for (place, lost), names in rows.items()
    ]
    return "\n".join(line.replace("| `` |", "| (top) |") for line in lines) + "\n"


def _children(statement: Statement) -> list[Statement]:
    return [child for child in statement.children if child.name not in (*_INHERITING, GROUPS)]


def _words(statement: Statement, words: tuple[str, ...]) -> tuple[str, ...]:
    key = ("*",) if statement.kind is Kind.ENTRY else ()
    return (*words, *([statement.name] if statement.name else []), *key)


def _emulated(statement: Statement, words: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """Yield each body that is emulated, with the names of what in it is."""
    live = [child for child in _children(statement) if child.effect is Effect.LIVE]
    names = [
        " ".join(_words(child, ())) for child in live if not any(one.effect is Effect.LIVE for one in child.children)
    ]
    names = [name for name in names if name]
    if names:
        yield " ".join(words), names
    for child in live:
        yield from _emulated(child, _words(child, words))


def _with(statement: Statement, words: tuple[str, ...], effect: Effect) -> Iterator[tuple[str, Statement]]:
    """Yield the topmost statements of that effect, with their path."""
    for child in _children(statement):
        place = _words(child, words)
        if child.effect is effect:
            yield " ".join(place), child
        elif child.effect is Effect.LIVE:
            yield from _with(child, place, effect)


if __name__ == "__main__":
    sys.stdout.write(page())
