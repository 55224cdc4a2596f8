"""Typed lines without their secrets, for history and log."""

from __future__ import annotations

import re

SHOWN = "/* SECRET-DATA */"
_NAMES = ("secret", "authentication-key", "encrypted-password", "plain-text-password-value", "community")
_SHORTEST = 3
"""Letters from which a word is taken for the beginning of such a name: fewer begin too many others."""
_WORD = re.compile(r'"(?:\\.|[^"\\])*"?|\S+')
_TYPE = re.compile(r"\$[0-9]\$\S*")


def redact(line: str) -> str:
    """Return `line` with the word after each statement that holds a secret (even abbreviated) replaced."""
    found: list[str] = []
    end, hide = 0, False
    for word in _WORD.finditer(line):
        found.append(line[end : word.start()])
        found.append(SHOWN if hide else _TYPE.sub(SHOWN, word[0]))
        hide = names_a_secret(word[0])
        end = word.end()
    return "".join(found) + line[end:]


def names_a_secret(word: str) -> bool:
    """Say whether a word, maybe abbreviated, is the name of a statement that holds a secret."""
    return len(word) >= _SHORTEST and any(name.startswith(word) for name in _NAMES) and word != "authentication"
