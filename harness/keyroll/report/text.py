"""Text from outside (router output, names, comments), made safe to show: no control character reaches a reader."""

from __future__ import annotations

import re

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""C0 without tab and line feed, DEL, C1, and the marks that turn the direction of text (they can forge a line)."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def visible(text: str) -> str:
    """Return `text` with every control character shown as its Unicode picture, or as U+XXXX where there is none."""
    return _CONTROLS.sub(_picture, text.replace("\r\n", "\n"))


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:  # noqa: PLR2004 - Unicode has a picture of each C0 character at U+2400
        return chr(0x2400 + code)
    return f"<U+{code:04X}>"


def escaped(text: str) -> str:
    """Return `text` as Markdown shows it word for word, in one line."""
    return _MARKDOWN.sub(r"\\\1", visible(text).replace("\n", " "))


def clipped(text: str, limit: int) -> tuple[str, int]:
    """Return the first `limit` characters of `text`, cut at a line end where one is near, and how many were cut."""
    if len(text) <= limit:
        return text, 0
    end = text.rfind("\n", limit // 2, limit)
    end = end if end > 0 else limit
    return text[:end], len(text) - end
