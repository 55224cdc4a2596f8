"""Configuration text to key chains: set commands, the curly form, whole configurations of either form.

Of a whole configuration only `security authentication-key-chains` is read, and what could bear on it. A text copied from a terminal may keep its prompts and `[edit]` lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from harness.errors import Where
from harness.keychain.junostext.statements import Draft, Places, chains_of
from harness.keychain.junostext.text import Source, Word, unquoted
from harness.keychain.model import Keychain

_CHAINS = "authentication-key-chains"
# A prompt goes, what was typed after it stays, but for commands that only ask.
_PROMPT = re.compile(
    r"^(?:\{[a-z]+[^}\n]*\}[ \t]*)?[\w.-]+@[\w.:-]+[>#%](?:[ \t]+|$)(?:(?:run[ \t]+)?(?:show|cli)\b[^\n]*)?",
    re.MULTILINE,
)
_EDIT_LINE = r"\[edit[^\]\n]*\]"
_BANNER = re.compile(
    r"^[ \t]*(?:\{(?:master|backup|line|primary|secondary)[^}\n]*\}"
    rf"(?:[ \t]*{_EDIT_LINE})?|{_EDIT_LINE})[ \t]*\r?$",
    re.MULTILINE,
)
_SET_WORD = re.compile(r'[ \t]*(?:(?P<string>"(?:[^"\\\n]|\\.)*")(?=\s|$)|(?P<open>")|(?P<word>[^\s]+))', re.MULTILINE)
_CURLY_TOKEN = re.compile(
    r"""[ \t\r\n\f]*(?:
        (?P<comment>\#[^\n]*|/\*.*?\*/)
      | (?P<open_comment>/\*)
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<open_string>")
      | (?P<mark>[{};\[\]])
      | (?P<word>[^\s{};\[\]"]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_DEPTH_MAX = 100
"""Levels; Junos' own hierarchy has some twenty. Keeps a hostile text from taking time in the square of its length."""
_EDITS = ("set", "delete", "deactivate", "activate")
_MOVES = ("edit", "top", "up", "exit", "quit")
# They change nothing, or nothing about keys.
_IDLE = ("show", "run", "commit", "configure", "annotate", "protect", "unprotect", "status", "help", "save")
# They move statements about in ways that are not followed here.
_SHUFFLES = ("rename", "copy", "insert", "replace", "wildcard")
_BRINGS = ("load", "rollback")
_COMMANDS = frozenset((*_EDITS, *_MOVES, *_IDLE, *_SHUFFLES, *_BRINGS))


@dataclass(frozen=True, slots=True)
class Configuration:
    """The chains of one text, in its order, and where each part of them stands."""

    source: str
    chains: tuple[Keychain, ...]
    places: Places = field(repr=False, default_factory=dict)

    def where(self, chain: str, key: int | None = None, statement: str | None = None) -> Where:
        """Return the place of a chain, of its key, or of the key's statement; else of what stands around it."""
        for loc in ((chain, key, statement), (chain, key, None), (chain, None, None)):
            if loc in self.places:
                return self.places[loc]
        return Where(self.source)


def parse(text: str, *, source: str, default_zone: tzinfo = UTC) -> list[Keychain]:
    """Return the key chains of a configuration text; none is an empty list.

    Args:
        text: set commands (one statement or several attributes a line), the curly form from any level between the
            whole configuration and a key-chain, or a whole configuration in either form.
        source: what to call the text in errors, such as the file's path.
        default_zone: the router's zone, meant by start-times that name none.

    Raises:
        KeychainTextError: the text cannot be read; names line and column.
    """
    return list(read(text, source=source, default_zone=default_zone).chains)


def read(text: str, *, source: str, default_zone: tzinfo = UTC) -> Configuration:
    """Return the key chains of a configuration text with the places of their parts; see `parse`."""
    origin = Source(source, text.removeprefix("\ufeff"))
    _refuse_other_formats(origin)
    draft = Draft(origin)
    blanked = _blanked(origin.text)
    if _is_set_form(blanked):
        _SetReader(origin, draft).read(blanked)
    else:
        _CurlyReader(origin, draft).read(blanked)
    chains, places = chains_of(draft, default_zone)
    return Configuration(source, chains, places)


def _refuse_other_formats(source: Source) -> None:
    remedy = "`show configuration` plain or with `| display set` is read"
    if "\0" in source.text:
        raise source.error("this is no text: it holds a NUL character", source.text.index("\0"), remedy=remedy)
    start = re.match(r'\s*(<|\{\s*")', source.text)
    if start:
        kind = "XML" if start[1] == "<" else "JSON"
        raise source.error(f"this looks like {kind}, which is not read here", start.start(1), remedy=remedy)


def _is_set_form(text: str) -> bool:
    """Say which form a text (without a terminal's trimmings) has, by its first line that is no comment."""
    for line in text.splitlines():
        words = line.split(maxsplit=1)
        if words and not words[0].startswith(("#", "/*")):
            return words[0] in _COMMANDS
    return False


def _blanked(text: str) -> str:
    """Return `text` with a terminal's trimmings overwritten by spaces, so that offsets stay."""
    for trimming in (_BANNER, _PROMPT):
        text = trimming.sub(lambda found: " " * len(found.group()), text)
    return text


class _Groups:
    """Configuration groups are not expanded; this notices when that would matter."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._with_chains: dict[str, int] = {}
        self._applied: set[str] = set()

    def defined(self, words: Sequence[Word]) -> None:
        """Take note of a statement below `groups` (its first word is the group's name)."""
        if any(word.text == _CHAINS for word in words[1:3]):
            self._with_chains.setdefault(words[0].text, words[0].offset)

    def applied(self, words: Sequence[Word]) -> None:
        """Take note of the names after `apply-groups`."""
        self._applied.update(word.text for word in words)

    def check(self) -> None:
        """Raise KeychainTextError when a group with key chains is applied."""
        for name, offset in self._with_chains.items():
            if name in self._applied:
                raise self._source.error(
                    "key chains that come from a configuration group are not expanded here",
                    offset,
                    remedy="write them out, as `show configuration | display inheritance` does, without `groups`",
                )


def _inside(words: Sequence[Word]) -> Sequence[Word] | None:
    """Return the words after `authentication-key-chains`, or None when a statement is about something else."""
    texts = [word.text for word in words[:2]]
    if texts == ["security", _CHAINS]:
        return words[2:]
    if texts[:1] == [_CHAINS]:
        return words[1:]
    return words if texts[:1] == ["key-chain"] else None


class _SetReader:
    """Set commands, line by line, with the level that `edit` has gone to."""

    def __init__(self, source: Source, draft: Draft) -> None:
        self._source = source
        self._draft = draft
        self._groups = _Groups(source)
        self._levels: list[list[Word]] = []

    def read(self, text: str) -> None:
        in_comment = False
        offset = 0
        for line in text.split("\n"):
            stripped = line.strip()
            if in_comment or stripped.startswith("/*"):
                in_comment = "*/" not in stripped
            elif stripped and not stripped.startswith("#") and not self._elsewhere(stripped):
                self._command(list(self._words(text, offset, offset + len(line))), offset + len(line.rstrip()))
            offset += len(line) + 1
        self._groups.check()

    def _elsewhere(self, line: str) -> bool:
        """Say at a glance whether a line sets something else: so are nearly all lines of a whole configuration."""
        return line.startswith("set ") and not self._levels and _CHAINS not in line and "groups" not in line

    def _words(self, text: str, begin: int, end: int) -> Iterator[Word]:
        position = begin
        while found := _SET_WORD.match(text, position, end):
            position = found.end()
            if found["open"]:
                raise self._source.error("a quote opens here and is not closed as it should be", found.start("open"))
            if found["string"]:
                yield Word(unquoted(found["string"]), found.start("string"), quoted=True)
            elif found["word"].startswith("#"):
                return
            else:
                yield Word(found["word"], found.start("word"))

    def _command(self, words: Sequence[Word], end: int) -> None:
        if not words:
            return
        verb, rest = words[0], words[1:]
        if verb.quoted or verb.text not in _COMMANDS:
            raise self._source.error(
                "this line does not begin with a configuration command",
                verb.offset,
                remedy=f"one command a line: {', '.join(_EDITS)}, {', '.join(_MOVES)}",
            )
        if verb.text in _MOVES:
            self._move(verb, rest)
            return
        if verb.text in _BRINGS:
            raise self._source.error("what this command brings in cannot be known from the text", verb.offset)
        statement = [*self._level(), *rest]
        if verb.text in _SHUFFLES:
            if any(word.text == _CHAINS for word in statement):
                raise self._source.error(
                    f"'{verb.text}' on key chains is not followed here",
                    verb.offset,
                    remedy="write it as set and delete",
                )
        elif verb.text in _EDITS:
            self._edit(verb, statement, end)

    def _level(self) -> Sequence[Word]:
        return self._levels[-1] if self._levels else ()

    def _move(self, verb: Word, rest: Sequence[Word]) -> None:
        if verb.text == "edit":
            if len(self._levels) >= _DEPTH_MAX:
                raise self._source.error(f"more than {_DEPTH_MAX} levels of `edit` without `top`", verb.offset)
            self._levels.append([*self._level(), *rest])
        elif verb.text == "up":
            self._up(verb, rest)
        elif verb.text == "top":
            self._levels.clear()
            if rest:
                self._command(rest, rest[-1].offset)
        elif self._levels:  # exit and quit go back to where the last `edit` came from
            self._levels.pop()

    def _up(self, verb: Word, rest: Sequence[Word]) -> None:
        count = rest[0].text if rest else "1"
        level = list(self._level())
        for _ in range(int(count) if count.isascii() and count.isdecimal() and len(count) == 1 else 0):
            if level and level[0].text != "security":
                # Elsewhere it is not known here which words make up one level.
                raise self._source.error("'up' is followed only inside `security`", verb.offset, remedy="write `top`")
            named = len(level) > 1 and level[-2].text in ("key-chain", "key")
            del level[-2 if named else -1 :]
        self._levels.append(level)

    def _edit(self, verb: Word, statement: Sequence[Word], end: int) -> None:
        texts = [word.text for word in statement[:3]]
        if texts[:1] == ["groups"]:
            self._groups.defined(statement[1:])
            return
        for depth in range(3):
            if texts[depth : depth + 1] == ["apply-groups"] and texts[:depth] == ["security", _CHAINS][:depth]:
                self._groups.applied(statement[depth + 1 :])
        inside = _inside(statement)
        if inside is None:
            if verb.text != "set" and texts in ([], ["security"]):
                self._whole(verb)
            return
        if verb.text == "set":
            self._draft.set(inside, end)
        elif verb.text == "delete":
            self._draft.delete(inside, end)
        else:
            self._draft.deactivate(inside, end, active=verb.text == "activate")

    def _whole(self, verb: Word) -> None:
        """Do what `delete security` and the like do to all chains."""
        if verb.text == "delete":
            self._draft.delete((), verb.offset)
        else:
            self._draft.deactivate((), verb.offset, active=verb.text == "activate")


@dataclass(slots=True)
class _Level:
    """One open brace: the words before it, where it stands, and whether what is inside does not count."""

    words: list[Word]
    offset: int
    void: bool = False


class _CurlyReader:
    """The curly form, token by token, with the stack of open braces."""

    def __init__(self, source: Source, draft: Draft) -> None:
        self._source = source
        self._draft = draft
        self._groups = _Groups(source)
        self._stack: list[_Level] = []
        self._words: list[Word] = []
        self._bracket: int | None = None

    def read(self, text: str) -> None:
        handlers: Mapping[str, Callable[[int], None]] = {
            "{": self._open, "}": self._close, ";": self._end, "[": self._open_list, "]": self._close_list,
        }  # fmt: skip
        end = 0
        for word, mark in self._tokens(text):
            end = word.offset
            if mark:
                handlers[word.text](word.offset)
            else:
                self._words.append(word)
        if self._words:
            raise self._source.error("the last statement does not end: a ';' is missing", end)
        if self._stack:
            raise self._source.error("this brace is never closed", self._stack[-1].offset)
        self._groups.check()

    def _tokens(self, text: str) -> Iterator[tuple[Word, bool]]:
        position = 0
        while found := _CURLY_TOKEN.match(text, position):
            position = found.end()
            kind = str(found.lastgroup)
            start = found.start(kind)
            if kind == "open_comment":
                raise self._source.error("a comment opens here and is never closed", start)
            if kind == "open_string":
                raise self._source.error("a quote opens here and is never closed", start)
            if kind == "string":
                yield Word(unquoted(found[kind]), start, quoted=True), False
            elif kind != "comment":
                yield Word(found[kind], start), kind == "mark"

    def _take(self) -> tuple[list[Word], set[str]]:
        """Return the words since the last mark without their tags (`inactive:` and the like), and the tags."""
        words, self._words = self._words, []
        tags: set[str] = set()
        while words and not words[0].quoted and words[0].text in _TAGS:
            tags.add(words.pop(0).text)
        return words, tags

    def _open(self, offset: int) -> None:
        self._no_list(offset)
        words, tags = self._take()
        if not words:
            raise self._source.error("a brace opens here without a statement before it", offset)
        if len(self._stack) >= _DEPTH_MAX:
            raise self._source.error(f"more than {_DEPTH_MAX} braces are open here", offset)
        self._statement(words, tags, offset)
        # What is above the chains has no draft that could be inactive.
        above = words[0].text in ("security", _CHAINS)
        self._stack.append(_Level(words, offset, void="delete:" in tags or (above and "inactive:" in tags)))

    def _close(self, offset: int) -> None:
        self._no_list(offset)
        if self._words:
            raise self._source.error("a ';' is missing before this brace", offset)
        if not self._stack:
            raise self._source.error("this brace closes nothing", offset)
        self._stack.pop()

    def _end(self, offset: int) -> None:
        self._no_list(offset)
        words, tags = self._take()
        if not words:
            raise self._source.error("a ';' stands here without a statement before it", offset)
        self._statement(words, tags, offset)

    def _open_list(self, offset: int) -> None:
        self._no_list(offset)
        self._bracket = offset

    def _close_list(self, offset: int) -> None:
        if self._bracket is None:
            raise self._source.error("this bracket closes nothing", offset)
        self._bracket = None

    def _no_list(self, offset: int) -> None:
        if self._bracket is not None:
            raise self._source.error("a ']' is missing before this", offset)

    def _statement(self, words: Sequence[Word], tags: set[str], end: int) -> None:
        root = (self._stack[0].words if self._stack else words)[0].text
        if root not in _ROOTS or any(level.void for level in self._stack):
            return
        statement = [*(word for level in self._stack for word in level.words), *words]
        if root == "groups":
            self._groups.defined(statement[1:])
        elif words[0].text == "apply-groups" and len(statement) - len(words) <= len(("security", _CHAINS)):
            self._groups.applied(words[1:])
        elif root == "key" and len(words) > 1 and words[1].text.isdecimal():
            raise self._source.error(
                "these keys stand outside any key-chain, so its name is not known",
                words[0].offset,
                remedy="put `key-chain NAME { … }` around them",
            )
        elif (inside := _inside(statement)) is not None and "delete:" not in tags:
            self._draft.set(inside, end, inactive="inactive:" in tags)


_TAGS = frozenset(("inactive:", "protect:", "replace:", "delete:", "active:", "merge:"))
_ROOTS = frozenset(("security", _CHAINS, "key-chain", "key", "groups", "apply-groups"))
