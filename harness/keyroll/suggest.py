"""What a person who mistyped a word may have meant."""

from __future__ import annotations

from collections.abc import Iterable

_CLOSE = 0.6
"""How similar two words must be, 0 to 1: difflib's own default, which allows two swapped letters or one missing."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most similar to `word`, or None."""
    import difflib  # noqa: PLC0415 - only who mistyped a word waits for its import

    found = difflib.get_close_matches(word, list(known), n=1, cutoff=_CLOSE)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return a remedy such as "did you mean 'advance'?"; None where no known word is like `word`."""
    found = nearest(word, known)
    return None if found is None else f"did you mean '{found}'?"
