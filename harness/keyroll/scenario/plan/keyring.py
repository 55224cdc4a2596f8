"""Who has which keys now: each router's chains as the file means them, as they are given, and as they once were.

A mutation is applied to whatever the file means at each time, so that it also breaks keys that a later step adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from keyroll.keychain.model import Keychain
from keyroll.keychain.secret import Secret
from keyroll.scenario.errors import ScenarioError
from keyroll.scenario.file.commit_steps import (
    AddKey,
    AwaitRollback,
    ChangeKey,
    CommitStep,
    Committed,
    DeleteChain,
    DeleteKey,
    RePoint,
    Rollback,
)
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.scenario import Mutation, Scenario
from keyroll.scenario.plan.chains import Seed, change_lines, changed_key, mutated, plan_chain, plan_key


@dataclass(frozen=True, slots=True)
class Held:
    """What one router holds: its chains by name (a deleted one is missing), and which one protects the sessions."""

    chains: Mapping[str, Keychain]
    used: str

    @property
    def chain(self) -> Keychain:
        """The chain that protects the sessions; an empty one of that name where it was deleted."""
        return self.chains.get(self.used) or Keychain(self.used)


class Keyring:
    """Both routers' chains through the changes of a scenario."""

    def __init__(self, scenario: Scenario, *, seed: Seed, t0: datetime, mutation: Mutation | None = None) -> None:
        self._scenario, self._seed, self._t0, self._mutation = scenario, seed, t0, mutation
        plans = (scenario.keychain, *scenario.other_chains)
        self._meant: dict[RouterName, Held] = {
            router: Held(
                {plan.name: plan_chain(plan, router, seed=seed, t0=t0) for plan in plans}, scenario.keychain.name
            )
            for router in ROUTERS
        }
        self._past: dict[RouterName, list[Held]] = {router: [] for router in ROUTERS}
        """What was committed before, oldest first."""

    def meant(self, router: RouterName) -> Held:
        """Return what the file means a router to hold now."""
        return self._meant[router]

    def given(self, router: RouterName) -> Held:
        """Return what the router is really given: what is meant, broken by the mutation that is played."""
        return self._broken(self._meant, router)

    def after(self, router: RouterName, step: CommitStep) -> Held:
        """Return what the file means a router to hold after a step that changes keys.

        Raises:
            ScenarioError: the router has no such key, chain or earlier configuration.
        """
        now = self._meant[router]
        chain = now.chain
        if isinstance(step, AddKey):
            key = plan_key(chain.name, step, router, seed=self._seed, t0=self._t0)
            if key is not None and chain.key(key.id) is not None:
                raise ScenarioError(f"add-key: {router} has a key {key.id} already; change-key changes it")
            return _with(now, replace(chain, keys=(*chain.keys, key) if key is not None else chain.keys))
        if isinstance(step, DeleteKey):
            self._need(chain, step.key, router)
            return _with(now, replace(chain, keys=tuple(key for key in chain.keys if key.id != step.key)))
        if isinstance(step, ChangeKey):
            self._need(chain, step.key, router)
            keys = (
                changed_key(chain.name, key, step, router, seed=self._seed, t0=self._t0) if key.id == step.key else key
                for key in chain.keys
            )
            return _with(now, replace(chain, keys=tuple(keys)))
        if isinstance(step, DeleteChain):
            return replace(now, chains={name: one for name, one in now.chains.items() if name != now.used})
        if isinstance(step, RePoint):
            if step.chain not in now.chains:
                raise ScenarioError(f"re-point: {router} has no chain '{step.chain}'; it has {', '.join(now.chains)}")
            return replace(now, used=step.chain)
        return now

    def before(self, router: RouterName, number: int) -> Held:
        """Return what a router held `number` commits ago. Raises ScenarioError when there were not so many."""
        past = self._past[router]
        if number >= len(past):
            raise ScenarioError(f"rollback {number}: {router} has committed keys only {len(past)} times")
        return past[-1 - number]

    def lines(self, router: RouterName, held: Held) -> list[str]:
        """Return the lines that turn what a router is given now into what it is given with `held`; with secrets."""
        now, then = self.given(router), self._broken({**self._meant, router: held}, router)
        names = dict.fromkeys((*now.chains, *then.chains))
        return [line for name in names for line in change_lines(now.chains.get(name), then.chains.get(name))]

    def commit(self, router: RouterName, held: Held) -> None:
        """Note that a router has committed `held`."""
        self._meant[router] = held
        self._past[router].append(held)

    def take_back(self, router: RouterName) -> None:
        """Note that a router's last commit was taken back by another one: it holds what it held before.

        A first commit that was taken back leaves it with nothing, and with the same keys to come.
        """
        past = self._past[router]
        if len(past) > 1:
            self.commit(router, past[-2])
        else:
            past.clear()

    def has_committed(self, router: RouterName) -> bool:
        """Say whether a router holds any keys yet."""
        return bool(self._past[router])

    def secrets(self) -> tuple[Secret, ...]:
        """Return every secret that a run of the scenario can bring forth, also those of later steps and mutations."""
        found: dict[Secret, None] = {}
        for ring in (self, Keyring(self._scenario, seed=self._seed, t0=self._t0, mutation=None)):
            for router in ROUTERS:
                for held in (ring.meant(router), ring.given(router)):
                    found.update(dict.fromkeys(_secrets(held.chains.values())))
        found.update(dict.fromkeys(self._secrets_of_steps()))
        return tuple(found)

    def _secrets_of_steps(self) -> Iterable[Secret]:
        """Play the changes of all steps on a ring of their own, to learn their secrets beforehand."""
        ring = Keyring(self._scenario, seed=self._seed, t0=self._t0, mutation=self._mutation)
        for step in self._scenario.steps:
            change = step.await_rollback or step.commits
            if change is None or (isinstance(change, Committed) and change.refused):
                continue
            for router in change.routers:
                if isinstance(change, AwaitRollback | Rollback):
                    held = ring.before(router, change.number if isinstance(change, Rollback) else 1)
                else:
                    held = ring.after(router, change)
                ring.commit(router, held)
                yield from _secrets((*held.chains.values(), *ring.given(router).chains.values()))

    def _broken(self, meant: Mapping[RouterName, Held], router: RouterName) -> Held:
        if self._mutation is None:
            return meant[router]
        name = self._scenario.keychain.name
        chains = {one: meant[one].chains.get(name, Keychain(name)) for one in ROUTERS}
        held = meant[router]
        if name not in held.chains:
            return held
        return replace(held, chains={**held.chains, name: mutated(chains, router, self._mutation, seed=self._seed)})

    def _need(self, chain: Keychain, number: int, router: RouterName) -> None:
        if chain.key(number) is None:
            raise ScenarioError(
                f"{router} has no key {number} in {chain.name}; it has {[key.id for key in chain.keys]}"
            )


def _with(held: Held, chain: Keychain) -> Held:
    return replace(held, chains={**held.chains, chain.name: chain})


def _secrets(chains: Iterable[Keychain]) -> Iterable[Secret]:
    return (key.secret for chain in chains for key in chain.keys if key.secret is not None)
