"""Errors of the machine half; all derive from `BackendError`."""

from __future__ import annotations

from keyroll.emulator.contract.model import BackendError

NOT_EMULATED = "not emulated: "
"""The beginning of every message that refuses something a real router accepts: a limit of this emulator, not a mistake.

The client side recognises it: a scenario that needs what is not emulated ends as unfit, never red.
"""


class NotEmulatedError(BackendError):
    """The intent asks for something that a real router does and this emulator does not."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(f"{NOT_EMULATED}{message}", remedy=remedy)


class FrrError(BackendError):
    """FRR refused a line, gave an answer that cannot be read, or does not answer."""


class FrrBusyError(FrrError):
    """FRR could not answer at this moment; the same question may succeed later."""


class ProcessError(BackendError):
    """A daemon or the wire path did not start or has died; the message names it and how it ended."""
