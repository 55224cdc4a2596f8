"""The commands after a `|`: filters of lines, and other forms of a configuration. Terms as data, as in `grammar`."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from keyroll.emulator.junos.commit.datastore import LARGE, in_thread_if_large
from keyroll.emulator.junos.configuration.compare import differences
from keyroll.emulator.junos.configuration.faults import JunosFault
from keyroll.emulator.junos.configuration.inherit import inherited_from
from keyroll.emulator.junos.configuration.render import curly, set_lines
from keyroll.emulator.junos.configuration.tree import Node, Path, narrowed
from keyroll.emulator.junos.configuration.values import Integer, Text
from keyroll.emulator.junos.shell import not_emulated
from keyroll.emulator.junos.shell.grammar import Match, Term
from keyroll.emulator.junos.shell.output import ConfigView, Output
from keyroll.emulator.junos.shell.session import Session

PATTERN_LIMIT = 256
"""Maximum length of a regular expression in characters: longer ones may take minutes to compile."""


def _pattern(match: Match) -> re.Pattern[str]:
    text = match.args["pattern"]
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error:
        raise JunosFault(f"invalid regular expression: {text}") from None


async def _match(session: Session, match: Match) -> Output:
    wanted = _pattern(match)
    return await _kept(session, lambda line: wanted.search(line) is not None)


async def _except(session: Session, match: Match) -> Output:
    refused = _pattern(match)
    return await _kept(session, lambda line: refused.search(line) is None)


async def _kept(session: Session, keep: Callable[[str], bool]) -> Output:
    """Return the lines to keep; many lines are filtered in a thread, so that the event loop is not blocked."""
    lines = session.piped.lines

    def kept() -> list[str]:
        return [line for line in lines if keep(line)]

    return _filtered(session, kept() if len(lines) <= LARGE else await asyncio.to_thread(kept))


async def _find(session: Session, match: Match) -> Output:
    wanted = _pattern(match)
    lines = list(session.piped.lines)
    start = next((number for number, line in enumerate(lines) if wanted.search(line)), None)
    if start is None:
        return _filtered(session, ["", "Pattern not found"])
    return _filtered(session, lines[start:])


async def _count(session: Session, match: Match) -> Output:
    del match
    return _filtered(session, [f"Count: {len(session.piped.lines)} lines"])


async def _last(session: Session, match: Match) -> Output:
    count = int(match.args.get("lines", session.screen_length or LAST_DEFAULT))
    return _filtered(session, list(session.piped.lines)[-count:])


LAST_DEFAULT = 10
"""Lines of `| last` without a number (assumption J50)."""


async def _no_more(session: Session, match: Match) -> Output:
    del match
    return replace(session.piped, paged=False)


async def _trim(session: Session, match: Match) -> Output:
    columns = int(match.args["columns"])
    return _filtered(session, [line[columns:] for line in session.piped.lines])


async def _display_set(session: Session, match: Match) -> Output:
    view = session.piped.config
    if view is None:
        raise JunosFault("'display set' is for configurations")
    base = () if match.words[-1] == "set" else view.base
    lines = await _without_blocking(session, view, lambda: set_lines(*narrowed(view.root, view.base)))
    if base:
        skipped = sum(len(step.words) for step in base)
        lines = [_relative(line, skipped) for line in lines]
    return Output(lines, paged=session.piped.paged)


async def _display_inheritance(session: Session, match: Match) -> Output:
    """`| display inheritance`: shows the inherited statements, each below a comment with the name of its group."""
    view = session.piped.config
    if view is None:
        raise JunosFault("'display inheritance' is for configurations")
    silent = "no-comments" in match.words
    lines = await _without_blocking(session, view, lambda: _inherited(view, silent=silent))
    return Output(lines, paged=session.piped.paged)


def _inherited(view: ConfigView, *, silent: bool) -> list[str]:
    """Return the lines of a configuration with its groups inherited and, unless `silent`, named as comments."""
    whole, origin = inherited_from(view.root)
    tree, place = narrowed(whole, view.base)
    node = tree.at(place)
    if node is None:
        return []

    def comments(child: Node) -> list[str]:
        group = origin.get(id(child))
        if group is None or silent:
            return []
        return ["", f"'{child.key or child.statement.name}' was inherited from group '{group}'", ""]

    return curly(node, comments=comments)


async def _without_blocking(session: Session, view: ConfigView, work: Callable[[], list[str]]) -> list[str]:
    """Run `work` over a configuration without blocking the event loop; a candidate is held for reading meanwhile."""
    async with session.store.tree_lock.reading() if view.root is session.store.candidate else contextlib.nullcontext():
        return await in_thread_if_large(view.root, work)


def _relative(line: str, skipped: int) -> str:
    """Return a `set` or `deactivate` line without the first `skipped` words of its path."""
    verb, *words = line.split(" ")
    return " ".join([verb, *words[skipped:]])


async def _compare(session: Session, match: Match) -> Output:
    view = session.piped.config
    if view is None:
        raise JunosFault("'compare' is for configurations")
    before = session.router.store.committed(int(match.args.get("number", 0))).tree
    lines = await _without_blocking(session, view, lambda: _changes(before, view.root, view.base))
    return Output(lines, paged=session.piped.paged)


def _changes(before: Node, after: Node, place: Path) -> list[str]:
    """Return the lines of `compare` between two configurations, limited to the part at `place`."""
    other, _ = narrowed(before, place)
    root, base = narrowed(after, place)
    old, new = other.at(base), root.at(base)
    return differences(other, root) if old is None or new is None else differences(old, new, base)


def _filtered(session: Session, lines: Sequence[str]) -> Output:
    return Output(lines, paged=session.piped.paged)


RESHAPING = frozenset({"compare", "display"})
"""The pipes that take a configuration itself instead of its lines."""
_PATTERN = Text(1, PATTERN_LIMIT)

PIPES = not_emulated.with_absent(
    (
        Term(
            "compare",
            "Compare configuration changes with prior version",
            (
                Term(
                    "rollback",
                    "Rollback configuration",
                    (Term("number", "Rollback number", (), _compare, Integer(0, 49)),),
                ),
            ),
            _compare,
        ),
        Term("count", "Count occurrences", run=_count),
        Term(
            "display",
            "Show additional kinds of information",
            (
                Term(
                    "inheritance",
                    "Show inherited configuration data and source group",
                    (
                        Term(
                            "no-comments", "Display inherited configuration without comments", run=_display_inheritance
                        ),
                    ),
                    _display_inheritance,
                ),
                Term(
                    "set",
                    "Show 'set' commands that create configuration",
                    (Term("relative", "Show 'set' commands relative to the current edit path", run=_display_set),),
                    _display_set,
                ),
            ),
        ),
        Term(
            "except",
            "Show only text that does not match a pattern",
            (Term("pattern", "Pattern to avoid", (), _except, _PATTERN),),
        ),
        Term(
            "find",
            "Search for first occurrence of pattern",
            (Term("pattern", "Pattern to search for", (), _find, _PATTERN),),
        ),
        Term(
            "last",
            "Display end of output only",
            (Term("lines", "Number of lines from end of output to display", (), _last, Integer(1, 100000)),),
            _last,
        ),
        Term(
            "match",
            "Show only text that matches a pattern",
            (Term("pattern", "Pattern to match against", (), _match, _PATTERN),),
        ),
        Term("no-more", "Don't paginate output", run=_no_more),
        Term(
            "trim",
            "Trim specified number of columns from start of line",
            (Term("columns", "Columns", (), _trim, Integer(0, 1000)),),
        ),
    ),
    not_emulated.PIPES,
)
