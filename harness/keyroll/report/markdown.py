"""A run as Markdown, for a ticket or a pull request. Everything from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterator

from keyroll.markdown_table import row, table
from keyroll.report.run import RunRecord
from keyroll.report.text import escaped


def run_markdown(record: RunRecord) -> str:
    """Return the verdict, the red checks with what was expected and observed, and how to run it again."""
    return "\n".join(_lines(record)) + "\n"


def _lines(record: RunRecord) -> Iterator[str]:
    yield f"## {escaped(record.headline)}"
    yield ""
    if record.title:
        yield escaped(record.title)
        yield ""
    if record.reason:
        yield f"**{escaped(record.reason)}**"
        yield ""
    if record.red:
        yield from table(("check", "router", "expected", "observed", "when"), ())
        for check in record.red:
            when = f"{check.after:.2f} s after {check.event}" if check.event else ""
            cells = (check.name, check.router or "", check.expected, check.observed, when)
            yield row(map(escaped, cells))
        yield ""
    yield f"- evidence: {escaped(record.folder)}"
    yield f"- seed {escaped(record.seed)}, t0 {escaped(record.t0)}, keyroll {escaped(record.version)}"
    yield f"- again: {escaped(record.again)}"
