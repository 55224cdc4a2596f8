"""A scenario that steers nothing any more: what it forces of connections is left to the routers' kernels.

Played as a mutation (`left-to-chance`), it shows that the check which proves the forced thing can turn red.
"""

from __future__ import annotations

from keyroll.names import Capability
from keyroll.scenario.file.scenario import Mutation, Scenario
from keyroll.scenario.file.step import Step
from keyroll.scenario.file.time_steps import Wait

_NOTHING: Step = Wait.model_validate({"for": "1ms"})
"""Stands in the place of a step, so that the others keep their numbers."""


def steers(scenario: Scenario) -> bool:
    """Whether the lab has to choose what a router's kernel would (the capability `steer-tcp`)."""
    policies = scenario.policy.values()
    return any(policy.isn is not None or policy.port is not None for policy in policies)


def as_mutated(scenario: Scenario, mutation: Mutation | None) -> Scenario:
    """Return the scenario that a mutation really plays, as far as it is not about keys (those: `chains.mutated`)."""
    if mutation is None or mutation.kind != "left-to-chance":
        return scenario
    policy = {name: one.model_copy(update={"isn": None, "port": None}) for name, one in scenario.policy.items()}
    steps = tuple(_NOTHING if step.needs is Capability.STEER_TCP else step for step in scenario.steps)
    return scenario.model_copy(update={"policy": policy, "steps": steps})
