"""The mutation `left-to-chance`: what a scenario forces of TCP connections is left to the routers' kernels.

It shows that the check for the forced event can turn red.
"""

from __future__ import annotations

from keyroll.names import Capability
from keyroll.scenario.file.scenario import Mutation, Scenario
from keyroll.scenario.file.step import Step
from keyroll.scenario.file.time_steps import Wait

_NOTHING: Step = Wait.model_validate({"for": "1ms"})
"""Replaces a step, so that the other steps keep their numbers."""


def steers(scenario: Scenario) -> bool:
    """Return whether the lab must choose an ISN or a port in place of a router's kernel (capability `steer-tcp`)."""
    policies = scenario.policy.values()
    return any(policy.isn is not None or policy.port is not None for policy in policies)


def as_mutated(scenario: Scenario, mutation: Mutation | None) -> Scenario:
    """Return the scenario with the mutation `left-to-chance` applied; mutations of keys are in `chains.mutated`."""
    if mutation is None or mutation.kind != "left-to-chance":
        return scenario
    policy = {name: one.model_copy(update={"isn": None, "port": None}) for name, one in scenario.policy.items()}
    steps = tuple(_NOTHING if step.needs is Capability.STEER_TCP else step for step in scenario.steps)
    return scenario.model_copy(update={"policy": policy, "steps": steps})
