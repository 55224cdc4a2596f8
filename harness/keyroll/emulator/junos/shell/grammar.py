"""Commands as data: a tree of terms, used for parsing, abbreviations, `?` help and completion.

A term is a keyword, or (with `value`) a parameter; its children may follow it. After a term with `again` its siblings
may follow too, so that options may stand in any order (`ping A count 3 source B`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from keyroll.emulator.junos.configuration.faults import SyntaxFault, ValueFault
from keyroll.emulator.junos.configuration.paths import ENTER, Completion, Purpose, Walk, choose
from keyroll.emulator.junos.configuration.schema import Statement
from keyroll.emulator.junos.configuration.tokens import Token
from keyroll.emulator.junos.configuration.tree import Node, Path
from keyroll.emulator.junos.configuration.values import Choice, EntryContext, ValueType
from keyroll.emulator.junos.shell.output import Output
from keyroll.emulator.junos.shell.session import Session

Action = Callable[[Session, "Match"], Awaitable[Output]]
"""Runs a command in the session where it was typed; returns the output. May raise JunosFault."""


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a command, and the words that may follow it."""

    name: str
    help: str = ""
    children: tuple[Term, ...] = ()
    run: Action | None = None
    """The action when the line ends here; None if more words must follow."""
    value: ValueType | None = None
    """For a parameter: the type of its value, which is stored under the term's name."""
    purpose: Purpose | None = None
    """If set, the words after it are a path of configuration statements, parsed for this purpose."""
    again: bool = False
    """Whether the term's siblings may follow it too."""
    rest: bool = False
    """Whether the words after it are free text, not parsed."""
    shortest: int = 1
    """Minimum length of an abbreviation: 2 for `exit` and `quit`, so that one mistyped key does not end the session."""
    grammar: Callable[[], tuple[Term, ...]] | None = None
    """If set, a command of this grammar follows (`run show …`)."""
    from_top: bool = False
    """Whether the command after it is parsed and run at the top of the configuration (`top show …`)."""
    hidden: bool = False
    """Whether help and completion omit it, and other matching terms take precedence (`absent`)."""


@dataclass(frozen=True, slots=True)
class Match:
    """A parsed command: its keywords in full, its parameters by name, the statement paths that it names."""

    action: Action
    words: tuple[str, ...]
    args: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[Path, ...] = ()
    tokens: tuple[Token, ...] = ()
    """The words of its path or free text, as typed."""
    end: int = 0
    """The column after the last word."""
    from_top: bool = False
    """Whether it is to be run at the top of the configuration."""


@dataclass(frozen=True, slots=True)
class ParseContext:
    """What parsing depends on: the schema, the edit level, the tree whose keys are offered, the values' context."""

    root: Statement
    base: Path
    tree: Node
    entry: EntryContext


class Reader:
    """Parses one command, word by word."""

    def __init__(self, grammar: Sequence[Term], context: ParseContext) -> None:
        self._context = context
        self._children: tuple[Term, ...] = tuple(grammar)
        """The terms that may come next."""
        self._last: Term | None = None
        self._run: Action | None = None
        """The action if the line ended here."""
        self._back: list[tuple[tuple[Term, ...], Action | None]] = []
        """For each open term with `again`: its siblings, and the action before it."""
        self._walk: Walk | None = None
        self._tokens: list[Token] = []
        self._from_top = False
        self.words: list[str] = []
        self.args: dict[str, str] = {}

    @property
    def secrets(self) -> list[Token]:
        """The words so far in the position of a secret."""
        return self._walk.secrets if self._walk is not None else []

    def feed(self, word: Token) -> None:
        """Parse the next word. Raises SyntaxFault."""
        if self._walk is not None:
            self._walk.feed(word)
            self._tokens.append(word)
            return
        if self._last is not None and self._last.rest:
            self._tokens.append(word)
            return
        term = self._resolve(word)
        self.words.append(term.name)
        self._enter(term)

    def _resolve(self, word: Token) -> Term:
        named = [
            Choice(term.name, term.help)
            for term in self._children
            if term.value is None and not term.hidden and len(word.text) >= term.shortest
        ]
        parameters = [term for term in self._children if term.value is not None and not term.hidden]
        fault: SyntaxFault | None = None
        chosen = None
        try:
            chosen = choose(word, named)
        except SyntaxFault as ambiguous:
            if not parameters:
                raise
            fault = ambiguous
        if chosen is not None:
            return next(term for term in self._children if term.name == chosen.name and term.value is None)
        hidden = self._hidden(word)
        # Typed in full it takes precedence over a parameter: `show interfaces extensive` does not name an interface.
        if hidden is not None and (hidden.name == word.text or not parameters):
            return hidden
        for term in parameters:
            try:
                self.args[term.name] = self._stored(term, word)
            except ValueFault as refused:
                fault = SyntaxFault(refused.message, word.column)
            else:
                return term
        if hidden is not None:
            return hidden
        raise fault or self._unknown(word)

    def _hidden(self, word: Token) -> Term | None:
        """Return the hidden term for a word: one equal to it, else one that it abbreviates, else a parameter."""
        hidden = [term for term in self._children if term.hidden]
        matching = [term for term in hidden if term.value is None and term.name.startswith(word.text)]
        exact = [term for term in matching if term.name == word.text]
        return next(iter(exact or matching or [term for term in hidden if term.value is not None]), None)

    def _unknown(self, word: Token) -> SyntaxFault:
        if not self.words:
            return SyntaxFault("unknown command.", word.column)
        expecting = ", expecting <command>" if self._run is None else ""
        return SyntaxFault(f"syntax error{expecting}.", word.column)

    def _stored(self, term: Term, word: Token) -> str:
        if term.value is None:
            raise ValueFault("syntax error.")
        text = word.text
        if term.value.choices:
            chosen = choose(word, term.value.choices)
            if chosen is None:
                raise ValueFault("syntax error.")
            text = chosen.name
        return term.value.store(text, self._context.entry)

    def _enter(self, term: Term) -> None:
        if self._last is not None and self._last.from_top:
            self._from_top = True
            self._context = replace(self._context, base=())
        siblings, run = self._children, self._run
        self._last, self._run, self._children = term, term.run, term.children
        if term.again:
            self._back.append((siblings, run))
        if term.purpose is not None:
            context = self._context
            self._walk = Walk(context.root, context.base, term.purpose, context.entry)
        elif term.grammar is not None:
            self._children = term.grammar()
        elif self._back and (not term.children or term.run is not None):
            earlier, earlier_run = self._back[-1] if term.children else self._back.pop()
            self._children = (*term.children, *earlier)
            self._run = term.run or earlier_run

    def finish(self, end: int) -> Match:
        """Return the parsed command. Raises SyntaxFault at column `end` when more words must follow."""
        if self._run is None:
            shown = [term for term in self._children if not term.hidden]
            parameters = bool(shown) and all(term.value is not None for term in shown)
            raise SyntaxFault("missing argument." if parameters else "syntax error, expecting <command>.", end)
        paths = self._walk.finish(end) if self._walk is not None else []
        words, tokens = tuple(self.words), tuple(self._tokens)
        return Match(self._run, words, dict(self.args), tuple(paths), tokens, end, self._from_top)

    def completions(self) -> list[Completion]:
        """Return what may come next."""
        if self._walk is not None:
            return self._walk.completions(self._context.tree)
        found = [ENTER] if self._run is not None else []
        for term in sorted(self._children, key=lambda term: (term.value is None, term.name)):
            if term.hidden:
                continue
            if term.value is None:
                found.append(Completion(term.name, term.help, shortest=term.shortest))
            elif term.value.choices:
                found += [Completion(choice.name, choice.help) for choice in term.value.choices]
            else:
                found.append(Completion(f"<{term.name}>", f"{term.help} {term.value.hint}".rstrip(), literal=False))
        return found


def read(grammar: Sequence[Term], words: Sequence[Token], context: ParseContext, *, end: int) -> Match:
    """Parse the words of a command; `end` is the column after it. Raises SyntaxFault."""
    reader = Reader(grammar, context)
    for word in words:
        reader.feed(word)
    return reader.finish(end)


def complete(grammar: Sequence[Term], words: Sequence[Token], partial: str, context: ParseContext) -> list[Completion]:
    """Return what may replace `partial`, the word at the cursor (may be "").

    Raises SyntaxFault for a wrong word before it.
    """
    reader = Reader(grammar, context)
    for word in words:
        reader.feed(word)
    found = reader.completions()
    if not partial:
        return found
    return [entry for entry in found if (not entry.literal and entry != ENTER) or entry.name.startswith(partial)]
