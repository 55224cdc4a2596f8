"""What can go wrong with a scenario and with a run of it (see harness/keyroll/errors.py for the tree)."""

from __future__ import annotations

from keyroll.errors import InputError, RunError, UnfitError
from keyroll.instants import Instant


class ScenarioError(InputError):
    """A scenario file asks for something that cannot be."""


class NoSuchMutationError(InputError):
    """`--mutate` names a mutation that the file does not declare."""


class ExtensionError(InputError):
    """A package that adds steps or checks cannot be loaded."""


class RunUnfitError(UnfitError):
    """The run says nothing about the routers: packets were lost, samples had gaps, the judges disagree."""


class MachineBusyError(RunUnfitError):
    """The machine was too busy to see what it had to see, or to do a step in time: another try may see it."""


class RefereesDisagreeError(RunUnfitError):
    """The referee and scapy judge a segment differently: neither a green check nor a red one is believed."""


class BlindError(MachineBusyError):
    """The machine stood still, its clock was set, or a part of the harness hung or lost something.

    Nothing that was seen after `since` speaks of the routers, not even a red check. None: nothing in the whole run.
    """

    def __init__(self, message: str, *, since: Instant | None, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.since = since


class MissingCapabilityError(UnfitError):
    """The lab cannot do what the scenario requires: the scenario is skipped, loudly."""


class RunBrokenError(RunError):
    """A part of the run broke: a sampler's session ended, a router's answer made no sense."""
