"""The content of a page of a prediction or a plan, as values: a sentence, reasons, a picture, sections with tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keyroll.markdown_table import table
from keyroll.report.chart import Timeline
from keyroll.report.text import escaped


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table. `anchor` is the number by which a mark of the picture links to it; a bad row is highlighted."""

    cells: tuple[str, ...]
    bad: bool = False
    anchor: int | None = None
    more: tuple[str, ...] = ()
    """Lines of evidence below the row."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, lines of text, and a table where there are rows."""

    title: str
    lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole page. `tone` is the verdict that colours the top; the headline says it, too."""

    headline: str
    tone: str
    title: str
    why: tuple[str, ...]
    picture: Timeline | None
    legend: tuple[str, ...]
    sections: tuple[Section, ...]
    again: str | None = None


def sheet_markdown(sheet: Sheet) -> str:
    """Return a sheet as Markdown, for a ticket. Everything from outside is escaped."""
    return "\n".join(_lines(sheet)) + "\n"


def _lines(sheet: Sheet) -> Iterator[str]:
    yield f"## {escaped(sheet.headline)}"
    yield ""
    yield escaped(sheet.title)
    yield ""
    yield from (f"**{escaped(words)}**" for words in sheet.why)
    for section in sheet.sections:
        yield ""
        yield f"### {escaped(section.title)}"
        yield ""
        yield from (f"- {escaped(line)}" for line in section.lines)
        if section.rows:
            yield ""
            rows = (tuple(map(escaped, row.cells)) for row in section.rows)
            yield from table(tuple(map(escaped, section.columns)), rows)
            yield from (f"- {escaped(line)}" for row in section.rows for line in row.more)
    if sheet.again:
        yield ""
        yield f"- again: {escaped(sheet.again)}"
