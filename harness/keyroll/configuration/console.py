"""What a terminal adds to a configuration: prompts, echoes, `[edit]` banners, pager lines, time stamps."""

from __future__ import annotations

import re
from dataclasses import dataclass

from keyroll.patterns import compiled

# Patterns are texts that `compiled` compiles at first use: a saved `display set` without prompts needs none of them.
_EDIT = r"\[edit(?P<level>[^\]]*)\]"
_ROLE = r"\{(?:master|backup|line|primary|secondary|linecard)[^}]*\}"
BANNER = rf"(?:{_ROLE}\s*)?{_EDIT}\s*"
ROLE = rf"{_ROLE}\s*"
PROMPT = (
    rf"(?:{_ROLE}\s*)?(?:\[edit(?P<level>[^\]]*)\]\s*)?"
    r"(?P<host>[\w.-]+)@(?P<name>[\w.:-]+)(?P<mark>[>#%])(?:\s+(?P<command>.*))?"
)
BARE_PROMPT = (
    r"(?P<name>[A-Za-z][\w.:-]*)(?P<mark>[>#])\s*"
    r"(?P<command>(?:show|set|delete|edit|top|up|exit|commit|run|deactivate|activate)\b.*)"
)
PAGER = r"[\s\x08]*(?:-{2,3} ?(?:\(more(?: \d+%)?\)|more(?: \d+%)?) ?-{2,3}[\s\x08]*)+"
"""`---(more)---` and what the terminal writes over it: the text of the next line may follow on the same line.
A pager begins a line with it. Elsewhere in a line the same characters belong to the configuration, such as to a secret
or a description.
"""
SHOW = r"(?:run\s+)?sh(?:ow?)?\s+conf[a-z]*(?P<rest>\s[^;{]*)?"
"""The command as the first line of a saved log."""
SYSTEM = r"(?P<verb>set|clear)\s+cli\s+(?P<kind>log|ten)\S*(?:\s+(?P<name>\S+))?"
"""The command that enters a logical system or a tenant: commands then show only its configuration."""
_DISPLAY_SET = r"(?:^|\s)d(?:isplay|ispl|isp|is|i)?\s+se?t?(?:\s|$)"
_FILTER = r"\s*(?P<kind>m(?:atch|atc|at|a)?|e(?:xcept|xcep|xce|xc|x)|f(?:ind|in|i)?|la(?:st|s)?)\s+(?P<pattern>\S+)"
_ANSI = r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]"
_OVERWRITE = r"[^\x08]?\x08"
_NOISE = (
    r"(?:[A-Z][a-z]{2} +\d{1,2} \d{2}:\d{2}:\d{2}(?: \d{4})?"
    r"|Entering configuration mode|Exiting configuration mode|The configuration has been changed but not committed"
    r"|Discard uncommitted changes\?.*"
    r"|Users currently editing the configuration:|Last login: .*|--- JUNOS .*|commit complete"
    r"|configuration check succeeds"
    r"|(?:warning|Warning): License.*|Loading .* please wait.*|Connection to .* closed\.?|logout|load complete"
    # Comments of a collector (RANCID): no statement at the top of a configuration begins like this.
    r"|!.*"
    # What a shell prints before the router's answer.
    r"|(?:\S+'s )?[Pp]assword: ?|Warning: Permanently added .*|\$ \S.*|[\w.-]+@[\w.-]+:[~/][^#$]*[#$](?: .*)?"
    r"|cli terminal |Screen (?:length|width) set to \d+|Disabling complete-on-space|\[ok\].*)"
)
"""Lines of a session that do not belong to the configuration. A fixed list, so that any other line is reported."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a `show` command asked for: the level of its output, and whether `set` lines are relative to it."""

    level: tuple[str, ...]
    set_form: bool
    relative: bool
    filtered: bool = False
    """Whether a pipe (`match`, `except`, `find`, `last`) leaves lines out."""
    matched: tuple[str, ...] = ()
    """The alternatives of `match`: each line contains one. A level whose path contains one is shown completely."""

    def leaves_whole(self, level: tuple[str, ...]) -> bool:
        """Say whether no line of a level is left out."""
        words = " ".join(level)
        return not self.filtered or any(one in words for one in self.matched)


def cleaned(line: str) -> str:
    """Return a line without escape sequences, overwritten characters and pager marks."""
    if "\x1b" in line:
        line = compiled(_ANSI).sub("", line)
    if "ore" in line or "ORE" in line:
        pager = compiled(PAGER, re.IGNORECASE).match(line)
        line = line[pager.end() :] if pager else line
    while "\x08" in line:
        shorter = compiled(_OVERWRITE).sub("", line)
        if shorter == line:
            break
        line = shorter
    # After a carriage return a terminal overwrites the line, most often a pager mark with blanks.
    return line.replace("\r", " ").strip()


def is_noise(line: str) -> bool:
    """Return whether a line belongs to the terminal session and not to the configuration."""
    return any(compiled(pattern).fullmatch(line) for pattern in (ROLE, _NOISE))


def belongs_to_session(line: str) -> bool:
    """Say whether a line around a document is a terminal's or NETCONF's: a prompt, a command, a banner, an end mark."""
    line = cleaned(line)
    if not line or line in {"]]>]]>", "##"} or is_noise(line):
        return True
    return any(compiled(pattern).fullmatch(line) for pattern in (BANNER, PROMPT, BARE_PROMPT, SHOW))


def shown(command: str) -> Shown | None:
    """Return what a command shows of the configuration, or None if it shows something else.

    `command` is the text after the prompt of operational mode, or `show …` of configuration mode with the word
    `configuration` inserted.
    """
    found = compiled(SHOW).fullmatch(command.strip())
    if found is None:
        return None
    # A pattern may contain bars: `| match "bgp|key-chain"`.
    quoted = re.findall(r'"[^"]*"', found["rest"] or "")
    path, *pipes = re.sub(r'"[^"]*"', "#", found["rest"] or "").split("|")
    said = " ".join(pipes)
    set_form = re.search(_DISPLAY_SET, said) is not None
    filters = [one for pipe in pipes if (one := compiled(_FILTER).match(pipe)) is not None]
    matched: tuple[str, ...] = ()
    if set_form and len(filters) == 1 and filters[0]["kind"][:1] == "m":
        pattern = filters[0]["pattern"].replace("#", quoted[-1].strip('"') if quoted else "")
        matched = tuple(one for one in pattern.split("|") if one)
    return Shown(tuple(path.split()), set_form, set_form and "relative" in said, bool(filters), matched)
