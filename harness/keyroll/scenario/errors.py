"""What can go wrong with a scenario and with a run of it (see harness/keyroll/errors.py for the tree)."""

from __future__ import annotations

from keyroll.errors import InputError, RunError, UnfitError


class ScenarioError(InputError):
    """A scenario file asks for something that cannot be."""


class NoSuchMutationError(InputError):
    """`--mutate` names a mutation that the file does not declare."""


class ExtensionError(InputError):
    """A package that adds steps or checks cannot be loaded."""


class RunUnfitError(UnfitError):
    """The run can say nothing about the routers: packets were lost, samples had gaps, the judges disagree."""


class MachineBusyError(RunUnfitError):
    """The machine was too busy to see what it had to see, or to do a step in time: another try may see it."""


class MissingCapabilityError(UnfitError):
    """The lab cannot do what the scenario requires: the scenario is skipped, loudly."""


class RunBrokenError(RunError):
    """A part of the run broke: a sampler's session ended, a router's answer made no sense."""
