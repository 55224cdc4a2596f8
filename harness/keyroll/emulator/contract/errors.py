"""What can go wrong in the machine half beyond `BackendError`."""

from __future__ import annotations

from keyroll.emulator.contract.model import BackendError

NOT_EMULATED = "not emulated: "
"""How every message begins that refuses what a real router takes: a limit of this emulator, not a mistake.

The client side recognises it: a scenario that meets a limit ends as unfit, never red.
"""


class NotEmulatedError(BackendError):
    """The intent asks for something that a real router does and this one does not."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(f"{NOT_EMULATED}{message}", remedy=remedy)


class FrrError(BackendError):
    """FRR refused a line, answered what cannot be read, or does not answer."""


class FrrBusyError(FrrError):
    """FRR could not answer just now, and said nothing else."""


class ProcessError(BackendError):
    """A daemon or the wire path did not start or has died; names it and how it ended."""
