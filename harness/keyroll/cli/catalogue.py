"""The catalogue of scenarios as Markdown: what `keyroll list --markdown` prints; docs/scenarios.md is its output."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from keyroll.errors import printable
from keyroll.markdown_table import table
from keyroll.scenario.file.read import Case, read_cases
from keyroll.scenario.file.scenario import Mutation

_HEAD = """# The scenarios

This page lists the scenario files by folder. `keyroll list --markdown` makes it from the files.
[scenario-file.md](scenario-file.md) describes what a file can contain, and [field-bugs.md](field-bugs.md) how a bug
report becomes a file. Every file names the source of its expectation. What is not known about Junos is listed in
[assumptions.md](assumptions.md), and files that depend on such an assumption name it.

Play a file with `sudo .venv/bin/keyroll run FILE`, one of its cases with `--variant`, one of its mutations with
`--mutate`. The last column has the ways in which a file is broken on purpose, and the checks that must then turn
red (`wire@4`: the check `wire` of step 4). `make test` leaves out what is *slow*; `make soak` plays it."""
_README = "README.md"


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One scenario file: its path, and the cases that it makes (at least one)."""

    path: Path
    cases: tuple[Case, ...]


def read_entries(files: Iterable[Path]) -> tuple[ListedFile, ...]:
    """Read scenario files. Raises DocumentError or ScenarioError for the first mistake."""
    return tuple(ListedFile(path, read_cases(path)) for path in files)


def markdown(entries: Sequence[ListedFile], *, beside: Path) -> str:
    """Return the catalogue; links are relative to the folder `beside`.

    A folder's own README.md, where there is one, gives the sentences below its heading.
    """
    folders: dict[Path, list[ListedFile]] = {}
    for entry in entries:
        folders.setdefault(entry.path.parent, []).append(entry)
    count = sum(len(entry.cases) for entry in entries)
    parts = [_HEAD, f"{len(entries)} files, {count} cases."]
    for folder, some in folders.items():
        parts.append(f"## {folder.name.capitalize()}")
        if (folder / _README).is_file():
            parts.append((folder / _README).read_text(encoding="utf-8").strip())
        rows = [_row(entry, beside) for entry in sorted(some, key=lambda one: one.path.name)]
        parts.append("\n".join(table(("scenario", "cases", "source", "broken by"), rows)))
    return printable("\n\n".join(parts)) + "\n"


def _row(entry: ListedFile, beside: Path) -> tuple[str, ...]:
    scenario = entry.cases[0].scenario
    link = Path(os.path.relpath(entry.path, beside)).as_posix()
    marks = "".join(f" *{mark}*" for mark in scenario.marks)
    variants = _variants(entry.cases)
    cells = [
        f"[{scenario.id}]({link}){marks}<br>{scenario.title}",
        variants,
        scenario.source or "-",
        _mutations(scenario.mutations),
    ]
    return tuple(cell.replace("|", "\\|") for cell in cells)


_NAMED = 4
"""Up to this many cases are listed by name; of more, only the number is given."""


def _variants(cases: Sequence[Case]) -> str:
    slow = cases[0].scenario.slow_cases
    if len(cases) > _NAMED:
        return f"{len(cases)}, {len(slow)} of them *slow*" if slow else str(len(cases))
    return ", ".join(f"{case.variant} *slow*" if case.variant in slow else case.variant or "1" for case in cases)


def _mutations(mutations: Mapping[str, Mutation]) -> str:
    words = [f"{name} ({', '.join(mutation.turns_red)})" for name, mutation in mutations.items()]
    return "; ".join(words) or "-"
