"""Which statements of a configuration are about key chains, and what of them is not followed."""

from __future__ import annotations

from collections.abc import Sequence

from keyroll.keychain.junostext.text import Source, Word

CHAINS = "authentication-key-chains"
DEPTH_MAX = 100
"""Levels; Junos' own hierarchy has some twenty. Keeps a hostile text from taking time in the square of its length."""


class Groups:
    """Configuration groups are not expanded; this notices when that would matter."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._with_chains: dict[str, int] = {}
        self._applied: set[str] = set()

    def defined(self, words: Sequence[Word]) -> None:
        """Take note of a statement below `groups` (its first word is the group's name)."""
        if any(word.text == CHAINS for word in words[1:3]):
            self._with_chains.setdefault(words[0].text, words[0].offset)

    def applied(self, words: Sequence[Word]) -> None:
        """Take note of the names after `apply-groups`."""
        self._applied.update(word.text for word in words)

    def check(self) -> None:
        """Raise KeychainTextError when a group with key chains is applied."""
        for name, offset in self._with_chains.items():
            if name in self._applied:
                raise self._source.error(
                    "key chains that come from a configuration group are not expanded here",
                    offset,
                    remedy="write them out, as `show configuration | display inheritance` does, without `groups`",
                )


def inside_of(words: Sequence[Word]) -> Sequence[Word] | None:
    """Return the words after `authentication-key-chains`, or None when a statement is about something else."""
    texts = [word.text for word in words[:2]]
    if texts == ["security", CHAINS]:
        return words[2:]
    if texts[:1] == [CHAINS]:
        return words[1:]
    return words if texts[:1] == ["key-chain"] else None
