"""Tables in Markdown, for a ticket, a pull request or a page: what several rooms write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from keyroll.errors import printable


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table. The cells are Markdown: text from outside is escaped by the caller (`literal`)."""
    yield row(columns)
    yield "|" + "---|" * len(columns)
    yield from map(row, rows)


def row(cells: Iterable[str]) -> str:
    """Return one line of a table."""
    return f"| {' | '.join(cells)} |"


def literal(text: str) -> str:
    """Return text from outside as a cell shows it word for word; a ticket renders HTML within Markdown."""
    return printable(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
