"""Parses words into statement paths, for `set`, `delete`, `edit`, `show` and others; lists help and completions.

One `Walk` over the words serves both: it returns the paths, or the words that may come next.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from keyroll.emulator.contract.policy_expression import is_expression, is_open
from keyroll.emulator.junos.configuration.faults import SyntaxFault, ValueFault
from keyroll.emulator.junos.configuration.redact import names_a_secret
from keyroll.emulator.junos.configuration.schema import LINE, Kind, Statement
from keyroll.emulator.junos.configuration.tokens import Token, quote
from keyroll.emulator.junos.configuration.tree import Node, Path, Step
from keyroll.emulator.junos.configuration.values import Choice, EntryContext, InterfaceName, PolicyName


class Purpose(enum.Enum):
    """What the paths are used for, which decides whether they need values."""

    SET = enum.auto()
    """Statements are set: every leaf needs its value, and several statements may follow each other."""
    NAME = enum.auto()
    """A statement is only named (`delete`, `show`, `activate`): the value of a leaf may be omitted."""
    EDIT = enum.auto()
    """The path ends in a statement with a body."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One line of help: what may be typed, its help, and the mark before it (`>` a hierarchy, `+` many, or blank)."""

    name: str
    help: str
    mark: str = " "
    literal: bool = True
    """Whether the name itself may be typed (not a placeholder such as `<hold-time>`)."""
    variable: bool = False
    """Whether it is a user-defined name: Tab completes it, the space bar does not (as in Junos)."""
    shortest: int = 1
    """Number of letters that must be typed before it is completed."""


GROUPS = "groups"
_PATTERN = re.compile(r"<[^<>\s]+>")
ENTER = Completion("<[Enter]>", "Execute this command", literal=False)


def choose(word: Token, names: Iterable[Choice]) -> Choice | None:
    """Return the keyword equal to `word`, or the only one that it abbreviates, or None.

    Raises SyntaxFault when it abbreviates several.
    """
    known = list(names)
    for choice in known:
        if choice.name == word.text:
            return choice
    if word.quoted or not word.text:
        return None
    matching = [choice for choice in known if choice.name.startswith(word.text)]
    if len(matching) > 1:
        shown = tuple(help_lines(Completion(choice.name, choice.help) for choice in matching))
        raise SyntaxFault(f"'{word.text}' is ambiguous.", word.column, ("Possible completions:", *shown))
    return matching[0] if matching else None


NAME_COLUMNS = 20
"""Width of the column of names in `?` help, as Junos lays it out."""


def help_lines(completions: Iterable[Completion]) -> list[str]:
    """Return the lines of help in Junos' layout: mark, name padded to NAME_COLUMNS, help text."""
    lines = []
    for entry in completions:
        name = f"{entry.name:<{NAME_COLUMNS}}" if len(entry.name) <= NAME_COLUMNS else f"{entry.name} "
        lines.append(f"{entry.mark} {name} {entry.help}".rstrip())
    return lines


class Walk:
    """Parses a line one word at a time, walking down the statements of `root` from the path `base`."""

    def __init__(self, root: Statement, base: Path, purpose: Purpose, context: EntryContext) -> None:
        self._root = root
        self._purpose = purpose
        self._context = context
        self.body: list[Step] = list(base)
        """The path of the body whose statements may come next."""
        self.pending: Statement | None = None
        """The statement whose key or value must come next."""
        self.secrets: list[Token] = []
        """The words in the position of a secret, whether accepted or refused."""
        self._text: Statement | None = None
        """The opaque statement to which all further words belong."""
        self._text_words: list[Token] = []
        self._in_brackets = False
        self._expression: Token | None = None
        """The words so far of a policy expression whose parentheses are still open."""
        self._found: list[Path] = []
        self._fresh = True
        """Whether `body` was entered, or started from, without a statement in it since."""
        self._ended = False
        """Whether no further word may follow."""

    @property
    def statement(self) -> Statement:
        """The statement whose children may come next."""
        if self._text is not None:
            return self._text
        return self.body[-1].statement if self.body else self._root

    @property
    def complete(self) -> bool:
        """Whether the words so far form complete paths."""
        if self._text is not None:
            return True
        if self._in_brackets or self._expression is not None:
            return False
        if self.pending is not None:
            return self._purpose is Purpose.NAME and self.pending.kind in (Kind.LEAF, Kind.VALUES)
        if self._purpose is Purpose.SET and self._fresh:
            return bool(self.body) and _may_be_empty(self.statement)
        return True

    def feed(self, word: Token) -> None:
        """Parse the next word. Raises SyntaxFault with the word's column."""
        if self._text is not None or (self.pending is None and self.statement.kind is Kind.OPAQUE):
            self._take_text(word)
            return
        if self.pending is not None:
            self._take_value(self.pending, word)
            return
        child = self._resolve(word)
        if self._ended:
            raise SyntaxFault("syntax error.", word.column)
        if child.kind is Kind.FLAG:
            self._emit(Step(child))
        elif child.kind is Kind.CONTAINER:
            self.body.append(Step(child))
            self._fresh = True
        elif child.kind is Kind.OPAQUE:
            self._text = child
        else:
            self.pending = child
            if not child.name:
                self._take_value(child, word)

    def _take_text(self, word: Token) -> None:
        """Add a word to the kept text. Raises SyntaxFault for a mark that would end the statement when read back."""
        if self._text is None:
            self._text = LINE
        if not word.quoted and any(mark in word.text for mark in "{};"):
            raise SyntaxFault("syntax error.", word.column)
        if self._text_words and names_a_secret(self._text_words[-1].text):
            self.secrets.append(word)
        self._text_words.append(word)

    @property
    def place(self) -> Path:
        """The path of the body that the words so far name."""
        return (*self.body, *self._text_steps())

    def _text_steps(self) -> list[Step]:
        if self._text is None:
            return []
        shown = (
            word.text if word.text in ("[", "]") and not word.quoted else quote(word.text, always=word.quoted)
            for word in self._text_words
        )
        words = " ".join(shown) or None
        if self._text.hierarchy:
            return [Step(self._text), *([Step(LINE, words)] if words else [])]
        return [Step(self._text, words)]

    @property
    def so_far(self) -> list[Path]:
        """The complete statements before a refused word: Junos sets these even though the line is refused."""
        if self._text is not None:
            return []  # the end of a statement in kept text cannot be determined
        opened = [tuple(self.body)] if self._fresh and self.body and _may_be_empty(self.statement) else []
        return [*self._found, *opened]

    def finish(self, end: int) -> list[Path]:
        """Return the paths. Raises SyntaxFault at column `end` when something is missing."""
        if self._text is not None:
            return [*self._found, self.place]
        if self.pending is not None and self.complete:
            self._emit(Step(self.pending))
        elif not self.complete:
            raise SyntaxFault("missing argument.", end)
        if self._fresh:
            self._found.append(tuple(self.body))
        if self._purpose is Purpose.EDIT and not (self.body and self.statement.has_body and self._fresh):
            raise SyntaxFault("syntax error.", end)
        return self._found

    def _emit(self, step: Step) -> None:
        self._found.append((*self.body, step))
        self._fresh = False
        self.pending = None
        self._ended = self._purpose is not Purpose.SET

    def _resolve(self, word: Token) -> Statement:
        statement = self.statement
        exact = statement.child(word.text) if word.text else None
        if exact is not None:
            return exact
        named = [Choice(child.name, child.help) for child in statement.children if child.name]
        keyless = statement.keyless
        if statement.is_value and not self._fresh:
            keyless = None  # its one value is already set
        if keyless is not None and not any(choice.name == word.text for choice in named):
            return keyless
        chosen = choose(word, named)
        child = statement.child(chosen.name) if chosen else None
        if child is None:
            raise SyntaxFault("syntax error.", word.column)
        return child

    def _take_value(self, statement: Statement, word: Token) -> None:
        if statement.kind is Kind.VALUES and not word.quoted and word.text in ("[", "]") and self._expression is None:
            self._bracket(word)
            return
        name, dot, unit = word.text.partition(".")
        if dot and isinstance(statement.value, InterfaceName) and not statement.value.logical:
            self._take_value(statement, replace(word, text=name))  # `ge-0/0/0.0` stands for `ge-0/0/0 unit 0`
            self.feed(replace(word, text="unit"))
            self.feed(replace(word, text=unit))
            return
        if isinstance(statement.value, PolicyName) and not word.quoted:
            collected = self._collected(word)
            if collected is None:
                return
            word = collected
        key = self._stored(statement, word)
        if statement.kind is Kind.ENTRY:
            self.body.append(Step(statement, key))
            self.pending = None
            self._fresh = True
        elif self._in_brackets:
            self._found.append((*self.body, Step(statement, key)))
        else:
            self._emit(Step(statement, key))

    def _collected(self, word: Token) -> Token | None:
        """Return the word, or the whole parenthesized expression that it closes; None while one is open."""
        if self._expression is not None:
            first = self._expression
            word = replace(first, text=f"{first.text} {word.text}")
        elif not is_expression(word.text):
            return word
        self._expression = word if is_open(word.text) else None
        return None if self._expression is not None else word

    def _bracket(self, word: Token) -> None:
        if self._in_brackets == (word.text == "["):
            raise SyntaxFault("syntax error.", word.column)
        self._in_brackets = word.text == "["
        if not self._in_brackets:
            self.pending = None
            self._fresh = False
            self._ended = self._purpose is not Purpose.SET

    def _stored(self, statement: Statement, word: Token) -> str:
        if statement.secret:
            self.secrets.append(word)
        if statement.value is None:
            raise SyntaxFault("syntax error.", word.column)
        text = word.text
        if self._may_be_pattern(statement) and _PATTERN.fullmatch(text):
            return text
        if statement.value.choices:
            chosen = choose(word, statement.value.choices)
            if chosen is None:
                raise SyntaxFault("syntax error.", word.column)
            text = chosen.name
        try:
            return statement.value.store(text, self._context)
        except ValueFault as fault:
            raise SyntaxFault(fault.message, word.column) from None

    def _may_be_pattern(self, statement: Statement) -> bool:
        """Return whether a wildcard (`<*>`) may stand for a key: only inside `groups G`."""
        return statement.kind is Kind.ENTRY and len(self.body) > 1 and self.body[0].statement.name == GROUPS

    def completions(self, tree: Node | None) -> list[Completion]:
        """Return what may come next; the existing keys of `tree`, the candidate, are offered too."""
        if self._text is not None or (self.pending is None and self.statement.kind is Kind.OPAQUE):
            return [ENTER]
        if self.pending is not None:
            return [*([ENTER] if self.complete else []), *self._value_completions(self.pending, tree)]
        found = [ENTER] if self.complete else []
        if self._ended:
            return found
        statement = self.statement
        if statement.keyless is not None:
            found += self._value_completions(statement.keyless, tree)
        named = sorted((child for child in statement.children if child.name), key=lambda child: child.name)
        wanted = (child for child in named if self._purpose is not Purpose.EDIT or child.has_body)
        return found + [Completion(child.name, child.help, _mark(child)) for child in wanted]

    def _value_completions(self, statement: Statement, tree: Node | None) -> list[Completion]:
        value = statement.value
        if value is None:
            return []
        if value.choices:
            return [Completion(choice.name, choice.help) for choice in value.choices]
        here = tree.at(self.body) if tree is not None else None
        present = here.entries(statement.name) if here is not None and statement.kind is not Kind.LEAF else []
        known = [
            Completion(node.key, statement.help, _mark(statement), variable=True)
            for node in present
            if node.key is not None
        ]
        name = statement.name or statement.help.lower().replace(" ", "-")
        text = f"{statement.help} {value.hint}".rstrip()
        opening = (
            [Completion("[", "Open a set of values")] if statement.kind is Kind.VALUES and not self._in_brackets else []
        )
        return [*known, Completion(f"<{name}>", text, literal=False), *opening]


def _may_be_empty(statement: Statement) -> bool:
    """Return whether a statement with a body may be set without anything in it."""
    return statement.kind is Kind.ENTRY or statement.presence


def _mark(statement: Statement) -> str:
    if statement.has_body:
        return ">"
    return "+" if statement.kind is Kind.VALUES else " "


def parse(
    root: Statement, base: Path, words: Sequence[Token], purpose: Purpose, context: EntryContext, *, end: int
) -> list[Path]:
    """Return the paths that `words` name below `base`; without words, `base` itself.

    `end` is the column after the line. Raises SyntaxFault at the column of a wrong word, or at `end` for a missing one.
    """
    walk = Walk(root, base, purpose, context)
    for word in words:
        walk.feed(word)
    return walk.finish(end)
