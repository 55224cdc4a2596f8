"""Commands as data: terms in a tree, from which parsing, abbreviations, `?` help and completion all follow.

A term is a keyword, or (with `value`) a parameter. What follows is its children. A term with `again` gives way to
its parent's children once more, so that options may follow each other in any order (`ping A count 3 source B`).
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
"""What a command does with the session that typed it; returns what to print."""


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a command, and what may follow it."""

    name: str
    help: str = ""
    children: tuple[Term, ...] = ()
    run: Action | None = None
    """What the command does when the line ends here; None: more must follow."""
    value: ValueType | None = None
    """Makes it a parameter: any word of this type, kept under the term's name."""
    purpose: Purpose | None = None
    """What follows is a path of configuration statements, for this purpose."""
    again: bool = False
    """Afterwards the parent's children may follow once more."""
    rest: bool = False
    """What follows is free text, taken word by word as it stands."""
    shortest: int = 1
    """How many letters an abbreviation needs: nobody leaves by a slip of one key."""
    grammar: Callable[[], tuple[Term, ...]] | None = None
    """What follows is a command of another grammar (`run show …`)."""
    from_top: bool = False
    """What follows is understood and done as if one stood at the top (`top show …`)."""
    hidden: bool = False
    """In no help and no completion, and taken only where no other term is meant (`absent`)."""


@dataclass(frozen=True, slots=True)
class Match:
    """A command line that was understood: its keywords, its parameters by name, the statements that it names."""

    action: Action
    words: tuple[str, ...]
    args: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[Path, ...] = ()
    tokens: tuple[Token, ...] = ()
    """The words after a term that takes a path or free text, as typed."""
    end: int = 0
    """The column behind the last word."""
    from_top: bool = False
    """Whether it is to be done as if one stood at the top of the configuration."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What parsing a line may depend on: the statements, where one stands among them, the candidate, the clock."""

    root: Statement
    base: Path
    tree: Node
    context: EntryContext


class Reader:
    """Reads the words of one command."""

    def __init__(self, grammar: Sequence[Term], around: Surroundings) -> None:
        self._around = around
        self._children: tuple[Term, ...] = tuple(grammar)
        self._last: Term | None = None
        self._run: Action | None = None
        self._back: list[tuple[tuple[Term, ...], Action | None]] = []
        self._walk: Walk | None = None
        self._tokens: list[Token] = []
        self._from_top = False
        self.words: list[str] = []
        self.args: dict[str, str] = {}

    @property
    def secrets(self) -> list[Token]:
        """The words so far that are secrets."""
        return self._walk.secrets if self._walk is not None else []

    def feed(self, word: Token) -> None:
        """Take the next word. Raises SyntaxFault."""
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
        # Spelt out it is no parameter: `show interfaces extensive` does not name an interface.
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
        """Return the hidden term that a word means: spelt out or begun, else one that takes any word."""
        hidden = [term for term in self._children if term.hidden]
        meant = [term for term in hidden if term.value is None and term.name.startswith(word.text)]
        exact = [term for term in meant if term.name == word.text]
        return next(iter(exact or meant or [term for term in hidden if term.value is not None]), None)

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
        return term.value.store(text, self._around.context)

    def _enter(self, term: Term) -> None:
        if self._last is not None and self._last.from_top:
            self._from_top = True
            self._around = replace(self._around, base=())
        siblings, run = self._children, self._run
        self._last, self._run, self._children = term, term.run, term.children
        if term.again:
            self._back.append((siblings, run))
        if term.purpose is not None:
            around = self._around
            self._walk = Walk(around.root, around.base, term.purpose, around.context)
        elif term.grammar is not None:
            self._children = term.grammar()
        elif self._back and (not term.children or term.run is not None):
            earlier, earlier_run = self._back[-1] if term.children else self._back.pop()
            self._children = (*term.children, *earlier)
            self._run = term.run or earlier_run

    def finish(self, end: int) -> Match:
        """Return what was understood. Raises SyntaxFault at column `end` when more must follow."""
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
            return self._walk.completions(self._around.tree)
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


def read(grammar: Sequence[Term], words: Sequence[Token], around: Surroundings, *, end: int) -> Match:
    """Understand a line. Raises SyntaxFault."""
    reader = Reader(grammar, around)
    for word in words:
        reader.feed(word)
    return reader.finish(end)


def complete(grammar: Sequence[Term], words: Sequence[Token], partial: str, around: Surroundings) -> list[Completion]:
    """Return what `partial` (the word under the cursor, maybe empty) may become. Raises SyntaxFault before it."""
    reader = Reader(grammar, around)
    for word in words:
        reader.feed(word)
    found = reader.completions()
    if not partial:
        return found
    return [entry for entry in found if (not entry.literal and entry != ENTER) or entry.name.startswith(partial)]
