"""Edits a line from typed keys: echo, cursor, history, completion. Pure: takes octets, returns octets to print.

Keys are those of Junos' CLI (Emacs style): Ctrl-A E B F D H K U W Y L P N, arrows, Home, End, Delete, Tab, space
(completes keywords if enabled), `?` (help), Ctrl-C (discards the line); Escape and B, F, D or Backspace for words.
Ctrl-R is not supported. Octets without a function ring the bell, or are ignored.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

BELL = b"\a"
_RETURN, _NEWLINE, _ESCAPE, _SPACE, _TILDE, _DELETE = 0x0D, 0x0A, 0x1B, 0x20, 0x7E, 0x7F
_CTRL_C, _CTRL_D, _TAB = 0x03, 0x04, 0x09
_ESCAPE_LIMIT = 16
"""Maximum length of an escape sequence in octets: above that of any key, so a longer one is ignored."""
_FINAL = 0x40
"""The first octet that can end a control sequence (ECMA-48, section 5.4)."""
_PLAIN = re.compile(rb"[ -~]*")
_PLAIN_WORD = re.compile(rb"[!->@-~]*")
"""Octets that only insert themselves: with completion all printable ones but space and `?`."""
LINE_LIMIT = 65536
"""Maximum length of a line in characters; a longer one is refused as a whole (`junos.shell.cli.LINE_LIMIT`)."""
HISTORY_LIMIT = 200
"""Maximum number of lines in the history: limits the memory of a session that is never left."""


class Request(enum.Enum):
    """A result of a key that the editor leaves to its user."""

    LINE = enum.auto()
    HELP = enum.auto()
    INTERRUPT = enum.auto()
    END_OF_INPUT = enum.auto()
    """Ctrl-D on an empty line."""


@dataclass(frozen=True, slots=True)
class Event:
    """A request, and the line when it was made."""

    request: Request
    line: str


Completer = Callable[[str, bool], str | None]
"""(line up to the cursor, whether Tab was typed) -> text that completes the last word; None, for Tab: show help."""


def _no_completion(_line: str, _tab: bool) -> str | None:  # noqa: FBT001 - the shape of Completer
    return ""


class LineEditor:
    """One line being typed."""

    def __init__(self, complete: Completer = _no_completion) -> None:
        self._complete = complete
        self.prompt = ""
        self.width = 0
        """Width of the screen in columns, after which a line continues on the next row; 0: it never does."""
        self.echo = True
        self.completing = True
        """Whether `?`, Tab and the space bar complete words and show help."""
        self.history: list[str] = []
        self._recalled: int | None = None
        """Index in `history` of the line that is shown; None for the line being typed."""
        self._draft = ""
        """The line being typed, while one of the history is shown."""
        self._chars: list[str] = []
        self._cursor = 0
        self._killed = ""
        """The text removed last, which Ctrl-Y inserts."""
        self._escape = b""
        """The octets of an incomplete escape sequence."""
        self._after_return = False
        """Whether the last octet was a carriage return: a newline after it belongs to it."""
        self.out = bytearray()

    @property
    def line(self) -> str:
        """The line so far."""
        return "".join(self._chars)

    @property
    def at_end(self) -> bool:
        """Whether the cursor is after the last character."""
        return self._cursor == len(self._chars)

    def take(self, octets: bytearray) -> Event | None:
        """Process and remove octets from the start of `octets`, until one makes a request or none is left.

        The result is that of `feed` for each octet. Octets that only insert themselves at the end of the line, which is
        most of what programs type, are inserted together.
        """
        while octets:
            count = self._plain_octets(octets)
            if count:
                self._after_return = False
                self.insert(octets[:count].decode("ascii"))
                del octets[:count]
            elif (event := self.feed(octets.pop(0))) is not None:
                return event
        return None

    def _plain_octets(self, octets: bytearray) -> int:
        """Return how many octets from the start can be inserted together, without a change of what is printed."""
        if self._escape or not self.at_end:
            return 0
        room = LINE_LIMIT + 1 - len(self._chars)
        if self.width:  # the end of a row is printed by itself (`_wrap`)
            room = min(room, self.width - (len(self.prompt) + len(self._chars)) % self.width)
        run = (_PLAIN_WORD if self.completing else _PLAIN).match(octets, 0, max(0, room))
        return run.end() if run else 0

    def feed(self, octet: int) -> Event | None:
        """Process one octet; what is to be printed is added to `out`. Return a request, if the octet makes one."""
        if octet == _NEWLINE and self._after_return:
            self._after_return = False
            return None
        self._after_return = octet == _RETURN
        if self._escape or octet == _ESCAPE:
            self._take_escape(octet)
            return None
        if octet in (_RETURN, _NEWLINE):
            return self._enter()
        if octet < _SPACE or octet == _DELETE:
            return self._control(octet)
        if octet > _TILDE:
            self.out += BELL
            return None
        return self._printable(chr(octet))

    def _enter(self) -> Event:
        self._goto(self._cursor, len(self._chars))
        self.out += b"\r\n" if self.echo else b""
        return Event(Request.LINE, self._take_line())

    def _take_line(self) -> str:
        line = self.line
        self._chars, self._cursor, self._recalled = [], 0, None
        return line

    def remember(self, line: str) -> None:
        """Add a line to the history, unless it is empty or equal to the latest one."""
        if line.strip() and self.history[-1:] != [line]:
            self.history.append(line)
            del self.history[:-HISTORY_LIMIT]

    def _printable(self, char: str) -> Event | None:
        if self.completing and char == "?" and not self._in_quotes():
            self._goto(self._cursor, len(self._chars))
            self.out += b"?\r\n"
            return Event(Request.HELP, "".join(self._chars[: self._cursor]))
        if self.completing and char == " " and self.at_end and not self._in_quotes():
            self.insert(self._complete(self.line, False) or "")  # noqa: FBT003 - the shape of Completer
        self.insert(char)
        return None

    def _in_quotes(self) -> bool:
        return "".join(self._chars[: self._cursor]).replace('\\"', "").count('"') % 2 == 1

    def insert(self, text: str) -> None:
        """Insert text at the cursor."""
        # One character above the limit is kept, so that the command line refuses a line that was cut.
        if len(self._chars) + len(text) > LINE_LIMIT + 1:
            self.out += BELL
            return
        self._chars[self._cursor : self._cursor] = text
        self._print("".join(self._chars[self._cursor :]))
        self._cursor += len(text)
        self._wrap(len(self._chars))
        self._goto(len(self._chars), self._cursor)

    def _print(self, text: str) -> None:
        if self.echo:
            self.out += text.encode("ascii", "replace")

    def _wrap(self, position: int) -> None:
        """Move the cursor to the next row, if a row is full at `position`: terminals leave it in the last column."""
        if self.echo and self.width and position and (len(self.prompt) + position) % self.width == 0:
            self.out += b" \r"

    def _goto(self, start: int, to: int) -> None:
        """Move the cursor between two positions of the line, which may be on different rows of the screen."""
        if not self.echo or start == to:
            return
        if not self.width:
            self.out += (
                b"\b" * (start - to) if to < start else "".join(self._chars[start:to]).encode("ascii", "replace")
            )
            return
        row, column = divmod(len(self.prompt) + start, self.width)
        to_row, to_column = divmod(len(self.prompt) + to, self.width)
        if row == to_row and to < start:
            self.out += b"\b" * (start - to)
            return
        if row != to_row:
            self.out += b"\x1b[%d%c" % (abs(to_row - row), b"A" if to_row < row else b"B")
        if column != to_column:
            self.out += b"\r" + (b"\x1b[%dC" % to_column if to_column else b"")

    def _erase(self, start: int, end: int) -> str:
        """Remove characters, repaint those after them, and return the removed text."""
        removed = "".join(self._chars[start:end])
        self._goto(self._cursor, start)
        del self._chars[start:end]
        rest = "".join(self._chars[start:])
        self._print(rest + " " * len(removed))
        self._wrap(len(self._chars) + len(removed))
        self._goto(len(self._chars) + len(removed), start)
        self._cursor = start
        return removed

    def _move(self, to: int) -> None:
        to = min(max(to, 0), len(self._chars))
        self._goto(self._cursor, to)
        self._cursor = to

    def _control(self, octet: int) -> Event | None:
        if octet == _CTRL_C:
            self._goto(self._cursor, len(self._chars))
            self._take_line()
            self.out += b"^C\r\n" if self.echo else b""
            return Event(Request.INTERRUPT, "")
        if octet == _CTRL_D and not self._chars:
            return Event(Request.END_OF_INPUT, "")
        if octet == _TAB:
            return self._tab()
        action = self._KEYS.get(octet)
        if action is None:
            self.out += BELL
        else:
            action(self)
        return None

    def _tab(self) -> Event | None:
        if not self.completing:
            self.insert(" ")
            return None
        if not self.at_end:
            return None
        found = self._complete(self.line, True)  # noqa: FBT003 - the shape of Completer
        if found is None:
            self.out += b"\r\n"
            return Event(Request.HELP, self.line)
        self.insert(found)
        return None

    def _backspace(self) -> None:
        if self._cursor:
            self._erase(self._cursor - 1, self._cursor)

    def _delete_char(self) -> None:
        if not self.at_end:
            self._erase(self._cursor, self._cursor + 1)

    def _kill_line(self) -> None:
        if self._cursor:
            self._killed = self._erase(0, self._cursor)

    def _kill_end(self) -> None:
        if not self.at_end:
            self._killed = self._erase(self._cursor, len(self._chars))

    def _kill_word(self) -> None:
        text = "".join(self._chars[: self._cursor]).rstrip()
        if self._cursor:
            self._killed = self._erase(text.rfind(" ") + 1, self._cursor)

    def _word_left(self) -> None:
        self._move("".join(self._chars[: self._cursor]).rstrip().rfind(" ") + 1)

    def _word_right(self) -> None:
        self._move(self._word_end())

    def _word_end(self) -> int:
        """Return the place after the word at the cursor, or after the next one."""
        rest = "".join(self._chars[self._cursor :])
        blanks = len(rest) - len(rest.lstrip())
        end = rest.find(" ", blanks)
        return len(self._chars) if end < 0 else self._cursor + end

    def _kill_word_right(self) -> None:
        if not self.at_end:
            self._killed = self._erase(self._cursor, self._word_end())

    def _recall(self, step: int) -> None:
        """Show the line of the history `step` lines later (earlier if negative)."""
        at = len(self.history) if self._recalled is None else self._recalled
        to = at + step
        if not 0 <= to <= len(self.history):
            self.out += BELL
            return
        if self._recalled is None:
            self._draft = self.line
        self._recalled = to
        self._move(len(self._chars))
        self._erase(0, len(self._chars))
        self.insert(self._draft if to == len(self.history) else self.history[to])

    def repaint(self) -> None:
        """Print the prompt and the line again (after help, after a message)."""
        self.out += self.prompt.encode()
        self._print(self.line)
        self._wrap(len(self._chars))
        self._goto(len(self._chars), self._cursor)

    def _redraw(self) -> None:
        self.out += b"\r\n"
        self.repaint()

    def _take_escape(self, octet: int) -> None:
        self._escape += bytes([octet])
        if len(self._escape) == 1:
            return
        introducer = self._escape[1:2] in (b"[", b"O")
        if introducer and (self._escape[2:] == b"" or not _FINAL <= octet <= _TILDE):
            if len(self._escape) > _ESCAPE_LIMIT:
                self._escape = b""
            return
        sequence, self._escape = self._escape[1:], b""
        action = self._SEQUENCES.get(sequence)
        if action is not None:
            action(self)

    def _home(self) -> None:
        self._move(0)

    def _end(self) -> None:
        self._move(len(self._chars))

    def _left(self) -> None:
        self._move(self._cursor - 1)

    def _right(self) -> None:
        self._move(self._cursor + 1)

    def _earlier(self) -> None:
        self._recall(-1)

    def _later(self) -> None:
        self._recall(1)

    def _yank(self) -> None:
        self.insert(self._killed)

    def _nothing(self) -> None:
        """Ignore a key (NUL, which Ctrl-Space sends) without ringing the bell."""

    _KEYS: ClassVar[dict[int, Callable[[LineEditor], None]]] = {
        0x00: _nothing,
        0x01: _home,
        0x02: _left,
        0x04: _delete_char,
        0x05: _end,
        0x06: _right,
        0x08: _backspace,
        0x0B: _kill_end,
        0x0C: _redraw,
        0x0E: _later,
        0x10: _earlier,
        0x15: _kill_line,
        0x17: _kill_word,
        0x18: _kill_line,
        0x19: _yank,
        0x7F: _backspace,
    }
    _SEQUENCES: ClassVar[dict[bytes, Callable[[LineEditor], None]]] = {
        b"[A": _earlier,
        b"[B": _later,
        b"[C": _right,
        b"[D": _left,
        b"[H": _home,
        b"[F": _end,
        b"[1~": _home,
        b"[4~": _end,
        b"[3~": _delete_char,
        b"OA": _earlier,
        b"OB": _later,
        b"OC": _right,
        b"OD": _left,
        b"b": _word_left,
        b"f": _word_right,
        b"d": _kill_word_right,
        b"\x08": _kill_word,
        b"\x7f": _kill_word,
        b"[1;5D": _word_left,
        b"[1;5C": _word_right,
    }
