"""Curly text, `set` lines and what a terminal adds, read line by line into one tree.

A text may change its form from line to line, as a console log does. Nearly all lines of a real configuration are one
statement each and take the short way (`_PLAIN`); the others are cut into words one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from keyroll.configuration import console
from keyroll.configuration.findings import ConfigurationError, Kind, Note, Path
from keyroll.configuration.placeholders import UNCLOSED
from keyroll.configuration.tree import INACTIVE, OMITTED, PROTECTED, TYPED, Node
from keyroll.configuration.words import ROOT, SYSTEMS, container_of, steps
from keyroll.errors import Where

DEPTH_MAX = 100
"""Levels; Junos' own hierarchy has some twenty. Keeps a hostile text from taking time in the square of its length."""
_ODD = "\x1c-\x1f\x85\xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000"
"""Blanks that no router takes for one; a web page or a word processor puts them in. They stay part of a word."""
_WORDS = rf"[^{{}};\"#\[\]\x1b\x08({_ODD}]+"
_PLAIN = re.compile(rf"{_WORDS}(?:\"(?P<string>[^\"\\{_ODD}]*)\")?[;{{]")
"""One statement or the head of one level, alone on its line: no comment, no list, at most one string, at its end."""
_PLAIN_SET = re.compile(rf"{_WORDS}(?:\"(?P<string>[^\"\\{_ODD}]*)\")?")
"""The same of a line in set form."""
_TOKEN = re.compile(
    r"""[ \t\f\v\r]*(?:
        (?P<note>\#.*)
      | /\*(?P<comment>.*?)\*/
      | (?P<opened>/\*.*)
      | "(?P<string>(?:[^"\\]|\\.)*)"(?=[ \t\f\v;{}\]]|$)
      | (?P<stray>".*)
      | (?P<mark>[{};\[\]])
      | (?P<word><[^ \t\f\v;{}]*|[^ \t\f\v{};\[\]"]+)
    )""",
    re.VERBOSE,
)
_MARKS = (*"{};#[](\x1b\x08\x1c\x1d\x1e\x1f", "/*")
"""What makes a line of ASCII text other than plain words and a string, beside the quote."""
_PIECE = 8_000
"""Characters, some hundred lines: small enough that a list in one line costs only its neighbours the closer look."""
_ESCAPED = re.compile(r'\\(["\\])')
_TAGS = frozenset(("inactive:", "protect:", "replace:", "delete:", "active:", "merge:"))
_EDITS = frozenset(("set", "delete", "deactivate", "activate"))
_PROTECTIONS = frozenset(("protect", "unprotect"))
_MOVES = frozenset(("edit", "top", "up", "exit", "quit"))
_IDLE = frozenset(("show", "run", "commit", "configure", "annotate", "status", "help", "save", "insert"))
"""They change nothing, or nothing that is judged."""
_MOVING = frozenset(("rename", "copy"))
_UNKNOWN = frozenset(("load", "rollback", "replace", "wildcard"))
COMMANDS = _EDITS | _PROTECTIONS | _MOVES | _IDLE | _MOVING | _UNKNOWN
_LEFT_OUT = frozenset(("SECRET-DATA", "ACCESS-DENIED", "OMITTED"))
"""Comments that stand where a value was."""
_INHERITED = re.compile(r"'.*' was (?:inherited|expanded) from group|inherited from group '")
_WARNING = re.compile(r"#+\s*Warning:\s*(.*)", re.IGNORECASE)


@dataclass(slots=True)
class _Open:
    """One open brace: its node, how many words of the path were there before it, its line."""

    node: Node
    length: int
    line: int


@dataclass(slots=True)
class TextReader:
    """Reads one text into `root`. `first` is the line number, counted through, of its first line."""

    root: Node
    report: Note
    source: str
    first: int = 1
    inherited: bool = False
    """Whether the text says that groups were expanded already (`display inheritance`)."""
    lines: int = 0
    statements: int = 0
    path: list[str] = field(default_factory=list)
    _node: Node = field(init=False)
    _stack: list[_Open] = field(default_factory=list)
    _words: list[str] = field(default_factory=list)
    _list: list[str] | None = None
    _closed: bool = True
    _base: tuple[str, ...] = ()
    _edits: list[tuple[str, ...]] = field(default_factory=list)
    _absolute: bool = False
    _skipping: bool = False
    _in_comment: bool = False
    _line: int = 0
    _started: int = 0
    _warnings: list[tuple[int, str]] = field(default_factory=list)
    _host: str | None = None
    _system: tuple[str, ...] = ()
    """The logical system or tenant that the login works in: levels and lines count from there."""
    _shared: dict[str, str] = field(default_factory=dict)
    """Each word once: a text of 100,000 lines has 500,000 words and some 50,000 different ones."""

    def __post_init__(self) -> None:
        self._node = self.root

    # One loop without a call for each line: most lines of 100,000 end here.
    def read(self, text: str) -> None:  # noqa: C901, PLR0912, PLR0915 - see above
        """Read all lines; raises ConfigurationError where braces nest deeper than any configuration."""
        plain, plain_set, share = _PLAIN.fullmatch, _PLAIN_SET.fullmatch, self._shared.setdefault
        root, number = self.root, self.first - 1
        idle, whole = True, self._whole()
        for piece, simple in _pieces(text):
            for line in piece.split("\n"):
                number += 1
                stripped = line.strip()
                if not stripped:
                    continue
                if idle:
                    if stripped[:4] == "set ":
                        if whole:
                            words = None
                            if simple and '"' not in stripped:
                                words = stripped[4:].split()
                            elif (found := plain_set(stripped)) is not None and "/*" not in stripped:
                                words = _split(stripped, found)
                            if words is not None:
                                # Most lines of a text in set form, so without a call for each.
                                self.statements += 1
                                node = root
                                for word in words:
                                    child = node.get(word)
                                    if child is None:
                                        child = node[share(word, word)] = Node(number, TYPED)
                                    node = child
                                node.line = number
                                continue
                    elif stripped == "}":
                        self._line = number
                        self._close()
                        whole = self._whole()
                        continue
                    elif stripped[-1] in ";{" and (found := plain(stripped)) is not None and "/*" not in stripped:
                        words = _split(stripped, found)
                        if words and words[0] not in COMMANDS:
                            self._line = self._started = number
                            if stripped[-1] == "{":
                                self._words = words
                                self._open()
                                whole = False
                            elif words[0] in _TAGS or self._warnings or self._list is not None:
                                self._words = words
                                self._end()
                            else:
                                # The statement of one line: most lines of curly text.
                                self.statements += 1
                                node = self._node
                                for word in words:
                                    child = node.get(word)
                                    if child is None:
                                        child = node[share(word, word)] = Node(number)
                                    node = child
                                node.line = number
                            continue
                self._line = number
                self._any(stripped)
                idle = not (self._words or self._skipping or self._in_comment)
                whole = self._whole()
        self.lines = number - self.first + 1
        self._finish()

    def _whole(self) -> bool:
        """Say whether a set line here begins at the top of the configuration."""
        return not self._stack and not self._system and (not self._base or self._absolute)

    # The long way: anything a line may be.

    def _any(self, line: str) -> None:
        if "\x1b" in line or "\x08" in line or "\r" in line or "---" in line or "--M" in line:
            line = console.cleaned(line)
            if not line:
                return
        if self._in_comment:
            self._comment_goes_on(line)
            return
        if self._session_line(line) or self._skipping:
            return
        if not self._stack and not self._words and self._list is None:
            word = line.split(None, 1)[0]
            if word in COMMANDS and line[-1] not in "{;":
                self._command(line)
                return
            if console.is_noise(line):
                return
        self._cut(line)

    def _session_line(self, line: str) -> bool:
        """Take a prompt, a banner or an echoed command; say whether it was one."""
        first = line[0]
        if first in "[{":
            found = console.BANNER.fullmatch(line)
            if found is not None:
                self._section((*self._system, *(found["level"] or "").split()))
                self._edits = []
                return True
        prompt = console.PROMPT.fullmatch(line) if "@" in line else None
        if prompt is not None:
            self._prompt(prompt["mark"], prompt["command"] or "", prompt["name"], prompt["level"])
            return True
        if not self._stack and not self._words:
            bare = console.BARE_PROMPT.fullmatch(line)
            if bare is not None:
                self._prompt(bare["mark"], bare["command"], bare["name"], None)
                return True
            shown = console.shown(line)
            if shown is not None:
                self._section(container_of(shown.level))
                self._absolute = shown.set_form and not shown.relative
                return True
        return False

    def _prompt(self, mark: str, command: str, name: str, level: str | None) -> None:
        host, _, system = name.partition(":")
        if self._host is not None and host != self._host:
            self.report(
                Kind.UNKNOWN_EFFECT, "another router's prompt stands here: one text is one router", self._line, ()
            )
        self._host = host
        if mark != "%":
            self._enter(system)
        base = (*self._system, *level.split()) if level is not None else self._base
        if mark == "#":
            self._section(base)
            if command.startswith("show"):
                command = re.sub(r"show(?: configuration)?", "show configuration", command, count=1)
                shown = console.shown(command)
                if shown is not None:
                    self._section(container_of((*base, *shown.level)))
                    self._base_after_show(base)
                    self._absolute = shown.set_form and not shown.relative
            elif command:
                self._command(command)
            return
        shown = console.shown(command)
        self._section(container_of((*self._system, *(shown.level if shown is not None else ()))))
        self._absolute = shown is not None and shown.set_form and not shown.relative
        self._skipping = shown is None and bool(command) and not _prints_configuration(command)
        typed = console.SYSTEM.fullmatch(command)
        if typed is not None:
            word = "tenants" if typed["kind"][:1] == "t" else "logical-systems"
            self._system = (word, typed["name"]) if typed["verb"] == "set" and typed["name"] else ()

    def _enter(self, shown: str) -> None:
        """Go to the logical system that a prompt shows, `host:X>`; none is the main router."""
        if self._system[1:] == ((shown,) if shown else ()):
            return
        if not shown:
            self.report(
                Kind.UNKNOWN_EFFECT,
                "a logical system was entered, and the prompt does not show it: whose lines follow is not known",
                self._line,
                (),
            )
            return
        self._system = ("logical-systems", shown)

    def _base_after_show(self, base: tuple[str, ...]) -> None:
        """Remember the level that commands count from; the output of `show` stood below it."""
        self._edits = [base]

    def _section(self, level: tuple[str, ...]) -> None:
        """Begin at `level`: what stood open before was cut."""
        self._cut_off()
        self._base = level
        self._absolute = False
        self._skipping = False
        self._to_base()

    def _to_base(self) -> None:
        self.path = list(self._base)
        self._node = self.root.make(self._base, self._line) if self._base else self.root

    def _cut_off(self) -> None:
        if self._words or self._list is not None:
            self._lost("this statement does not end: a ';' is missing", self._started)
            self._words, self._list = [], None
        if self._stack:
            opened = self._stack[0]
            self.report(Kind.NOT_UNDERSTOOD, "this brace is never closed", opened.line, self._outer_path())
            self._stack.clear()
        self._warn(tuple(self.path))

    def _outer_path(self) -> Path:
        return tuple(self.path[: self._stack[0].length])

    def _finish(self) -> None:
        if self._in_comment:
            self.report(
                Kind.NOT_UNDERSTOOD, "a comment opens here and is never closed", self._started, tuple(self.path)
            )
        self._cut_off()

    # Curly text.

    def _cut(self, line: str) -> None:
        """Cut a line into words and marks."""
        position = 0
        while found := _TOKEN.match(line, position):
            position = found.end()
            kind = found.lastgroup
            text = found[kind] if kind else ""
            if kind == "word":
                self._word(text)
            elif kind == "mark":
                self._mark(text)
            elif kind == "string":
                self._word(_ESCAPED.sub(r"\1", text) if "\\" in text else text)
            elif kind == "note":
                self._note(text)
                return
            elif kind == "comment":
                self._comment(text)
            elif kind == "opened":
                self._in_comment, self._started = True, self._line
                return
            else:
                self._stray(text)
                return

    def _word(self, word: str) -> None:
        if self._list is not None:
            self._list.append(word)
            return
        if not self._words:
            self._started = self._line
        self._words.append(word)

    def _stray(self, text: str) -> None:
        """Take a quote without its end: it damages its own line alone."""
        self._lost("a quote opens here and is not closed on its line", self._line)
        # Not kept as a word: words become names, and this may hold anything, a secret too.
        self._word(UNCLOSED)
        mark = text.rstrip()[-1:]
        if mark in {";", "{"}:
            self._mark(mark)

    def _lost(self, message: str, line: int) -> None:
        self.report(Kind.NOT_UNDERSTOOD, message, line, (*self.path, *self._words[:1]))

    def _mark(self, mark: str) -> None:
        if mark == "[":
            if self._list is not None:
                self._lost("a '[' stands inside a list", self._line)
            self._list, self._closed = [], False
        elif mark == "]":
            if self._list is None:
                self._lost("this ']' closes nothing", self._line)
            self._closed = True
        elif mark == ";":
            self._end()
        elif mark == "{":
            self._open()
        else:
            self._close()

    def _take(self) -> tuple[Node, int, tuple[str, ...]]:
        """Walk the words since the last mark; return their node, flags, and the words without tags."""
        words = self._words
        flags = 0
        while words and words[0] in _TAGS:
            tag = words.pop(0)
            flags |= INACTIVE if tag == "inactive:" else PROTECTED if tag == "protect:" else 0
            if tag == "delete:":
                flags |= _DELETE
        node, line = self._node, self._line
        for word in words:
            child = node.get(word)
            if child is None:
                child = node[word] = Node(line)
            node = child
        node.line = line
        node.flags |= flags & (INACTIVE | PROTECTED)
        if self._warnings:
            self._warn((*self.path, *words))
        return node, flags, tuple(words)

    def _end(self) -> None:
        self.statements += 1
        if self._list is not None:
            self._end_list()
            return
        if not self._words:
            if self._node.flags & OMITTED or self._line:
                pass  # `{ /* OMITTED */ };` ends twice; a ';' alone says nothing
            return
        _, flags, words = self._take()
        self._words = []
        if flags & _DELETE:
            _delete(self._node, words)

    def _end_list(self) -> None:
        values, self._list = self._list or [], None
        if not self._closed:
            # Its words are not kept: any word of the line may have got into the list.
            self._lost("a ']' is missing before this", self._line)
            self._words = []
            return
        node, flags, words = self._take()
        self._words = []
        for value in values:
            child = node.get(value)
            if child is None:
                child = node[value] = Node(self._line)
            child.line = self._line
            if flags & INACTIVE:
                child.flags |= INACTIVE
        if flags & INACTIVE:
            node.flags &= ~INACTIVE
        if flags & _DELETE:
            _delete(self._node, words)

    def _open(self) -> None:
        if self._list is not None:
            self._lost("a ']' is missing before this brace", self._line)
            self._list = None
        if not self._words:
            self._lost("a brace opens here without a statement before it", self._line)
        if len(self._stack) >= DEPTH_MAX:
            raise ConfigurationError(
                f"more than {DEPTH_MAX} braces are open here", where=Where(self.source, self._line - self.first + 1)
            )
        node, _, words = self._take()
        self._words = []
        self._stack.append(_Open(self._node, len(self.path), self._line))
        self.path.extend(words)
        self._node = node

    def _close(self) -> None:
        if self._words or self._list is not None:
            self._lost("a ';' is missing before this brace", self._started)
            self._words, self._list = [], None
        if not self._stack:
            self.report(Kind.NOT_UNDERSTOOD, "this brace closes nothing", self._line, tuple(self.path))
            return
        if self._warnings:
            self._warn(tuple(self.path))
        opened = self._stack.pop()
        del self.path[opened.length :]
        self._node = opened.node

    # Comments.

    def _note(self, text: str) -> None:
        if _INHERITED.search(text):
            self.inherited = True
            return
        found = _WARNING.match(text)
        if found is not None:
            self._warnings.append((self._line, found[1].strip()))

    def _warn(self, path: Path) -> None:
        for line, text in self._warnings:
            self.report(Kind.ROUTER_WARNING, f"the router warns here: {_harmless(text)}", line, path)
        self._warnings = []

    def _comment(self, text: str) -> None:
        said = text.strip()
        if said not in _LEFT_OUT:
            if _INHERITED.search(text):
                self.inherited = True
            return
        if self._words:
            self._words.append(f"/* {said} */")
        elif said == "OMITTED":
            self._node.flags |= OMITTED
            self._node.line = self._node.line or self._line

    def _comment_goes_on(self, line: str) -> None:
        end = line.find("*/")
        if end >= 0:
            self._in_comment = False
            if line[end + 2 :].strip():
                self._any(line[end + 2 :].strip())

    # Set lines.

    def _command(self, line: str) -> None:
        verb, *words = self._line_words(line)
        self.statements += 1
        if verb in _EDITS:
            self._edit(verb, words)
        elif verb in _PROTECTIONS:
            self._protect(verb, words)
        elif verb in _MOVES:
            self._move(verb, words)
        elif verb in _MOVING:
            self._rename(verb, words)
        elif verb in _UNKNOWN:
            self.report(
                Kind.UNKNOWN_EFFECT, f"what '{verb}' does here cannot be known from the text", self._line, self._base
            )
        elif verb not in _IDLE:
            self._lost("this line does not begin with a configuration command", self._line)

    def _line_words(self, line: str) -> list[str]:
        found = _PLAIN_SET.fullmatch(line)
        if found is not None and found["string"] is None and "/*" not in line:
            return line.split()
        words: list[str] = []
        position = 0
        while token := _TOKEN.match(line, position):
            position = token.end()
            kind = token.lastgroup
            text = token[kind] if kind else ""
            if kind == "note":
                break
            if kind == "comment":
                if text.strip() in _LEFT_OUT:
                    words.append(f"/* {text.strip()} */")
            elif kind == "string":
                value = _ESCAPED.sub(r"\1", text)
                words.append(_QUOTED.get(value, value))
            elif kind in {"stray", "opened"}:
                self.report(
                    Kind.NOT_UNDERSTOOD,
                    "a quote or comment opens here and is not closed on its line",
                    self._line,
                    (*self._base, *words[1:]),
                )
                words.append(UNCLOSED)
                break
            else:
                words.append(text)
        return words

    def _full(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return a line's path from the top: lines are relative to the level, unless they say that they are not."""
        base = self._base
        if self._absolute and words and words[0] not in SYSTEMS:
            return (*self._system, *words)
        if not base or self._absolute:
            return tuple(words)
        if words and words[0] in ROOT.statements and not _is_word_of(base, words[0]):
            return tuple(words)
        return (*base, *words)

    def _edit(self, verb: str, words: list[str]) -> None:
        path = self._full(words)
        if verb == "set":
            self._set(path)
            return
        path = tuple(_UNQUOTED.get(word, word) for word in path)
        if verb == "delete":
            _delete(self.root, path)
        else:
            node = self.root.at(path)
            if node is None:
                # Written in another way than it was set (abbreviated): what it means is not known here.
                self.report(Kind.NOT_UNDERSTOOD, f"'{verb}' names what was not set before", self._line, path[:1])
            elif verb == "deactivate":
                node.flags |= INACTIVE
            else:
                node.flags &= ~INACTIVE

    def _protect(self, verb: str, words: list[str]) -> None:
        node = self.root.at(self._full(words))
        if node is not None:  # it bears on what may be changed, and on no value
            node.flags = node.flags | PROTECTED if verb == "protect" else node.flags & ~PROTECTED

    def _set(self, path: tuple[str, ...]) -> None:
        line = self._line
        if "[" in path and "]" not in path:
            # Any word of the line may have got into the list, a secret too: they are not kept as names.
            path = path[: path.index("[")]
            self.report(Kind.NOT_UNDERSTOOD, "a ']' is missing on this line", line, path)
        if "[" in path:
            for one in _spread(path):
                self.root.make(one, line, TYPED)
            return
        node = self.root
        for word in path:
            named = _UNQUOTED.get(word, word)
            child = node.get(named)
            if child is None:
                child = node[named] = Node(line, TYPED)
            node = child
        node.line = line

    def _rename(self, verb: str, words: list[str]) -> None:
        if "to" not in words:
            self._lost(f"'{verb}' needs 'to'", self._line)
            return
        at = words.index("to")
        path = self._full(words[:at])
        target = (*path[: len(path) - len(words[at + 1 :])], *words[at + 1 :])
        node = self.root.at(path)
        if node is None:
            self.report(Kind.NOT_UNDERSTOOD, f"'{verb}' names what was not set before", self._line, path[:1])
            return
        self.root.make(target, self._line, TYPED).absorb(node.copy())
        if verb == "rename":
            _delete(self.root, path)

    def _move(self, verb: str, words: list[str]) -> None:
        if verb == "edit":
            if len(self._edits) < DEPTH_MAX:
                self._edits.append(self._base)
            self._base = (*self._base, *words)
        elif verb == "top":
            self._edits.append(self._base)
            self._base = self._system
            if words:
                base = self._edits.pop()
                self._command(" ".join(words))
                if words[0] != "edit":
                    self._base = base
        elif verb == "up":
            count = int(words[0]) if words and words[0].isdecimal() and len(words[0]) < 3 else 1  # noqa: PLR2004 - two digits
            levels = list(steps(self._base))
            self._edits.append(self._base)
            base_above = tuple(word for step in levels[: max(len(levels) - count, 0)] for word in step)
            self._base = base_above if len(base_above) >= len(self._system) else self._system
        else:
            self._base = self._edits.pop() if self._edits else self._system
        self._to_base()


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the text in pieces that end where a line ends, and whether a piece has none of the marks but quotes.

    Such a piece needs no look at each line's marks. In pieces, because the list of all lines of a text takes three
    times its memory.
    """
    begin = 0
    while begin <= len(text):
        end = text.find("\n", begin + _PIECE)
        end = len(text) if end < 0 else end
        piece = text[begin:end]
        yield piece, piece.isascii() and not any(mark in piece for mark in _MARKS)
        begin = end + 1


def _split(line: str, found: re.Match[str]) -> list[str]:
    """Return the words of a plain line; of a set line, without `set`."""
    string = found["string"]
    start = 4 if line[:4] == "set " else 0
    if string is None:
        return line[start:].rstrip(";{").split()
    return [*line[start : found.start("string") - 1].split(), string]


_DELETE = 1 << 10
"""Beside the flags of nodes: the statement's tag `delete:`."""


_QUOTED = {"[": '"["', "]": '"]"'}
"""A bracket in quotes is a name or a value: it keeps its quotes until the brackets of lists have been looked for."""
_UNQUOTED = {quoted: bare for bare, quoted in _QUOTED.items()}


def _spread(path: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the paths that a line with one list `[ a b ]` stands for."""
    start = path.index("[")
    end = path.index("]")
    words = [_UNQUOTED.get(word, word) for word in path]
    return [(*words[:start], value, *words[end + 1 :]) for value in words[start + 1 : end]]


def _delete(root: Node, path: Sequence[str]) -> None:
    if not path:
        root.clear()
        return
    parent = root.at(path[:-1])
    if parent is not None:
        parent.pop(path[-1], None)


def _is_word_of(base: tuple[str, ...], word: str) -> bool:
    level = ROOT
    rest = list(base)
    while rest:
        statement = level.find(rest.pop(0))
        if statement is None or statement.below is None:
            return False
        if statement.shape.value == "keyed" and rest:
            rest.pop(0)
        level = statement.below
    return word in level.statements or level.names is not None


def _prints_configuration(command: str) -> bool:
    return (
        command.startswith(("file show", "cat ", "more ", "configure", "edit", "cli"))
        or "show configuration" in command
    )


def _harmless(text: str) -> str:
    """Return a warning's text without what stands in quotes, which may be a value."""
    return re.sub(r"'[^']*'", "'…'", text)[:120]
