"""What can go wrong in the machine half beyond `BackendError`."""

from __future__ import annotations

from keyroll.emulator.contract.model import BackendError


class FrrError(BackendError):
    """FRR refused a line, answered what cannot be read, or does not answer."""


class FrrBusyError(FrrError):
    """FRR could not answer just now, and said nothing else."""


class ProcessError(BackendError):
    """A daemon or the wire path did not start or has died; names it and how it ended."""
