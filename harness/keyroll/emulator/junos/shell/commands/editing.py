"""The actions of configuration mode that edit the candidate, or change the edit level."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Generator, Iterator

from keyroll.emulator.junos.commit.load import LoadReport, loading_curly, loading_set
from keyroll.emulator.junos.configuration import passwords
from keyroll.emulator.junos.configuration.faults import JunosFault, PlainFault, SyntaxFault
from keyroll.emulator.junos.configuration.login_values import ENCRYPTED, PLAIN_TEXT
from keyroll.emulator.junos.configuration.paths import Purpose, parse
from keyroll.emulator.junos.configuration.tree import Path, Step, above
from keyroll.emulator.junos.shell.commands.showing import config_output
from keyroll.emulator.junos.shell.grammar import Match
from keyroll.emulator.junos.shell.output import NOTHING, Output
from keyroll.emulator.junos.shell.session import Session

EXIT_QUESTION = "Exit with uncommitted changes? [yes,no] (yes) "
DISCARD_QUESTION = "Discard uncommitted changes? [yes,no] (yes) "


async def set_(session: Session, match: Match) -> Output:
    """`set path value …`: adds statements; a secret that is typed again keeps its stored text."""
    session.store.apply_set([await _without_prompts(session, path) for path in match.paths])
    return NOTHING


async def _without_prompts(session: Session, path: Path) -> Path:
    """Return the path; for `plain-text-password`, ask for the password and return the path of its hash.

    Raises JunosFault for a weak password, or when the two typed ones differ.
    """
    if not path or path[-1].statement.name != PLAIN_TEXT:
        return path
    typed = await session.screen.ask("New password:", hidden=True)
    problem = passwords.weakness(typed or "")
    if problem is not None:
        raise JunosFault(problem)
    if typed != await session.screen.ask("Retype new password:", hidden=True):
        raise JunosFault("Passwords are not equal; aborting")
    encrypted = path[-2].statement.child(ENCRYPTED)
    assert encrypted is not None  # noqa: S101 - the schema has both in the same body
    return (*path[:-1], Step(encrypted, passwords.encrypted(typed or "")))


async def delete(session: Session, match: Match) -> Output:
    """`delete [path]`; without a path deletes everything below the edit level, after a question."""
    store = session.store
    if not match.tokens:
        answer = await session.screen.ask("Delete everything under this level? [yes,no] (no) ")
        if answer is None or answer.strip() not in ("yes", "y"):
            return NOTHING
        node = store.candidate.at(session.base)
        if node is not None:
            node.children.clear()
        return NOTHING
    found = [store.delete(path) for path in match.paths]
    if not all(found):
        raise PlainFault("warning: statement not found")
    return NOTHING


async def activate(session: Session, match: Match) -> Output:
    """`activate path`."""
    return _mark(session, match, inactive=False)


async def deactivate(session: Session, match: Match) -> Output:
    """`deactivate path`: the statement stays, is shown as inactive, and has no effect."""
    return _mark(session, match, inactive=True)


def _mark(session: Session, match: Match, *, inactive: bool) -> Output:
    if not match.tokens:
        raise PlainFault("error: a statement must follow")
    found = [session.store.mark(path, inactive=inactive) for path in match.paths]
    if not all(found):
        raise PlainFault("warning: statement not found")
    return NOTHING


async def rename(session: Session, match: Match) -> Output:
    """`rename ENTRY to NAME`: renames an entry, which keeps its position."""
    path, to = _entry_and_other(session, match, ("to",))[:2]
    if not session.store.rename(path, to):
        raise PlainFault("warning: statement not found")
    return NOTHING


async def copy(session: Session, match: Match) -> Output:
    """`copy ENTRY to NAME`: adds a copy of an entry under another name."""
    path, to = _entry_and_other(session, match, ("to",))[:2]
    if not session.store.duplicate(path, to):
        raise PlainFault("warning: statement not found")
    return NOTHING


def _entry_and_other(session: Session, match: Match, between: tuple[str, ...]) -> tuple[Path, Path, str]:
    """Return the named entry, the other entry, which is named after a word of `between`, and that word.

    Raises SyntaxFault unless they are two entries of one list.
    """
    words = list(match.tokens)
    places = [number for number, word in enumerate(words) if word.text in between and not word.quoted]
    if not places or not 0 < places[-1] < len(words) - 1:
        raise SyntaxFault("missing argument.", match.end)
    place = places[-1]
    store, context = session.store, session.router.context
    base = () if match.from_top else session.base
    (path,) = parse(store.root, base, words[:place], Purpose.NAME, context, end=words[place].column)
    (other,) = parse(store.root, path[:-1], words[place + 1 :], Purpose.NAME, context, end=match.end)
    if path[-1].statement is not other[-1].statement or path[-1].id[1] is None or path == other:
        raise SyntaxFault("syntax error.", words[place + 1].column)
    return path, other, words[place].text


async def insert(session: Session, match: Match) -> Output:
    """`insert ENTRY before|after ENTRY`: changes the order of entries, in which they are evaluated."""
    path, other, where = _entry_and_other(session, match, ("before", "after"))
    parent = session.store.candidate.at(path[:-1])
    if parent is None or not {path[-1].id, other[-1].id} <= parent.children.keys():
        raise PlainFault("warning: statement not found")
    parent.move(path[-1].id, other[-1].id, before=where == "before")
    return NOTHING


async def show(session: Session, match: Match) -> Output:
    """`show [path]`: shows the candidate."""
    async with session.store.tree_lock.reading():
        return await config_output(session, session.store.candidate, session.base, match.paths)


async def edit(session: Session, match: Match) -> Output:
    """`edit path`: changes the edit level. A missing statement is only added when something is set in it."""
    session.earlier_bases.append(session.base)
    session.base = match.paths[0]
    return NOTHING


async def up(session: Session, match: Match) -> Output:
    """`up [N]`: goes up N edit levels; a joined statement (`family`) is not a level."""
    for _ in range(int(match.args.get("levels", 1))):
        session.base = above(session.base)
    return NOTHING


async def top(session: Session, match: Match) -> Output:
    """`top`: goes to the top of the configuration."""
    del match
    session.base, session.earlier_bases = (), []
    return NOTHING


async def exit_level(session: Session, match: Match) -> Output:
    """`exit`, `quit`: returns to the former edit level; at the top, leaves configuration mode."""
    if session.base:
        session.base = session.earlier_bases.pop() if session.earlier_bases else ()
        return NOTHING
    return await exit_configuration(session, match)


async def exit_configuration(session: Session, match: Match) -> Output:
    """`exit configuration-mode`: asks first if there are uncommitted changes, which stay in a shared candidate."""
    del match
    changed = await session.store.changed()
    if changed:
        await session.screen.write_now(["The configuration has been changed but not committed"])
        answer = await session.screen.ask(DISCARD_QUESTION if session.discards else EXIT_QUESTION)
        if answer is not None and answer.strip() not in ("", "yes", "y"):
            return NOTHING
    if changed and session.exclusive:
        await session.router.store.rolled_back(0)
    session.leave_configuration(clean=True)
    return Output(["Exiting configuration mode"], paged=False)


async def rollback(session: Session, match: Match) -> Output:
    """`rollback [N]`: replaces the candidate by the configuration of N commits ago."""
    await session.store.rolled_back(int(match.args.get("number", 0)))
    return Output(["load complete"])


async def load(session: Session, match: Match) -> Output:
    """`load (merge | override | replace | set) terminal [relative]`."""
    if "relative" in match.words and "override" in match.words:
        raise JunosFault("load override is never relative")
    await session.screen.write_now(["[Type ^D at a new line to end input]"])
    text = await session.screen.read_block()
    base = session.base if "relative" in match.words or "set" in match.words else ()
    store, context = session.store, session.router.context
    if "set" in match.words:
        loading = loading_set(store, text, base, context)
    else:
        loading = loading_curly(
            store, text, base, context, override="override" in match.words, replace="replace" in match.words
        )
    async with store.tree_lock.writing():
        with _garbage_collection_paused(text):
            return Output((await _in_pieces(loading)).lines)


LONG = 100_000
"""Length of a text in characters, a few thousand statements, from which the collector's passes are noticeable."""


@contextlib.contextmanager
def _garbage_collection_paused(text: str) -> Iterator[None]:
    """Pause garbage collection while a long text is loaded: each pass over its statements takes up to 0.3 s.

    A configuration has no reference cycles. The objects that exist at the end are excluded from later passes.
    """
    if len(text) < LONG or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


async def _in_pieces(loading: Generator[None, None, LoadReport]) -> LoadReport:
    """Run a load to its end; at each yield other sessions have a turn."""
    while True:
        try:
            next(loading)
        except StopIteration as end:
            report: LoadReport = end.value
            return report
        await asyncio.sleep(0)
