"""Redacts the secrets in typed lines, for the command history and the log."""

from __future__ import annotations

import re

SHOWN = "/* SECRET-DATA */"
_NAMES = ("secret", "authentication-key", "encrypted-password", "plain-text-password-value", "community")
"""Statements that are followed by a secret."""
_SHORTEST = 3
"""Minimum length in letters of an abbreviation of such a name: shorter ones abbreviate too many other words."""
_WORD = re.compile(r'"(?:\\.|[^"\\])*"?|\S+')
_ENCODED = re.compile(r"\$[0-9]\$\S*")
"""An encoded or hashed secret (`$9$…`, `$6$…`), in any place."""


def redact(line: str) -> str:
    """Return `line` with SHOWN in place of the word after each statement that holds a secret, even abbreviated."""
    found: list[str] = []
    end, hide = 0, False
    for word in _WORD.finditer(line):
        found.append(line[end : word.start()])
        found.append(SHOWN if hide else _ENCODED.sub(SHOWN, word[0]))
        hide = names_a_secret(word[0])
        end = word.end()
    return "".join(found) + line[end:]


def names_a_secret(word: str) -> bool:
    """Return whether a word, possibly abbreviated, names a statement that holds a secret."""
    return len(word) >= _SHORTEST and any(name.startswith(word) for name in _NAMES) and word != "authentication"
