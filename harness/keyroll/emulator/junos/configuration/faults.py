"""Refusals of the emulated command line: one class for each layout in which Junos prints one (docs/junos.md 3.6)."""

from __future__ import annotations

from keyroll.errors import InputError


class JunosFault(InputError):  # noqa: N818 - an answer of the router, not an error of the program
    """Base of all refusals: the command is not carried out, and the lines of the refusal are printed."""

    def lines(self, prompt_width: int) -> list[str]:
        """Return the lines to print; `prompt_width` is the width of the prompt before the typed line."""
        del prompt_width
        return [f"error: {self.message}"]


class ValueFault(JunosFault):
    """A value that its type does not accept. The message is Junos' own, without a position in the line."""


class SyntaxFault(JunosFault):
    """A wrong word in a typed line; printed as a caret below the word, then the message.

    `column` counts from 0; `completions` are help lines to print after the message.
    """

    def __init__(self, message: str, column: int, completions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.column = column
        self.completions = completions

    def lines(self, prompt_width: int) -> list[str]:
        """Return the caret line, the message, and for an ambiguous word what it may mean."""
        return [" " * (prompt_width + self.column) + "^", self.message, *self.completions]


class PlainFault(JunosFault):
    """A refusal whose lines Junos prints without the prefix `error: `."""

    def lines(self, prompt_width: int) -> list[str]:
        """Return the message's own lines."""
        del prompt_width
        return self.message.splitlines()


class CommitFault(JunosFault):
    """A refused commit. `reasons` are the lines printed before the last one, `kind` is the text in its parentheses.

    The last line is `error: commit failed: (KIND)`, or without a kind `error: configuration check-out failed`
    (docs/junos.md 3.6).
    """

    def __init__(self, reasons: tuple[str, ...], kind: str | None = None, *, check_only: bool = False) -> None:
        what = "commit failed" if kind and not check_only else "configuration check-out failed"
        super().__init__(f"{what}: ({kind})" if kind else what)
        self.reasons = reasons
        self.kind = kind

    def lines(self, prompt_width: int) -> list[str]:
        """Return the blocks and the last line."""
        return [*self.reasons, *super().lines(prompt_width)]


def block(edit: str, subject: str, message: str) -> tuple[str, ...]:
    """Return the lines of one reason of a refused commit: the `[edit …]` line, the quoted statement, the message."""
    return (edit, f"  '{subject}'", *(f"    {line}" for line in message.splitlines()))
