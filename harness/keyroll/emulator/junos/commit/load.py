"""`load … terminal`: a pasted configuration, as `set` lines or in curly form, into the candidate.

Every mistake is named by line and column, and what stands beside it is loaded all the same, as Junos does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from keyroll.emulator.junos.commit.datastore import Datastore, empty
from keyroll.emulator.junos.configuration.faults import SyntaxFault
from keyroll.emulator.junos.configuration.paths import Purpose, Walk, parse
from keyroll.emulator.junos.configuration.redact import names_a_secret
from keyroll.emulator.junos.configuration.schema import Statement
from keyroll.emulator.junos.configuration.tokens import TAGS, Token, split
from keyroll.emulator.junos.configuration.tree import Path
from keyroll.emulator.junos.configuration.values import EntryContext

SYNTAX_ERROR = "syntax error."


@dataclass(frozen=True, slots=True)
class Mistake:
    """What could not be loaded: line from 1, column from 0, Junos' message."""

    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"terminal:{self.line}:({self.column}) {self.message.rstrip('.')}"


def _report(mistakes: list[Mistake]) -> list[str]:
    last = f"load complete ({len(mistakes)} errors)" if mistakes else "load complete"
    return [*(str(mistake) for mistake in mistakes), last]


def load_set(store: Datastore, text: str, base: Path, context: EntryContext) -> list[str]:
    """Run `set`, `delete`, `activate` and `deactivate` lines, and return what to print."""
    mistakes: list[Mistake] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            _one_set_line(store, line, base, context)
        except SyntaxFault as fault:
            mistakes.append(Mistake(number, fault.column, fault.message))
    return _report(mistakes)


def _one_set_line(store: Datastore, line: str, base: Path, context: EntryContext) -> None:
    verb, *words = split(line)
    if verb.text not in ("set", "delete", "activate", "deactivate") or not words:
        raise SyntaxFault("unknown command.", verb.column)
    purpose = Purpose.SET if verb.text == "set" else Purpose.NAME
    paths = parse(store.root, base, words, purpose, context, end=len(line.rstrip()))
    if purpose is Purpose.SET:
        store.apply_set(paths)
        return
    for path in paths:
        found = store.delete(path) if verb.text == "delete" else store.mark(path, inactive=verb.text == "deactivate")
        if not found:
            raise SyntaxFault("statement not found.", words[0].column)


_LEXEME = re.compile(
    r"""(?P<blank>[ \t\r\f\v]+)|(?P<newline>\n)|(?P<comment>\#[^\n]*|/\*.*?\*/)|(?P<quoted>"(?:\\.|[^"\\\n])*")"""
    r"""|(?P<mark>[{};\[\]])|(?P<word>[^\s{};\[\]"#]+)|(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Lexeme:
    """A word or mark of the curly form, with its line from 1."""

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
    """A body that is open. `path` is None below what could not be understood."""

    path: Path | None
    alone: bool = False
    """Whether it stands without anything in it."""
    inactive: bool | None = None
    """None where it cannot be said of it."""
    mistakes: int = 0
    """How many there were before it."""


class _CurlyLoader:
    """Loads one text in curly form."""

    def __init__(self, store: Datastore, context: EntryContext) -> None:
        self._store = store
        self._root: Statement = store.root
        self._context = context
        self.mistakes: list[Mistake] = []

    def load(self, text: str, base: Path) -> None:
        """Load `text` below `base`."""
        levels = [_Body(base)]
        words: list[_Lexeme] = []
        last = _Lexeme(Token("", 0), 1, mark=True)
        for last in _lexemes(text):
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
            self._finish(levels.pop())

    def _finish(self, body: _Body) -> None:
        """Make what a body stands for, unless nothing in it could be loaded because of mistakes."""
        if body.path is None:
            return
        if body.alone and len(self.mistakes) == body.mistakes:
            self._store.candidate.ensure(body.path)
        node = self._store.candidate.at(body.path)
        if node is not None and body.inactive is not None:
            node.inactive = body.inactive

    def _mistake(self, at: _Lexeme, message: str) -> None:
        self.mistakes.append(Mistake(at.line, at.token.column, message))

    def _refused(self, words: list[_Lexeme], fault: SyntaxFault) -> None:
        """Note what is refused: at its own line, and by its name where that is all that can be said of it."""
        word = next((word for word in words if word.token.column == fault.column), words[0])
        named = fault.message == SYNTAX_ERROR and word.token.column == fault.column and not word.token.quoted
        # What follows a secret may be the rest of it.
        named = named and not any(names_a_secret(one.token.text) for one in words)
        message = f"{SYNTAX_ERROR.rstrip('.')}: {word.token.text}" if named else fault.message
        self.mistakes.append(Mistake(word.line, fault.column, message))

    def _walk(self, base: Path, words: list[_Lexeme]) -> tuple[Walk, bool]:
        walk = Walk(self._root, base, Purpose.SET, self._context)
        inactive = False
        for word in words:
            if word.token.text in TAGS and not word.token.quoted:
                inactive = inactive or word.token.text == "inactive:"
            else:
                walk.feed(word.token)
        return walk, inactive

    def _open(self, base: Path | None, words: list[_Lexeme]) -> _Body:
        """Return the body that `words` open; one without a path below what could not be understood."""
        if base is None or not words:
            return _Body(None)
        try:
            walk, inactive = self._walk(base, words)
        except SyntaxFault as fault:
            self._refused(words, fault)
            return _Body(None)
        if walk.pending is not None or not walk.statement.has_body:
            self._mistake(words[-1], "syntax error")
            return _Body(None)
        alone = walk.complete
        return _Body(tuple(walk.body), alone or inactive, inactive if alone or inactive else None, len(self.mistakes))

    def _statement(self, base: Path | None, words: list[_Lexeme], end: _Lexeme) -> None:
        if base is None:
            return
        if not words:
            return
        try:
            walk, inactive = self._walk(base, words)
            paths = walk.finish(end.token.column)
            self._store.apply_set(paths)
        except SyntaxFault as fault:
            self._refused(words, fault)
            return
        for path in paths if inactive else ():
            node = self._store.candidate.at(_marked(path, len(base)))
            if node is not None:
                node.inactive = True


def _marked(path: Path, base: int) -> Path:
    """Return what `inactive:` before a line speaks of: of a body that is written in one line, the whole."""
    whole = next((place for place in range(base, len(path)) if path[place].statement.one_line), None)
    return path if whole is None else path[: whole + 1]


def load_curly(store: Datastore, text: str, base: Path, context: EntryContext, *, override: bool) -> list[str]:
    """Merge (or with `override` put in place of everything) a configuration in curly form; return what to print."""
    before = store.candidate
    if override:
        store.candidate = empty(store.root)
    loader = _CurlyLoader(store, context)
    loader.load(text, base)
    if override and loader.mistakes:
        store.candidate = before
    return _report(loader.mistakes)
