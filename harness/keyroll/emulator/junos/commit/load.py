"""`load … terminal`: loads a pasted configuration, `set` lines or curly form, into a candidate.

Each mistake is reported with its line and column; the other statements are loaded all the same, as Junos does.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from keyroll.emulator.contract.errors import NOT_EMULATED
from keyroll.emulator.junos.commit.candidate import Candidate, empty
from keyroll.emulator.junos.configuration.compare import edit_line
from keyroll.emulator.junos.configuration.faults import SyntaxFault
from keyroll.emulator.junos.configuration.paths import GROUPS, Purpose, Walk, parse
from keyroll.emulator.junos.configuration.redact import names_a_secret
from keyroll.emulator.junos.configuration.schema import Effect, Kind, Statement
from keyroll.emulator.junos.configuration.tokens import TAGS, Token, quote, split
from keyroll.emulator.junos.configuration.tree import Node, Path, Step, above
from keyroll.emulator.junos.configuration.values import EntryContext

SYNTAX_ERROR = "syntax error."
LINES = 50
"""Number of `set` lines that are loaded before other sessions are served: about 10 ms of work."""
LEXEMES = 500
"""Number of words and marks in curly form that are loaded before other sessions are served: about 10 ms of work."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake in a loaded text: its line (from 1) and column (from 0), Junos' message."""

    line: int
    column: int
    message: str

    place: str = ""
    """The body of the statement as `[edit …]`; empty where Junos does not show it."""
    statement: str = ""
    """The refused statement as written; shown together with `place`."""

    @property
    def lines(self) -> list[str]:
        """The lines to print."""
        message = self.message.rstrip(".")
        first = f"terminal:{self.line}:({self.column}) {message}"
        if not self.place:
            return [first]
        return [first, f"  {self.place}", f"    '{self.statement}'", f"      {message.partition(':')[0]}"]

    def __str__(self) -> str:
        return self.lines[0]


NAMES_SHOWN = 12
"""Maximum number of names in a warning: they fill one or two lines of a terminal."""


@dataclass(slots=True)
class Unemulated:
    """The loaded statements that this router does not act on: the number of kept ones, and all names by effect."""

    count: int = 0
    names: dict[Effect, dict[str, None]] = field(default_factory=dict)

    def note(self, path: Path) -> None:
        """Record a loaded path, if any statement in it is not emulated."""
        place = next((at for at, step in enumerate(path) if step.statement.effect is not Effect.EMULATED), None)
        if place is None:
            return
        self.count += path[place].statement.effect is Effect.KEPT
        words = [step.statement.name for step in path[: place + 1] if step.statement.name]
        if words[:1] == [GROUPS]:
            del words[0]
        self.names.setdefault(path[place].statement.effect, {})[" ".join(words)] = None

    def lines(self) -> list[str]:
        """Return the warnings: one about the statements kept without effect, one about those that a commit refuses."""
        kept, refused = (list(self.names.get(effect, ())) for effect in (Effect.KEPT, Effect.REFUSED))
        found = []
        if kept:
            found.append(f"warning: kept without effect on this emulated router ({self.count}): {_listed(kept)}")
        if refused:
            found.append(f"warning: a commit will be refused, {NOT_EMULATED}{_listed(refused)}")
        return found


def _listed(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f", and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class LoadReport:
    """The result of a load: mistakes, and warnings about statements that this router does not act on."""

    mistakes: tuple[Mistake, ...]
    warnings: tuple[str, ...] = ()
    counted: bool = True
    """Whether the last line has the number of mistakes: that of `load set` does not."""
    emptied: tuple[Path, ...] = ()
    """Bodies that are not loaded because every statement in them was refused."""

    @property
    def lines(self) -> list[str]:
        """The lines to print: every mistake, the emptied bodies, the warnings, and the number of mistakes."""
        lines = [line for mistake in self.mistakes for line in mistake.lines]
        for path in self.emptied:
            lines += [edit_line(path[:-1]), f"  '{' '.join(path[-1].words)}'", f"    {NO_CONTENTS}"]
        count = f" ({len(self.mistakes)} errors)" if self.mistakes and self.counted else ""
        return [*lines, *self.warnings, f"load complete{count}"]


NO_CONTENTS = "warning: statement has no contents; ignored"
RECOVERY = "error recovery ignores input until this point: }"


def load_set(store: Candidate, text: str, base: Path, context: EntryContext) -> LoadReport:
    """Run the lines of a text (`set`, `delete`, `activate`, `deactivate`, `edit` and so on); report the mistakes."""
    return _finished(loading_set(store, text, base, context))


def _finished(loading: Generator[None, None, LoadReport]) -> LoadReport:
    while True:
        try:
            next(loading)
        except StopIteration as end:
            report: LoadReport = end.value
            return report


def loading_set(store: Candidate, text: str, base: Path, context: EntryContext) -> Generator[None, None, LoadReport]:
    """Do what `load_set` does, and yield every LINES lines, so that the router can answer other sessions."""
    mistakes: list[Mistake] = []
    unemulated = Unemulated()
    level = _EditLevel(base)
    for number, line in enumerate(text.splitlines(), 1):
        if number % LINES == 0:
            yield
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            if level.moved(store.root, line, context):
                continue
            for path in _one_set_line(store, line, level.path, context):
                unemulated.note(path)
        except SyntaxFault as fault:
            mistakes.append(Mistake(number, fault.column, _message(line, fault)))
    return LoadReport(tuple(mistakes), tuple(unemulated.lines()), counted=False)


class _EditLevel:
    """The edit level of the lines of a text; `edit`, `up`, `top`, `exit` change it as in configuration mode."""

    def __init__(self, base: Path) -> None:
        self.path = base
        self._earlier: list[Path] = []

    def moved(self, root: Statement, line: str, context: EntryContext) -> bool:
        """Run a line that changes the level; return False for any other line. Raises SyntaxFault."""
        verb, *words = split(line)
        if verb.text == "edit" and words:
            (found,) = parse(root, self.path, words, Purpose.EDIT, context, end=len(line.rstrip()))
            self._earlier.append(self.path)
            self.path = found
        elif verb.text == "top" and not words:
            self.path, self._earlier = (), []
        elif verb.text == "up" and len(words) < 2:  # noqa: PLR2004 - `up`, and `up 3`
            levels = words[0].text if words else "1"
            if not levels.isdecimal():
                raise SyntaxFault(SYNTAX_ERROR, words[0].column)
            for _ in range(int(levels)):
                self.path = above(self.path)
        elif verb.text in ("exit", "quit") and not words:
            self.path = self._earlier.pop() if self._earlier else ()
        else:
            return False
        return True


def _message(line: str, fault: SyntaxFault) -> str:
    """Return the message for a refused line; a syntax error includes the wrong word, unless it may be a secret."""
    quotes_match = _has_closed_quotes(line)
    word = next((word for word in split(line) if word.column == fault.column), None) if quotes_match else None
    if fault.message != SYNTAX_ERROR or word is None or _may_hold_a_secret(line):
        return fault.message
    return f"{SYNTAX_ERROR.rstrip('.')}: {word.text}"


def _has_closed_quotes(line: str) -> bool:
    try:
        split(line)
    except SyntaxFault:
        return False
    return True


def _may_hold_a_secret(line: str) -> bool:
    return any(names_a_secret(word.text) for word in split(line))


def _one_set_line(store: Candidate, line: str, base: Path, context: EntryContext) -> list[Path]:
    """Run a line; return the paths that it set. Raises SyntaxFault."""
    verb, *words = split(line)
    if verb.text not in ("set", "delete", "activate", "deactivate") or not words:
        raise SyntaxFault("unknown command.", verb.column)
    purpose = Purpose.SET if verb.text == "set" else Purpose.NAME
    if purpose is Purpose.SET:
        return _set(store, words, base, context, len(line.rstrip()))
    paths = parse(store.root, base, words, purpose, context, end=len(line.rstrip()))
    for path in paths:
        found = store.delete(path) if verb.text == "delete" else store.mark(path, inactive=verb.text == "deactivate")
        if not found:
            raise SyntaxFault("statement not found.", words[0].column)
    return []


def _set(store: Candidate, words: list[Token], base: Path, context: EntryContext, end: int) -> list[Path]:
    """Set the statements of a line; if a word is wrong, only those before it, as Junos does. Raises SyntaxFault."""
    walk = Walk(store.root, base, Purpose.SET, context)
    try:
        for word in words:
            walk.feed(word)
        paths = walk.finish(end)
    except SyntaxFault:
        store.apply_set(walk.so_far)
        raise
    store.apply_set(paths)
    return paths


_LEXEME = re.compile(
    r"""(?P<blank>[ \t\r\f\v]+)|(?P<newline>\n)|(?P<comment>\#[^\n]*|/\*.*?\*/)|(?P<quoted>"(?:\\.|[^"\\\n])*")"""
    r"""|(?P<mark>[{};\[\]])|(?P<word>[^\s{};\[\]"#]+)|(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Lexeme:
    """A word or a mark (`{`, `}`, `;`) of the curly form, with its line (from 1)."""

    token: Token
    line: int
    mark: bool


def _lexemes(text: str) -> Iterator[_Lexeme]:
    line, start = 1, 0
    for found in _LEXEME.finditer(text):
        kind = found.lastgroup
        column = found.start() - start
        if kind == "quoted":
            inner = re.sub(r'\\(["\\])', r"\1", found[0][1:-1])
            yield _Lexeme(Token(inner, column, quoted=True), line, mark=False)
        elif kind in ("mark", "word", "other"):
            yield _Lexeme(Token(found[0], column), line, mark=found[0] in ("{", "}", ";"))
        newlines = found[0].count("\n")
        if newlines:
            line += newlines
            start = found.start() + found[0].rindex("\n") + 1


@dataclass(frozen=True, slots=True)
class _Body:
    """An open body. `path` is None in a refused body, and in the bodies inside it."""

    path: Path | None
    alone: bool = False
    """Whether its statement is added even with nothing in the body."""
    refused: bool = False
    """Whether it is a refused body itself, not one inside it."""
    inactive: bool | None = None
    """The inactive mark to set when it is closed; None leaves the mark as it is."""
    replaced: bool = False
    """Whether it was emptied because of `replace:`."""
    mistakes: int = 0
    """Number of mistakes before it was opened."""


class Editable(Protocol):
    """A candidate that a text is loaded into (`Candidate`)."""

    candidate: Node

    @property
    def root(self) -> Statement:
        """The schema of its statements."""
        ...

    def apply_set(self, paths: Iterable[Path]) -> None:
        """Add statements. Raises SyntaxFault."""
        ...

    def delete(self, path: Path) -> bool:
        """Remove the statements that `path` names; return whether there were any."""
        ...


class _CurlyLoader:
    """Loads one text in curly form."""

    def __init__(self, store: Editable, context: EntryContext, *, replace: bool = False) -> None:
        self._store = store
        self._root: Statement = store.root
        self._context = context
        self._replace = replace
        self.mistakes: list[Mistake] = []
        self.emptied: list[Path] = []
        self.unemulated = Unemulated()

    def load(self, text: str, base: Path) -> Iterator[None]:
        """Load `text` below `base`; yield every LEXEMES words and marks."""
        levels = [_Body(base)]
        words: list[_Lexeme] = []
        last = _Lexeme(Token("", 0), 1, mark=True)
        for number, last in enumerate(_lexemes(text)):
            if number % LEXEMES == 0:
                yield
            if not last.mark:
                words.append(last)
            elif last.token.text == "{":
                levels.append(self._open(levels[-1].path, words))
                words = []
            elif last.token.text == ";":
                self._statement(levels[-1].path, words, last)
                words = []
            else:
                self._close(levels, words, last)
                words = []
        if words or len(levels) > 1:
            self._mistake(last, "unexpected end of input")

    def _close(self, levels: list[_Body], words: list[_Lexeme], at: _Lexeme) -> None:
        if words:
            self._mistake(words[0], "missing ';'")
        if len(levels) == 1:
            self._mistake(at, "unmatched '}'")
        else:
            body = levels.pop()
            if body.refused:
                self.mistakes.append(Mistake(at.line, at.token.column + 1, RECOVERY))
            self._finish(body)

    def _finish(self, body: _Body) -> None:
        """Add the statement of a closed body, unless mistakes left it empty; set its inactive mark."""
        if body.path is None:
            return
        if body.alone and len(self.mistakes) == body.mistakes:
            self._store.candidate.ensure(body.path)
        node = self._store.candidate.at(body.path)
        if node is not None and body.replaced and not body.alone and not node.children:
            self._store.delete(body.path)
            return
        if node is None and body.path and len(self.mistakes) > body.mistakes:
            self.emptied.append(body.path)
        if node is not None and body.inactive is not None:
            node.inactive = body.inactive

    def _clear(self, place: Path) -> bool:
        """Remove the children of a body that is replaced, which keeps its position; return whether it existed."""
        node = self._store.candidate.at(place)
        if node is not None:
            node.children.clear()
            node.inactive = False
        return node is not None

    def _mistake(self, at: _Lexeme, message: str) -> None:
        self.mistakes.append(Mistake(at.line, at.token.column, message))

    def _refused(self, base: Path, words: list[_Lexeme], fault: SyntaxFault, end: str) -> None:
        """Record a refused statement; a syntax error includes the wrong word, unless it may be a secret."""
        word = next((word for word in words if word.token.column == fault.column), words[0])
        named = fault.message == SYNTAX_ERROR and word.token.column == fault.column and not word.token.quoted
        # A wrong word after a secret may be a part of it, typed without quotes.
        named = named and not any(names_a_secret(one.token.text) for one in words)
        if not named:
            self.mistakes.append(Mistake(word.line, fault.column, fault.message))
            return
        message = f"{SYNTAX_ERROR.rstrip('.')}: {word.token.text}"
        statement = " ".join(quote(one.token.text, always=one.token.quoted) for one in words) + end
        column = fault.column + len(word.token.text)  # Junos gives the column after the word
        self.mistakes.append(Mistake(word.line, column, message, edit_line(base), statement))

    def _walk(self, base: Path, words: list[_Lexeme]) -> tuple[Walk, bool, bool]:
        """Parse the words; return also whether `inactive:` and `replace:` are among them. Raises SyntaxFault."""
        walk = Walk(self._root, base, Purpose.SET, self._context)
        inactive = replaced = False
        for word in words:
            if word.token.text in TAGS and not word.token.quoted:
                inactive = inactive or word.token.text == "inactive:"
                replaced = replaced or (self._replace and word.token.text == "replace:")
            else:
                walk.feed(word.token)
        return walk, inactive, replaced

    def _open(self, base: Path | None, words: list[_Lexeme]) -> _Body:
        """Return the body that `words` open; it has no path if they, or the body around them, are refused."""
        if base is None or not words:
            return _Body(None)
        try:
            walk, inactive, replaced = self._walk(base, words)
        except SyntaxFault as fault:
            self._refused(base, words, fault, "")
            return _Body(None, refused=True)
        if walk.pending is not None or not walk.statement.has_body:
            self._mistake(words[-1], "syntax error")
            return _Body(None, refused=True)
        replaced = replaced and self._clear(walk.place)
        alone = walk.complete
        return _Body(
            walk.place,
            alone or inactive,
            inactive=inactive if alone or inactive else None,
            replaced=replaced,
            mistakes=len(self.mistakes),
        )

    def _statement(self, base: Path | None, words: list[_Lexeme], end: _Lexeme) -> None:
        if base is None:
            return
        if not words:
            return
        try:
            walk, inactive, replaced = self._walk(base, words)
            paths = walk.finish(end.token.column)
            for path in paths if replaced else ():
                self._store.delete(_replaced_path(path))
            self._store.apply_set(paths)
        except SyntaxFault as fault:
            self._refused(base, words, fault, ";")
            return
        for path in paths:
            self.unemulated.note(path)
        for path in paths if inactive else ():
            node = self._store.candidate.at(_marked_path(path, len(base)))
            if node is not None:
                node.inactive = True


def _replaced_path(path: Path) -> Path:
    """Return the path that `replace:` before a line removes: for a statement with many values, all of them."""
    return (*path[:-1], Step(path[-1].statement)) if path and path[-1].statement.kind is Kind.VALUES else path


def _marked_path(path: Path, base: int) -> Path:
    """Return the path that `inactive:` before a line marks: for a body written on one line, that body.

    `base` is the number of steps of the path that lead to the line.
    """
    whole = next((place for place in range(base, len(path)) if path[place].statement.one_line), None)
    return path if whole is None else path[: whole + 1]


def load_curly(
    store: Editable, text: str, base: Path, context: EntryContext, *, override: bool, replace: bool = False
) -> LoadReport:
    """Merge a configuration in curly form; with `override`, put it in place of everything.

    With `replace`, statements with the tag `replace:` replace the existing ones; all others are merged. An override
    with mistakes changes nothing.
    """
    return _finished(loading_curly(store, text, base, context, override=override, replace=replace))


def loading_curly(
    store: Editable, text: str, base: Path, context: EntryContext, *, override: bool, replace: bool = False
) -> Generator[None, None, LoadReport]:
    """Do what `load_curly` does, and yield every LEXEMES words, so that the router can answer other sessions."""
    before = store.candidate
    if override:
        store.candidate = empty(store.root)
    loader = _CurlyLoader(store, context, replace=replace)
    yield from loader.load(text, base)
    if override and loader.mistakes:
        store.candidate = before
        return LoadReport(tuple(loader.mistakes), emptied=tuple(loader.emptied))
    return LoadReport(
        tuple(loader.mistakes), tuple(loader.unemulated.lines()), emptied=tuple(dict.fromkeys(loader.emptied))
    )
