"""What Junos says when it refuses something: one class per kind of refusal, each knowing its text."""

from __future__ import annotations

from keyroll.errors import InputError


class JunosFault(InputError):  # noqa: N818 - an answer to a person, most often
    """Base of everything that the command line answers with instead of doing it."""

    def lines(self, prompt_width: int) -> list[str]:
        """Return the lines to print; `prompt_width` is the width of the prompt before the typed line."""
        del prompt_width
        return [f"error: {self.message}"]


class ValueFault(JunosFault):
    """A value is not one that its type takes. The message is Junos' sentence, without a place in the line."""


class SyntaxFault(JunosFault):
    """A word in a typed line is wrong; printed as a caret below the word and the message (docs/junos.md 3.6)."""

    def __init__(self, message: str, column: int, completions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.column = column
        self.completions = completions

    def lines(self, prompt_width: int) -> list[str]:
        """Return the caret line, the message, and for an ambiguous word what it may mean."""
        return [" " * (prompt_width + self.column) + "^", self.message, *self.completions]


class PlainFault(JunosFault):
    """A refusal whose lines Junos prints as they are, without `error: ` before them."""

    def lines(self, prompt_width: int) -> list[str]:
        """Return the message's own lines."""
        del prompt_width
        return self.message.splitlines()


class CommitFault(JunosFault):
    """A commit was refused. `reasons` are the blocks before the last line, `kind` what stands in its brackets.

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
    """Return one reason of a refused commit: the `[edit …]` line, the quoted statement, the message."""
    return (edit, f"  '{subject}'", *(f"    {line}" for line in message.splitlines()))
