"""The terminal of one SSH channel or console connection: reads input, runs lines, prints, pages, asks questions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from keyroll.emulator.junos.configuration.faults import JunosFault
from keyroll.emulator.junos.login import pager
from keyroll.emulator.junos.login.line_editor import Event, LineEditor, Request
from keyroll.emulator.junos.shell.output import Output

MORE = b"---(more)---"
_SEQUENCE_LIMIT = 16
"""Maximum length of an escape sequence: no key sends a longer one."""
INPUT_LIMIT = 1 << 22
"""Maximum number of octets of unread input: the rest of a paste is dropped, to limit the router's memory."""
BLOCK_LIMIT = 1 << 22
"""Maximum number of octets of one paste: about the size of the largest public configuration that we know."""
LINES_AT_ONCE = 100
"""Number of pasted lines that are read before other sessions are served: about 10 ms of work."""
_LINES_PER_WRITE = 200
"""Number of lines printed before waiting for a slow client: about 16 kB, for which one packet is sent at once."""
_INTERRUPT = 0x03
"""Ctrl-C."""


class Interpreter(Protocol):
    """Runs the lines of a terminal: the CLI, or root's shell."""

    @property
    def prompt(self) -> str:
        """The prompt, with its trailing space."""
        ...

    @property
    def banner(self) -> list[str]:
        """The lines before the prompt."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the user has left it."""
        ...

    @property
    def page_length(self) -> int | None:
        """Lines of a page: 0 for no paging, None for the terminal's height."""
        ...

    async def execute(self, line: str) -> Output:
        """Run one line and return its output."""
        ...

    def complete(self, line: str, *, tab: bool) -> str | None:
        """Return the text that completes the last word of `line`; None, for Tab only, to show help."""
        ...

    def help_text(self, line: str) -> list[str]:
        """Return the lines of `?`."""
        ...

    def history_form(self, line: str) -> str:
        """Return the form of a line that the history may keep: without secrets."""
        ...


class HangUp(Exception):  # noqa: N818 - an event, not an error
    """The client has disconnected, or has sent all of its input."""


class Terminal:
    """One channel. `write` sends octets; with `pty` there are an echo, a screen of `height` by `width`, and Ctrl-C."""

    def __init__(self, write: Callable[[bytes], None], *, pty: bool, height: int = 24, width: int = 0) -> None:
        self._write = write
        self._pty = pty
        self.height = height
        self._width = width
        """Columns of the screen; 0 if they are not known."""
        self._newline = b"\r\n" if pty else b"\n"
        self._input = bytearray()
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._ended = False
        self._running: asyncio.Task[Output] | None = None
        self._asking = False
        self._prompting: LineEditor | None = None
        """The editor of the line that is being typed at a prompt; None while a command runs."""
        self._lost = False
        """Whether input was dropped since the last pasted text was returned."""
        self._block = LineEditor()
        """The editor of answers to questions, and of pasted lines."""
        self._block.completing = False
        self._block.echo = pty
        self._block.width = width

    @property
    def interactive(self) -> bool:
        """Whether there is a pseudo-terminal, on which Ctrl-C can be typed."""
        return self._pty

    def data(self, octets: bytes) -> None:
        """Add received input. While a command runs, Ctrl-C cancels it and discards the input before."""
        if self._running is not None and not self._asking and self._pty and _INTERRUPT in octets:
            octets = octets[octets.rindex(_INTERRUPT) + 1 :]
            self._input.clear()
            self._running.cancel()
        room = INPUT_LIMIT - len(self._input)
        if len(octets) > room:
            self._lost = True
            # The Ctrl-D that ends a paste is kept, on a new line: it ends a paste only there.
            octets = octets[:room] + (b"\n\x04" if octets.endswith(b"\x04") else b"")
        self._input.extend(octets)
        self._arrived.set()

    def resize(self, width: int, height: int) -> None:
        """Set the size of the screen; 0 leaves a dimension unchanged."""
        self.height = height or self.height
        self._width = width or self._width
        for editor in (self._block, self._prompting):
            if editor is not None:
                editor.width = self._width

    def end(self) -> None:
        """Record that no more input will arrive."""
        self._ended = True
        self._arrived.set()
        self._writable.set()

    def pause(self) -> None:
        """Stop printing, because the client reads too slowly, until `resume`."""
        self._writable.clear()

    def resume(self) -> None:
        """Continue printing: the client has read enough."""
        self._writable.set()

    async def serve(self, interpreter: Interpreter) -> None:
        """Read and run lines until the user leaves the interpreter. Raises HangUp."""
        editor = LineEditor(lambda line, tab: interpreter.complete(line, tab=tab))
        editor.echo = editor.completing = self._pty
        editor.width = self._width
        outer, self._running = self._running, None  # root's shell may be running a CLI: Ctrl-C is for its commands
        try:
            await self._serve(interpreter, editor)
        finally:
            self._running = outer

    async def _serve(self, interpreter: Interpreter, editor: LineEditor) -> None:
        while not interpreter.ended:
            await self._prompt(interpreter, editor)
            self._prompting = editor
            try:
                line = await self._read_line(interpreter, editor)
            finally:
                self._prompting = None
            if line is None:
                continue
            editor.remember(interpreter.history_form(line))
            answer = await self.run(interpreter.execute(line))
            await self.show(answer, interpreter.page_length)

    def interrupt_with(self, lines: Sequence[str]) -> None:
        """Print lines at once, and below them the line that is being typed; without a screen, do nothing."""
        if not self._pty:
            return
        self._write(self._newline + self._newline.join(line.encode() for line in lines) + self._newline)
        if self._prompting is not None:
            self._prompting.repaint()
            self._flush(self._prompting)

    async def _prompt(self, interpreter: Interpreter, editor: LineEditor) -> None:
        await self.write_now(interpreter.banner)
        editor.prompt, editor.width = interpreter.prompt, self._width
        editor.repaint()
        self._flush(editor)

    async def _read_line(self, interpreter: Interpreter, editor: LineEditor) -> str | None:
        while True:
            event = await self._event(editor)
            if event.request is Request.LINE:
                return event.line
            if event.request is Request.INTERRUPT:
                return None
            if event.request is Request.HELP:
                await self.write_now([*interpreter.help_text(event.line), *interpreter.banner[1:]])
                editor.repaint()
                self._flush(editor)

    async def _event(self, editor: LineEditor) -> Event:
        """Return the next event of the editor. Raises HangUp when the input has ended."""
        while True:
            event = editor.take(self._input)
            self._flush(editor)
            if event is not None:
                return event
            await self._more_input()

    async def _more_input(self) -> None:
        """Wait for input. Raises HangUp when it has ended."""
        if self._ended:
            raise HangUp
        self._arrived.clear()
        await self._arrived.wait()

    def _flush(self, editor: LineEditor) -> None:
        if editor.out:
            self._write(bytes(editor.out))
            editor.out.clear()

    async def run(self, work: Awaitable[Output]) -> Output:
        """Run a command and return its output; Ctrl-C cancels it."""
        self._running = asyncio.ensure_future(work)
        try:
            return await self._running
        except asyncio.CancelledError:
            if not self._running.cancelled() or (task := asyncio.current_task()) is None or task.cancelling():
                self._running.cancel()
                raise
            self._write(b"^C")
            return Output([""], paged=False)
        finally:
            self._running = None

    async def show(self, answer: Output, page_length: int | None) -> None:
        """Print the output of a command; on a screen, one page at a time."""
        length = self.height if page_length is None else page_length
        lines = list(answer.lines)
        if not self._pty or not answer.paged or length < 2 or len(lines) < length:  # noqa: PLR2004 - a page needs a line and its mark
            await self.write_now(lines)
            return
        room = length - 1
        start, place = 0, room
        while True:
            await self.write_now(lines[start:place])
            if place == len(lines):
                return
            found = await self._next_lines(place, room=room, total=len(lines))
            if found is None:
                return
            start, place = found

    async def _next_lines(self, place: int, *, room: int, total: int) -> tuple[int, int] | None:
        """Return the range of lines that the next key at `---(more)---` shows; None when it ends the output."""
        while True:
            self._write(MORE)
            found, key = None, ""
            while found is None and key not in pager.END and key != pager.HELP:
                key = await self._key()
                found = pager.shown_after(key, place, room=room, total=total)
            self._write(b"\r" + b" " * len(MORE) + b"\r")
            if key != pager.HELP:
                return found
            await self.write_now(pager.HELP_LINES)

    async def _key(self) -> str:
        """Return the next key: a character, or of an escape sequence what follows the escape."""
        key = await self._octet()
        if key != "\x1b":
            return key
        key = await self._octet()
        if key in ("[", "O"):
            key += await self._octet()
            while not "@" <= key[-1] <= "~" and len(key) < _SEQUENCE_LIMIT:
                key += await self._octet()
        return key

    async def _octet(self) -> str:
        while not self._input:
            await self._more_input()
        return chr(self._input.pop(0))

    async def write_now(self, lines: Sequence[str]) -> None:
        """Print lines, waiting while the client reads too slowly."""
        for start in range(0, len(lines), _LINES_PER_WRITE):
            await self._writable.wait()
            chunk = [line.encode("utf-8", "replace") for line in lines[start : start + _LINES_PER_WRITE]]
            self._write(self._newline.join(chunk) + self._newline)

    async def ask(self, question: str, *, hidden: bool = False) -> str | None:
        """Print a question and return the typed line; None when the input has ended.

        Ctrl-C and Ctrl-D answer "no". With `hidden` the line is not echoed.
        """
        self._asking = True
        try:
            self._block.echo = self._pty and not hidden
            self._block.prompt = question
            self._block.repaint()
            self._flush(self._block)
            event = await self._event(self._block)
        except HangUp:
            return None
        else:
            return event.line if event.request is Request.LINE else "no"
        finally:
            if hidden and self._pty:
                self._write(self._newline)
            self._block.echo = self._pty
            self._block.prompt = ""
            self._asking = False

    async def read_block(self) -> str:
        """Return the lines that are typed until Ctrl-D (or the end of input), joined by newlines; "" after Ctrl-C.

        Raises JunosFault when they are longer than BLOCK_LIMIT, or input was dropped.
        """
        self._asking = True
        found: list[str] = []
        size = lines = 0
        try:
            while True:
                event = await self._event(self._block)
                if event.request is Request.END_OF_INPUT:
                    return self._whole(found, size)
                if event.request is Request.INTERRUPT:
                    return ""
                size += len(event.line) + 1
                if size <= BLOCK_LIMIT:
                    found.append(event.line)
                lines += 1
                if lines % LINES_AT_ONCE == 0:
                    await asyncio.sleep(0)  # reading waits for nothing when the whole paste has arrived
        except HangUp:
            return self._whole(found, size)
        finally:
            self._asking = False

    def _whole(self, lines: list[str], size: int) -> str:
        """Return a pasted text. Raises JunosFault when a part of it was dropped."""
        if size > BLOCK_LIMIT or self._lost:
            self._lost = False
            raise JunosFault(f"more than {BLOCK_LIMIT} characters were pasted: nothing is loaded; load it in parts")
        return "\n".join(lines)
