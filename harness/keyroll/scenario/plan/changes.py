"""What a router holds of keychains, and what it is to hold after a step that changes them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import singledispatch

from keyroll.keychain.model import Keychain
from keyroll.scenario.errors import ScenarioError
from keyroll.scenario.file.commit_steps import AddKey, ChangeChain, ChangeKey, Commit, DeleteChain, DeleteKey, RePoint
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.plan.chains import Seed, changed_key, plan_key


@dataclass(frozen=True, slots=True)
class Held:
    """What one router holds: its chains by name (a deleted one is missing), and which one protects the sessions."""

    chains: Mapping[str, Keychain]
    used: str

    @property
    def chain(self) -> Keychain:
        """The chain that protects the sessions; an empty one of that name where it was deleted."""
        return self.chains.get(self.used) or Keychain(self.used)

    def with_chain(self, chain: Keychain) -> Held:
        """Return the same with another chain of that name."""
        return replace(self, chains={**self.chains, chain.name: chain})


@dataclass(frozen=True, slots=True)
class Situation:
    """The router that changes, what it holds before, and what its secrets and start-times are made from."""

    router: RouterName
    before: Held
    seed: Seed
    t0: datetime

    def require(self, number: int) -> None:
        """Raise ScenarioError when the chain in use has no such key."""
        chain = self.before.chain
        if chain.key(number) is None:
            raise ScenarioError(
                f"{self.router} has no key {number} in {chain.name}; it has {[key.id for key in chain.keys]}"
            )


@singledispatch
def after(step: Commit, now: Situation) -> Held:
    """Return what the file means a router to hold after a step; the same for one that changes no keys.

    Raises:
        ScenarioError: the router has no such key or chain, or has it already.
    """
    return now.before


@after.register
def _(step: AddKey, now: Situation) -> Held:
    chain = now.before.chain
    key = plan_key(chain.name, step, now.router, seed=now.seed, t0=now.t0)
    if key is None:
        return now.before
    if chain.key(key.id) is not None:
        raise ScenarioError(f"add-key: {now.router} has a key {key.id} already; change-key changes it")
    return now.before.with_chain(replace(chain, keys=(*chain.keys, key)))


@after.register
def _(step: DeleteKey, now: Situation) -> Held:
    now.require(step.key)
    chain = now.before.chain
    return now.before.with_chain(replace(chain, keys=tuple(key for key in chain.keys if key.id != step.key)))


@after.register
def _(step: ChangeKey, now: Situation) -> Held:
    now.require(step.key)
    chain = now.before.chain
    keys = (
        changed_key(chain.name, key, step, now.router, seed=now.seed, t0=now.t0) if key.id == step.key else key
        for key in chain.keys
    )
    return now.before.with_chain(replace(chain, keys=tuple(keys)))


@after.register
def _(step: ChangeChain, now: Situation) -> Held:
    chain = now.before.chain
    gone = {number for number in step.delete if chain.key(number) is not None}
    if step.delete and not gone and not step.add:
        now.require(step.delete[0])
    kept = tuple(key for key in chain.keys if key.id not in gone)
    added = [plan_key(chain.name, plan, now.router, seed=now.seed, t0=now.t0) for plan in step.add]
    new = tuple(key for key in added if key is not None)
    twice = {key.id for key in kept} & {key.id for key in new}
    if twice:
        raise ScenarioError(f"change-chain: {now.router} has a key {min(twice)} already; delete it in the same step")
    return now.before.with_chain(replace(chain, keys=(*kept, *new)))


@after.register
def _(step: DeleteChain, now: Situation) -> Held:
    before = now.before
    return replace(before, chains={name: one for name, one in before.chains.items() if name != before.used})


@after.register
def _(step: RePoint, now: Situation) -> Held:
    before = now.before
    if step.chain not in before.chains:
        raise ScenarioError(f"re-point: {now.router} has no chain '{step.chain}'; it has {', '.join(before.chains)}")
    return replace(before, used=step.chain)
