"""Redact secrets in Junos text before it is written, logged or raised.

A secret is found by its position (the value after `secret`, `authentication-key` and similar keywords, or on a line
that Junos marks `## SECRET-DATA`) and by its format (`$9$…` and the crypt formats). Known secrets are replaced
everywhere, for example where a router quotes them in an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from keyroll.keychain.secret import SHOWN, Secret
from keyroll.keychain.type9 import Type9Error, decode_type9, is_type9

_VALUE = r'"(?:[^"\\\n]|\\.)*(?:"|$)|[^\s;"]+'
_KEYWORDS = (
    "secret",
    "authentication-key",
    "auth-key",
    "encrypted-password",
    "plain-text-password-value",
    "simple-password",
    "password",
    "ascii-text",
    "hexadecimal",
    "authentication-password",
    "privacy-password",
)
_HINT = re.compile("secret|SECRET-DATA|auth|password|ascii-text|hexadecimal")
"""Quick test before the slow patterns: most texts hold none of these, and then the patterns cannot match."""
_BY_KEYWORD = re.compile(rf"(?P<before>(?<![\w-])(?:{'|'.join(_KEYWORDS)})[ \t]+)(?P<value>{_VALUE})", re.MULTILINE)
_BY_MARK = re.compile(rf"(?P<before>[ \t])(?P<value>{_VALUE})(?P<after>;[ \t]*## SECRET-DATA)", re.MULTILINE)
_BY_FORM = re.compile(r"\$[0-9A-Za-z]{1,8}\$[^\s\"';]*")
_SHORT = 4
"""Shorter known secrets are replaced only as separate words: within words they would match by accident."""


class Redactor:
    """Redacts texts: secrets found by structure, and known secrets everywhere.

    Args:
        secrets: known secrets, replaced literally (and as Junos escapes them).
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        words = sorted(set(_spellings(secrets)), key=len, reverse=True)
        self._known = re.compile("|".join(_pattern(word) for word in words)) if words else None

    def __call__(self, text: str) -> str:
        """Return `text` with every secret replaced by a placeholder; doing it twice changes nothing."""
        if _HINT.search(text):
            text = _BY_KEYWORD.sub(lambda match: match["before"] + SHOWN, text)
            text = _BY_MARK.sub(lambda match: match["before"] + SHOWN + match["after"], text)
        return self.in_prose(text)

    def in_prose(self, text: str) -> str:
        """Return a person's own sentence without known secrets and without encrypted ones.

        There the word after `secret` is the sentence's next word, and no secret.
        """
        if "$" in text:
            text = _BY_FORM.sub(SHOWN, text)
        return self._known.sub(SHOWN, text) if self._known is not None else text


def redact(text: str, extra: Iterable[Secret] = ()) -> str:
    """Return `text` with every secret replaced by a placeholder; doing it twice changes nothing.

    Args:
        text: Junos text: set lines, curly form, `show | compare`, answers and errors.
        extra: secrets known to the caller. For many texts, make one `Redactor`.
    """
    return Redactor(extra)(text)


def _pattern(word: str) -> str:
    pattern = re.escape(word)
    return pattern if len(word) >= _SHORT else rf"(?<![\w-]){pattern}(?![\w-])"


def secrets_in(text: str) -> list[Secret]:
    """Return the secrets that `text` holds by its structure, in order of position; `$9$` texts are decoded."""
    found = (match["value"] for pattern in (_BY_KEYWORD, _BY_MARK) for match in pattern.finditer(text))
    return [secret for value in dict.fromkeys(found) if (secret := _secret(_unquoted(value))) is not None]


def _secret(value: str) -> Secret | None:
    if value in {"", SHOWN}:
        return None
    try:
        return decode_type9(value) if is_type9(value) else Secret(value)
    except Type9Error:
        return None  # it cannot be decoded to a secret, and its format alone gets it redacted


def _spellings(secrets: Iterable[Secret]) -> Iterator[str]:
    for secret in secrets:
        octets = secret.reveal()  # the only place that needs known secrets in clear text: to find and replace them
        plain = octets.decode("utf-8", "replace")
        if plain and plain != SHOWN:
            yield plain
            escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
            if escaped != plain:
                yield escaped


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    return re.sub(r"\\(.)", r"\1", value[1:].removesuffix('"'))
