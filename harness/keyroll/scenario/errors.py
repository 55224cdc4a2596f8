"""What can go wrong with a scenario and with a run of it (see harness/keyroll/errors.py for the tree)."""

from __future__ import annotations

from keyroll.errors import InputError, RunError, UnfitError
from keyroll.instants import Instant


class ScenarioError(InputError):
    """A scenario file contradicts itself, or asks for what routers cannot do."""


class NoSuchMutationError(InputError):
    """`--mutate` names a mutation that the file does not declare."""


class ExtensionError(InputError):
    """A package that adds steps or checks cannot be loaded."""


class RunUnfitError(UnfitError):
    """The run says nothing about the routers: packets were lost, samples had gaps, the judges disagree."""


class MachineBusyError(RunUnfitError):
    """The machine was too busy to observe what a check needs, or to do a step in time: another try may succeed."""


class RefereesDisagreeError(RunUnfitError):
    """The referee and scapy judge a segment differently: no check of the run is reliable, green or red."""


class BlindError(MachineBusyError):
    """The machine stood still, its clock was set, or a part of the harness hung or lost something.

    What was observed after `since` may not be the routers' doing, not even a red check. None: this is so for the whole
    run.
    """

    def __init__(self, message: str, *, since: Instant | None, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.since = since


class MissingCapabilityError(UnfitError):
    """The lab cannot do what the scenario requires: the scenario is skipped, and the reason is printed."""


class RunBrokenError(RunError):
    """A part of the run broke: a sampler's session ended, a router's answer made no sense."""
