"""One command line: runs typed lines and returns their output; completion and help. Independent of the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keyroll.emulator.junos.configuration.compare import edit_line
from keyroll.emulator.junos.configuration.faults import JunosFault, SyntaxFault
from keyroll.emulator.junos.configuration.paths import Completion
from keyroll.emulator.junos.configuration.redact import SHOWN, redact
from keyroll.emulator.junos.configuration.tokens import Token, segments, split
from keyroll.emulator.junos.shell import completion
from keyroll.emulator.junos.shell.commands import MODES
from keyroll.emulator.junos.shell.commands.mode import refuse_when_locked
from keyroll.emulator.junos.shell.grammar import Match, ParseContext, Reader, Term, complete, read
from keyroll.emulator.junos.shell.output import NOTHING, Output
from keyroll.emulator.junos.shell.pipes import PIPES, RESHAPING
from keyroll.emulator.junos.shell.router_state import RouterState, Screen
from keyroll.emulator.junos.shell.session import Mode, Session
from keyroll.errors import KeyrollError

LINE_LIMIT = 65536
"""Maximum length of a line in characters: above any statement (a secret has 126), and parsed without a delay."""
_EDITS = frozenset({"activate", "copy", "deactivate", "delete", "insert", "rename", "set"})
"""The commands of configuration mode that edit the candidate in one step."""
_WRITES = _EDITS | {"commit", "load", "rollback"}
"""The commands of configuration mode that are refused while another session has locked the configuration."""
PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "clear": ("clear",),
    "configure": ("configure", "configure-exclusive"),
    "ping": ("network",),
    "request": ("maintenance",),
    "restart": ("reset",),
    "show": ("view",),
}
"""For the first word of a command, the permissions of which the user needs one; other commands need none."""
PIPE_HELP = Completion("|", "Pipe through a command")


@dataclass(frozen=True, slots=True)
class _TypedLine:
    """A line whose command has been parsed, but not yet run."""

    text: str
    command: str
    """The part before the first pipe."""
    pipes: Sequence[tuple[str, int]]
    """The other parts, each with its column."""
    reader: Reader
    """Has parsed the words of the command, up to the fault if there is one."""
    fault: SyntaxFault | None
    shown: str
    """The line without secrets."""


def _without_secrets(line: str, secrets: Sequence[Token], fault: SyntaxFault | None) -> str:
    """Return a line without the words that the grammar parses as secrets, even after abbreviated names.

    If a secret is refused, the rest of the line is dropped: it may be a part of the secret.
    """
    end = len(line)
    if fault is not None and secrets and fault.column == secrets[-1].column:
        end = fault.column
    shown = line[:end]
    for word in reversed(secrets):
        shown = shown[: word.column] + SHOWN + (shown[word.end :] if word.end <= end else "")
    return redact(shown)


class Cli:
    """Reads lines by the grammar of the session's mode and runs them on the session."""

    def __init__(self, session: Session, modes: Mapping[Mode, Sequence[Term]]) -> None:
        self.session = session
        self._modes = modes
        self._next: _TypedLine | None = None
        """The line last added to the history: it is parsed once, because it is run next."""

    @property
    def prompt(self) -> str:
        """The prompt, with its trailing space."""
        return self.session.prompt

    @property
    def ended(self) -> bool:
        """Whether the user has left it, or the connection has ended."""
        return self.session.ended

    @property
    def banner(self) -> list[str]:
        """The lines before the prompt: an empty one, and in configuration mode the edit level."""
        if not self.session.configuring:
            return [""]
        return ["", *self._confirm_warning(), edit_line(self.session.base)]

    def _confirm_warning(self) -> list[str]:
        minutes = self.session.router.store.minutes_to_rollback
        return [] if minutes is None else [f"# commit confirmed will be rolled back in {minutes} minutes"]

    @property
    def page_length(self) -> int | None:
        """Lines of a page, set by `set cli screen-length`; None for the terminal's height."""
        return self.session.screen_length

    @property
    def _grammar(self) -> Sequence[Term]:
        return self._modes[self.session.mode]

    async def execute(self, line: str) -> Output:
        """Run one line and return its output; a refusal is returned too, not raised."""
        width = len(self.prompt)
        if not line.strip() or line.lstrip().startswith("#"):
            return NOTHING  # an empty line, or a comment
        try:
            if len(line) > LINE_LIMIT:
                raise JunosFault(f"line of more than {LINE_LIMIT} characters")  # noqa: TRY301 - returned like any refusal
            typed = self._typed(line)
            command, pipes = self._parse(typed)
            self._log(typed)
            return await self._run(command, pipes)
        except JunosFault as fault:
            return Output(fault.lines(width))
        except KeyrollError as error:
            return Output([f"error: {error}"])

    def _log(self, line: _TypedLine) -> None:
        typed = f"UI_CMDLINE_READ_LINE: User '{self.session.user}', command '{line.shown.strip()} '"
        self.session.router.syslog.command(typed)

    def _typed(self, line: str) -> _TypedLine:
        """Return a line with its command parsed, not twice if it is the line last added to the history."""
        typed, self._next = self._next, None
        if typed is not None and typed.text == line:
            return typed
        (command, _), *pipes = segments(line)
        reader = Reader(self._grammar, self._context())
        fault = None
        try:
            for word in split(command):
                reader.feed(word)
        except SyntaxFault as refused:
            fault = refused
        return _TypedLine(line, command, pipes, reader, fault, _without_secrets(line, reader.secrets, fault))

    def _parse(self, typed: _TypedLine) -> tuple[Match, list[Match]]:
        """Return the command of a line and its pipes. Raises SyntaxFault."""
        if typed.fault is not None:
            raise typed.fault
        command = typed.reader.finish(len(typed.command.rstrip()))
        pipes = []
        for part, column in typed.pipes:
            words = [word.shifted(column) for word in split(part)]
            if not words:
                raise SyntaxFault("syntax error, expecting <command>.", column + len(part))
            pipes.append(read(PIPES, words, self._context(), end=column + len(part.rstrip())))
        return command, pipes

    async def _run(self, command: Match, pipes: list[Match]) -> Output:
        session = self.session
        if not command.from_top:
            return await self._do(command, pipes)
        place, session.base = session.base, ()
        try:
            return await self._do(command, pipes)
        finally:
            if not session.base:  # only `top edit …` changes the edit level
                session.base = place

    async def _do(self, command: Match, pipes: list[Match]) -> Output:
        self._require_permission(command)
        self.session.piping = bool(pipes)
        self.session.reshaping = bool(pipes) and pipes[0].words[0] in RESHAPING
        if self.session.configuring and _EDITS.intersection(command.words[:1]):
            async with self.session.store.tree_lock.writing():
                pass  # waits until a text that is being loaded is complete, and a comparison has ended
        if self.session.configuring and _WRITES.intersection(command.words[:1]):
            refuse_when_locked(self.session)
        answer = await command.action(self.session, command)
        for pipe in pipes:
            self.session.piped = answer
            answer = await pipe.action(self.session, pipe)
        return answer

    def _require_permission(self, command: Match) -> None:
        """Refuse what the user's login class does not permit (assumption J94)."""
        if self.session.configuring:
            return
        needed = PERMISSIONS.get(command.words[0], ())
        if command.words[:2] == ("show", "configuration"):
            return  # it replaces the parts that the user may not see
        if needed and not any(self.session.may(permission) for permission in needed):
            raise JunosFault(f"permission denied: {command.words[0]}")

    def _context(self) -> ParseContext:
        router, session = self.session.router, self.session
        tree = session.store.candidate if session.configuring else router.store.running
        return ParseContext(router.store.root, session.base, tree, router.context)

    def complete(self, line: str, *, tab: bool) -> str | None:
        """Return the text that completes the last word of `line`, may be ""; None, for Tab only, to show help."""
        if not tab and (not self.session.complete_on_space or line.endswith(" ") or not line):
            return ""
        try:
            partial, found = self._possible(line)
        except JunosFault:
            return None if tab else ""
        return completion.by_tab(partial, found) if tab else completion.by_space(partial, found)

    def help_text(self, line: str) -> list[str]:
        """Return the lines that `?` prints after `line`."""
        try:
            return completion.help_text(*self._possible(line))
        except JunosFault as fault:
            return fault.lines(len(self.prompt))

    def _possible(self, line: str) -> tuple[str, list[Completion]]:
        """Return the unfinished last word of `line` (may be "") and what may replace it. Raises SyntaxFault."""
        *before, (text, column) = segments(line)
        words = split(text)
        partial = ""
        if words and not text.endswith((" ", "\t")):
            partial = words.pop().text
        grammar = PIPES if before else self._grammar
        shifted = [word.shifted(column) for word in words]
        found = complete(grammar, shifted, partial, self._context())
        if found[:1] and found[0].name == "<[Enter]>" and not partial:
            found.append(PIPE_HELP)
        return partial, found

    def history_form(self, line: str) -> str:
        """Return a line as the history keeps it, without secrets."""
        self._next = self._typed(line)
        return self._next.shown

    def close(self) -> None:
        """End this command line. Can be called more than once."""
        self.session.close()


def command_line(router: RouterState, user: str, screen: Screen) -> Cli:
    """Return a new command line of `user` on a router, in operational mode."""
    return Cli(Session(router, user, screen), MODES)
