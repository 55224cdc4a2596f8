"""Configuration text to key chains: set commands, the curly form, whole configurations of either form.

Of a whole configuration only `security authentication-key-chains` is read, and what could bear on it. A text copied
from a terminal may keep its prompts and `[edit]` lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from keyroll.errors import Where
from keyroll.keychain.junostext.curlyform import CurlyReader
from keyroll.keychain.junostext.setform import COMMANDS, SetReader
from keyroll.keychain.junostext.statements import Draft, Places, chains_of
from keyroll.keychain.junostext.text import Source
from keyroll.keychain.model import Keychain

# A prompt goes, what was typed after it stays, but for commands that only ask.
_PROMPT = re.compile(
    r"^(?:\{[a-z]+[^}\n]*\}[ \t]*)?[\w.-]+@[\w.:-]+[>#%](?:[ \t]+|$)(?:(?:run[ \t]+)?(?:show|cli)\b[^\n]*)?",
    re.MULTILINE,
)
_FIRST_WORD = re.compile(r"\s*+(?:(?:#[^\n]*+|/\*.*?\*/)\s*+)*+(\S+)", re.DOTALL)
_EDIT_LINE = r"\[edit[^\]\n]*\]"
_BANNER = re.compile(
    r"^[ \t]*(?:\{(?:master|backup|line|primary|secondary)[^}\n]*\}"
    rf"(?:[ \t]*{_EDIT_LINE})?|{_EDIT_LINE})[ \t]*\r?$",
    re.MULTILINE,
)


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
    blanked = without_trimmings(origin.text)
    if is_set_form(blanked):
        SetReader(origin, draft).read(blanked)
    else:
        CurlyReader(origin, draft).read(blanked)
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


def is_set_form(text: str) -> bool:
    """Say which form a text (without a terminal's trimmings) has, by its first word after comments."""
    found = _FIRST_WORD.match(text)
    return found is not None and found[1] in COMMANDS


def without_trimmings(text: str) -> str:
    """Return `text` with a terminal's trimmings overwritten by spaces, so that offsets stay."""
    for trimming in (_BANNER, _PROMPT):
        text = trimming.sub(lambda found: " " * len(found.group()), text)
    return text
