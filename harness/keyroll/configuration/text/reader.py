"""Decides for each line what it is: curly text, a set line, or a line of a terminal session.

Nearly all lines of a real configuration are one statement each, and take a fast path (`PLAIN`); the others are split
into words one by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from keyroll.configuration import console
from keyroll.configuration.findings import Kind, Note
from keyroll.configuration.hierarchy import CHAINS_PATH as CHAINS
from keyroll.configuration.hierarchy import DECIDING, ROOT, container_of
from keyroll.configuration.placeholders import UNCLOSED
from keyroll.configuration.text.levels import TAGS, Levels
from keyroll.configuration.text.position import Position
from keyroll.configuration.text.set_lines import COMMANDS, SetLines
from keyroll.configuration.text.tokens import LEFT_OUT, PLAIN, pieces, split, tokens
from keyroll.configuration.tree import TYPED, FreshNode, Node
from keyroll.patterns import compiled

_INHERITED = r"'.*' was (?:inherited|expanded) from group|inherited from group '"
_WARNING = r"#+\s*Warning:\s*(.*)"


@dataclass(slots=True)
class TextReader:
    """Reads one text into `root`. `first` is the number of its first line: each text continues the count of lines."""

    root: Node
    report: Note
    source: str
    first: int = 1
    inherited: bool = False
    """Whether the text has its groups expanded (`display inheritance`)."""
    lines: int = 0
    _at: Position = field(init=False)
    _levels: Levels = field(init=False)
    _set_lines: SetLines = field(init=False)
    _skipping: bool = False
    """Whether this is the output of a command that shows no configuration."""
    _in_comment: bool = False
    _comment_line: int = 0
    _host: str | None = None
    _shows: list[tuple[int, console.Shown]] = field(default_factory=list)
    """The commands whose output the text contains, and their lines."""
    _shared: dict[str, str] = field(default_factory=dict)
    """Each word once, to save memory: a text of 100,000 lines has 500,000 words and some 50,000 different ones."""

    def __post_init__(self) -> None:
        self._at = Position(self.root, self.report)
        self._levels = Levels(self._at, self.source, self.first)
        self._set_lines = SetLines(self._at)

    @property
    def statements(self) -> int:
        """The number of statements read."""
        return self._at.statements

    # One loop without a call for each line, for speed: nearly all of 100,000 lines are read here.
    def read(self, text: str) -> None:  # noqa: C901, PLR0912, PLR0915 - see above
        """Read all lines. Raises ConfigurationError if braces nest deeper than `DEPTH_MAX`."""
        plain, share = PLAIN.fullmatch, self._shared.setdefault
        at, levels = self._at, self._levels
        root, number = self.root, self.first - 1
        idle, whole = True, self._whole()
        for piece, simple in pieces(text):
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
                            elif (found := plain(stripped)) is not None and "/*" not in stripped:
                                words = split(stripped, found)
                            if words is not None:
                                # Nearly all lines of a text in set form, so without a call for each.
                                at.statements += 1
                                node = root
                                for word in words:
                                    child = node.get(word)
                                    if child is None:
                                        child = node[share(word, word)] = FreshNode()
                                        child.line, child.flags = number, TYPED
                                    node = child
                                node.line = number
                                continue
                    elif stripped == "}":
                        at.line = number
                        levels.close()
                        whole = self._whole()
                        continue
                    elif stripped[-1] in ";{" and (found := plain(stripped[:-1])) is not None and "/*" not in stripped:
                        words = split(stripped, found)
                        if words and words[0] not in COMMANDS:
                            at.line = levels.started = number
                            if stripped[-1] == "{":
                                levels.words = words
                                levels.open()
                                whole = False
                            elif words[0] in TAGS or levels.warnings or levels.values is not None:
                                levels.words = words
                                levels.end()
                            else:
                                # One statement on one line: nearly all lines of curly text.
                                at.statements += 1
                                node = at.node
                                for word in words:
                                    child = node.get(word)
                                    if child is None:
                                        child = node[share(word, word)] = FreshNode()
                                        child.line = number
                                        child.flags = 0
                                    node = child
                                node.line = number
                            continue
                at.line = number
                self._any(stripped)
                idle = not (levels.words or self._skipping or self._in_comment)
                whole = self._whole()
        self.lines = number - self.first + 1
        self._finish()

    def _whole(self) -> bool:
        """Return whether a set line here is relative to the top of the configuration."""
        return not self._levels.stack and not self._at.system and (not self._at.base or self._at.absolute)

    def _finish(self) -> None:
        if self._in_comment:
            self.report(
                Kind.NOT_UNDERSTOOD,
                "a comment opens here and is never closed",
                self._comment_line,
                tuple(self._at.path),
            )
        self._levels.cut_off()
        self._report_parts()

    def _report_parts(self) -> None:
        """Report the parts that the commands left out: a session or a chain may be there."""
        held = [level for level in DECIDING if self.root.at(level)]
        for line, shown in self._shows:
            hidden = [level for level in held if not shown.leaves_whole(level)]
            if not held and shown.filtered:
                hidden = [()]
            for level in hidden:
                self.report(
                    Kind.OMITTED, "this command leaves lines out (a pipe to match, except, find or last)", line, level
                )
        # If only parts are shown, missing key-chains do not mean that the router has none.
        partly = all(shown.level or not shown.leaves_whole(CHAINS) for _, shown in self._shows)
        if held and CHAINS not in held and self._shows and partly:
            line, _ = self._shows[0]
            self.report(Kind.OMITTED, "the commands show parts of the configuration, but no key-chains", line, CHAINS)

    # The slow path, for any kind of line.

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
        if self._begins_anew(line):
            self._levels.cut_off()
        if self._levels.idle():
            word = line.split(None, 1)[0]
            if word in COMMANDS and line[-1] not in "{;":
                self._set_lines.command(line)
                return
            if console.is_noise(line):
                return
        self._curly(line)

    def _begins_anew(self, line: str) -> bool:
        """Return whether a line begins a new statement, so that open words before it (such as a heading) were cut."""
        levels = self._levels
        if levels.stack or not levels.words or levels.values is not None or levels.words[0] in TAGS:
            return False
        first, *rest = line.split(None, 2)
        if first in COMMANDS:
            return line[-1] not in "{;" and bool(rest) and rest[0] in ROOT.statements
        return first in ROOT.statements and levels.words[0] not in ROOT.statements and line[-1] in "{;}"

    def _curly(self, line: str) -> None:
        for kind, text in tokens(line):
            if kind in {"word", "string"}:
                self._levels.word(text)
            elif kind == "mark":
                self._levels.mark(text)
            elif kind == "note":
                self._note(text)
                return
            elif kind == "comment":
                self._comment(text)
            elif kind == "opened":
                self._in_comment, self._comment_line = True, self._at.line
                return
            else:
                self._stray(text)
                return

    def _stray(self, text: str) -> None:
        """Take a quote without an end: only its own line is lost."""
        self._levels.lost("a quote opens here and is not closed on its line", self._at.line)
        # Not kept as a word: words become names, and this may be anything, even a secret.
        self._levels.word(UNCLOSED)
        mark = text.rstrip()[-1:]
        if mark in {";", "{"}:
            self._levels.mark(mark)

    # Prompts and banners, which show the level, and the router, of the lines after them.

    def _session_line(self, line: str) -> bool:
        """Take a prompt, a banner or an echoed command; return whether the line was one."""
        first = line[0]
        if first in "[{":
            found = compiled(console.BANNER).fullmatch(line)
            if found is not None:
                self._section((*self._at.system, *(found["level"] or "").split()))
                self._set_lines.edits = []
                return True
        prompt = compiled(console.PROMPT).fullmatch(line) if "@" in line else None
        if prompt is not None:
            self._prompt(prompt["mark"], prompt["command"] or "", prompt["name"], prompt["level"])
            return True
        if not self._levels.stack and not self._levels.words:
            bare = compiled(console.BARE_PROMPT).fullmatch(line)
            if bare is not None:
                self._prompt(bare["mark"], bare["command"], bare["name"], None)
                return True
            shown = console.shown(line)
            if shown is not None:
                self._shows.append((self._at.line, shown))
                self._section(container_of(shown.level))
                self._at.absolute = shown.set_form and not shown.relative
                return True
        return False

    def _prompt(self, mark: str, command: str, name: str, level: str | None) -> None:
        host, _, system = name.partition(":")
        at = self._at
        if self._host is not None and host != self._host:
            self.report(
                Kind.UNKNOWN_EFFECT, "this is another router's prompt: a text must come from one router", at.line, ()
            )
        self._host = host
        if mark != "%":
            self._enter(system)
        base = (*at.system, *level.split()) if level is not None else at.base
        if mark == "#":
            self._section(base)
            if command.startswith("show"):
                command = re.sub(r"show(?: configuration)?", "show configuration", command, count=1)
                shown = console.shown(command)
                if shown is not None:
                    self._shows.append((at.line, replace(shown, level=(*base, *shown.level))))
                    self._section(container_of((*base, *shown.level)))
                    # Commands are relative to the level before them; the output of `show` is below that level.
                    self._set_lines.edits = [base]
                    at.absolute = shown.set_form and not shown.relative
            elif command:
                self._set_lines.command(command)
            return
        shown = console.shown(command)
        if shown is not None:
            self._shows.append((at.line, shown))
        self._section(container_of((*at.system, *(shown.level if shown is not None else ()))))
        at.absolute = shown is not None and shown.set_form and not shown.relative
        self._skipping = shown is None and bool(command) and not _prints_configuration(command)
        typed = compiled(console.SYSTEM).fullmatch(command)
        if typed is not None:
            word = "tenants" if typed["kind"][:1] == "t" else "logical-systems"
            at.system = (word, typed["name"]) if typed["verb"] == "set" and typed["name"] else ()

    def _enter(self, shown: str) -> None:
        """Go to the logical system that a prompt shows, as in `host:X>`; without one, to the main router."""
        if self._at.system[1:] == ((shown,) if shown else ()):
            return
        if not shown:
            self.report(
                Kind.UNKNOWN_EFFECT,
                "a logical system was entered, but the prompt does not show it: the next lines may belong to it or not",
                self._at.line,
                (),
            )
            return
        self._at.system = ("logical-systems", shown)

    def _section(self, level: tuple[str, ...]) -> None:
        """Begin at `level`: what is still open was cut."""
        self._levels.cut_off()
        self._at.base = level
        self._at.absolute = False
        self._skipping = False
        self._at.to_base()

    # Comments.

    def _note(self, text: str) -> None:
        if compiled(_INHERITED).search(text):
            self.inherited = True
            return
        found = compiled(_WARNING, re.IGNORECASE).match(text)
        if found is not None:
            self._levels.warnings.append((self._at.line, found[1].strip()))

    def _comment(self, text: str) -> None:
        said = text.strip()
        if said in LEFT_OUT:
            self._levels.left_out(said)
        elif compiled(_INHERITED).search(text):
            self.inherited = True

    def _comment_goes_on(self, line: str) -> None:
        end = line.find("*/")
        if end >= 0:
            self._in_comment = False
            if line[end + 2 :].strip():
                self._any(line[end + 2 :].strip())


def _prints_configuration(command: str) -> bool:
    return (
        command.startswith(("file show", "cat ", "more ", "configure", "edit", "cli"))
        or "show configuration" in command
    )
