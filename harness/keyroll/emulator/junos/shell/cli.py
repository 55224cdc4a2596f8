"""One person's command line: mode, place in the configuration, prompt; lines in, answers out. Knows no terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from keyroll.emulator.junos.configuration.compare import edit_line
from keyroll.emulator.junos.configuration.faults import JunosFault, SyntaxFault
from keyroll.emulator.junos.configuration.paths import Completion
from keyroll.emulator.junos.configuration.redact import SHOWN, redact
from keyroll.emulator.junos.configuration.tokens import segments, split
from keyroll.emulator.junos.configuration.tree import Path
from keyroll.emulator.junos.shell import completion
from keyroll.emulator.junos.shell.chassis import Chassis
from keyroll.emulator.junos.shell.commands import CONFIGURATION, OPERATIONAL
from keyroll.emulator.junos.shell.grammar import Match, Reader, Surroundings, Term, complete, read
from keyroll.emulator.junos.shell.output import NOTHING, Output
from keyroll.emulator.junos.shell.pipes import PIPES
from keyroll.errors import KeyrollError

LINE_LIMIT = 65536
PIPE_HELP = Completion("|", "Pipe through a command")


class Screen(Protocol):
    """Where a command line asks and prints besides its answer."""

    @property
    def interactive(self) -> bool:
        """Whether somebody can press Ctrl-C."""
        ...

    async def ask(self, question: str, *, hidden: bool = False) -> str | None:
        """Return what is typed after `question`, unseen when `hidden`; None when nobody can answer."""
        ...

    async def read_block(self) -> str:
        """Return the lines that are typed until Ctrl-D."""
        ...

    async def write_now(self, lines: Sequence[str]) -> None:
        """Print lines at once, while a command still runs."""
        ...


class Cli:
    """A command line of `user` on a router."""

    def __init__(self, chassis: Chassis, user: str, screen: Screen) -> None:
        self.chassis = chassis
        self.user = user
        self.screen = screen
        self.configuring = False
        self.base: Path = ()
        self.earlier_bases: list[Path] = []
        self.screen_length: int | None = None
        self.screen_width: int | None = None
        self.complete_on_space = True
        self.piped: Output = NOTHING
        self.piping = False
        self.ended = False
        self._shown = ("", "")

    @property
    def prompt(self) -> str:
        """The prompt, its trailing blank included."""
        return f"{self.user}@{self.chassis.store.host_name}{'#' if self.configuring else '>'} "

    @property
    def banner(self) -> list[str]:
        """The lines before the prompt: an empty one, and in configuration mode where one stands."""
        return ["", *self._confirm_warning(), edit_line(self.base)] if self.configuring else [""]

    def _confirm_warning(self) -> list[str]:
        minutes = self.chassis.store.minutes_to_rollback
        return [] if minutes is None else [f"# commit confirmed will be rolled back in {minutes} minutes"]

    @property
    def grammar(self) -> Sequence[Term]:
        """The commands of the mode."""
        return CONFIGURATION if self.configuring else OPERATIONAL

    async def execute(self, line: str) -> Output:
        """Run one line and return what it answers; a refusal is an answer too."""
        width = len(self.prompt)
        if not line.strip():
            return NOTHING
        try:
            if len(line) > LINE_LIMIT:
                raise JunosFault(f"line of more than {LINE_LIMIT} characters")  # noqa: TRY301 - answered like any refusal
            command, pipes = self._understand(line)
            shown = self._shown[1] if self._shown[0] == line else self.redacted(line)
            self._shown = ("", "")
            typed = f"UI_CMDLINE_READ_LINE: User '{self.user}', command '{shown.strip()} '"
            self.chassis.syslog.command(typed)
            return await self._run(command, pipes)
        except JunosFault as fault:
            return Output(fault.lines(width))
        except KeyrollError as error:
            return Output([f"error: {error}"])

    def _understand(self, line: str) -> tuple[Match, list[Match]]:
        (text, _), *rest = segments(line)
        around = self.surroundings()
        command = read(self.grammar, split(text), around, end=len(text.rstrip()))
        pipes = []
        for part, column in rest:
            words = [word.shifted(column) for word in split(part)]
            if not words:
                raise SyntaxFault("syntax error, expecting <command>.", column + len(part))
            pipes.append(read(PIPES, words, around, end=column + len(part.rstrip())))
        return command, pipes

    async def _run(self, command: Match, pipes: list[Match]) -> Output:
        if not command.from_top:
            return await self._do(command, pipes)
        place, self.base = self.base, ()
        try:
            return await self._do(command, pipes)
        finally:
            if not self.base:  # anything but `top edit …` leaves one where one stood
                self.base = place

    async def _do(self, command: Match, pipes: list[Match]) -> Output:
        self.piping = bool(pipes)
        answer = await command.action(self, command)
        for stage in pipes:
            self.piped = answer
            answer = await stage.action(self, stage)
        return answer

    def surroundings(self) -> Surroundings:
        """Return what parsing depends on, as things stand."""
        store = self.chassis.store
        tree = store.candidate if self.configuring else store.running
        return Surroundings(store.root, self.base if self.configuring else (), tree, self.chassis.context)

    def help(self, line: str) -> tuple[str, list[Completion]]:
        """Return the word at the end of `line` (maybe empty) and what it may become. Raises SyntaxFault."""
        *before, (text, column) = segments(line)
        words = split(text)
        partial = ""
        if words and not text.endswith((" ", "\t")):
            partial = words.pop().text
        grammar = PIPES if before else self.grammar
        shifted = [word.shifted(column) for word in words]
        found = complete(grammar, shifted, partial, self.surroundings())
        if found[:1] and found[0].name == "<[Enter]>" and not partial:
            found.append(PIPE_HELP)
        return partial, found

    @property
    def page_length(self) -> int | None:
        """Lines a page, as `set cli screen-length` has it; None for the terminal's height."""
        return self.screen_length

    def complete(self, line: str, *, tab: bool) -> str | None:
        """Complete the last word of a line."""
        return completion.complete(self, line, tab=tab)

    def help_text(self, line: str) -> list[str]:
        """Return what `?` shows behind a line."""
        return completion.help_text(self, line)

    def history_form(self, line: str) -> str:
        """Return a line as the history keeps it: without secrets. What is remembered is run next, and logged."""
        self._shown = line, self.redacted(line)
        return self._shown[1]

    def redacted(self, line: str) -> str:
        """Return a line without secrets: the words that the grammar takes for one, however abbreviated their names.

        Of a line that is not understood, nothing is kept behind a refused secret.
        """
        text = segments(line)[0][0]
        reader = Reader(self.grammar, self.surroundings())
        end = len(line)
        try:
            for word in split(text):
                reader.feed(word)
        except SyntaxFault as fault:
            end = fault.column if reader.secrets and fault.column == reader.secrets[-1].column else end
        shown = line[:end]
        for word in reversed(reader.secrets):
            shown = shown[: word.column] + SHOWN + (shown[word.end :] if word.end <= end else "")
        return redact(shown)

    def enter_configuration(self) -> None:
        """Go into configuration mode, at the top."""
        self.configuring = True
        self.base, self.earlier_bases = (), []
        self.chassis.editors[self] = self.user

    def leave_configuration(self) -> None:
        """Go back to operational mode."""
        self.configuring = False
        self.base, self.earlier_bases = (), []
        self.chassis.editors.pop(self, None)

    def close(self) -> None:
        """End this command line, however it ends."""
        self.ended = True
        self.chassis.editors.pop(self, None)
