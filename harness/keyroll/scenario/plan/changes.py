"""The keychains that a router has, before and after a step that changes them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import singledispatch

from keyroll.keychain.model import Keychain
from keyroll.scenario.errors import ScenarioError
from keyroll.scenario.file.commit_steps import (
    AddKey,
    ChangeChain,
    ChangeChains,
    ChangeKey,
    Commit,
    DeleteChain,
    DeleteKey,
    Pointing,
    RePoint,
)
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.file.keys import ChainChange
from keyroll.scenario.plan.chains import Seed, changed_key, plan_key


@dataclass(frozen=True, slots=True)
class Held:
    """The keychains of one router by name (a deleted one is missing), and which one protects the sessions."""

    chains: Mapping[str, Keychain]
    used: str
    """The chain of every session that is not in `pointed`."""
    pointed: Mapping[str, str] = field(default_factory=dict)
    """The chains of sessions that have their own, by the session's name."""

    def used_by(self, session: str) -> str:
        """Return the name of the chain that protects a session."""
        return self.pointed.get(session, self.used)

    def chain_of(self, session: str) -> Keychain:
        """Return the chain that protects a session; an empty one of that name if it was deleted."""
        return self.named(self.used_by(session))

    def own_chains(self) -> dict[str, Keychain]:
        """Return the chains of the sessions that have their own, by the session's name."""
        return {session: self.named(name) for session, name in self.pointed.items()}

    def named(self, name: str | None) -> Keychain:
        """Return the chain of that name (None: the one in use); an empty one if there is none."""
        name = self.used if name is None else name
        return self.chains.get(name) or Keychain(name)

    @property
    def chain(self) -> Keychain:
        """The chain that protects the sessions; an empty one of that name if it was deleted."""
        return self.named(None)

    def with_chain(self, chain: Keychain) -> Held:
        """Return the same with `chain` added, or in place of the one of its name."""
        return replace(self, chains={**self.chains, chain.name: chain})


@dataclass(frozen=True, slots=True)
class Situation:
    """What the result of a step depends on: the router, its keychains before, the seed and t0."""

    router: RouterName
    before: Held
    seed: Seed
    t0: datetime
    secrets_of: Mapping[str, str] = field(default_factory=dict)
    """The file's `secrets-of` by chain: the chain whose secrets it gets, if not its own."""

    def drawn_as(self, chain: Keychain) -> str:
        """Return the chain name that a chain's secrets are drawn from."""
        return self.secrets_of.get(chain.name, chain.name)

    def require(self, number: int, name: str | None) -> None:
        """Raise ScenarioError when a chain (None: the one in use) has no such key."""
        chain = self.before.named(name)
        if chain.key(number) is None:
            there = ", ".join(str(key.id) for key in chain.keys) or "none"
            raise ScenarioError(f"{self.router} has no key {number} in {chain.name}; it has {there}")


@singledispatch
def after(step: Commit, now: Situation) -> Held:
    """Return the keychains that a router must have after a step; unchanged for a step that changes no keys.

    Raises:
        ScenarioError: the router has no such key or chain, or has it already.
    """
    return now.before


@after.register
def _(step: AddKey, now: Situation) -> Held:
    chain = now.before.named(step.chain)
    key = plan_key(now.drawn_as(chain), step, now.router, seed=now.seed, t0=now.t0)
    if key is None:
        return now.before
    if chain.key(key.id) is not None:
        raise ScenarioError(f"add-key: {now.router} has a key {key.id} already; use change-key")
    return now.before.with_chain(replace(chain, keys=(*chain.keys, key)))


@after.register
def _(step: DeleteKey, now: Situation) -> Held:
    now.require(step.key, step.chain)
    chain = now.before.named(step.chain)
    return now.before.with_chain(replace(chain, keys=tuple(key for key in chain.keys if key.id != step.key)))


@after.register
def _(step: ChangeKey, now: Situation) -> Held:
    now.require(step.key, step.chain)
    chain = now.before.named(step.chain)
    keys = (
        changed_key(now.drawn_as(chain), key, step, now.router, seed=now.seed, t0=now.t0) if key.id == step.key else key
        for key in chain.keys
    )
    return now.before.with_chain(replace(chain, keys=tuple(keys)))


@after.register(ChangeChain)
@after.register(ChangeChains)
def _(step: ChangeChain | ChangeChains, now: Situation) -> Held:
    held = now.before
    for change in step.changes:
        if change.delete and not change.add and len(step.routers) == 1:
            now.require(change.delete[0], change.chain)
        held = held.with_chain(_changed(change, replace(now, before=held), step.kind))
    for one in step.pointings if isinstance(step, ChangeChains) else ():
        held = _pointed(one, replace(now, before=held), step.kind)
    return held


def _changed(change: ChainChange, now: Situation, kind: str) -> Keychain:
    """Return a chain after a change; a key to delete that this router does not have is ignored."""
    chain = now.before.named(change.chain)
    gone = {number for number in change.delete if chain.key(number) is not None}
    kept = tuple(key for key in chain.keys if key.id not in gone)
    added = [plan_key(now.drawn_as(chain), plan, now.router, seed=now.seed, t0=now.t0) for plan in change.add]
    new = tuple(key for key in added if key is not None)
    twice = {key.id for key in kept} & {key.id for key in new}
    if twice:
        raise ScenarioError(f"{kind}: {now.router} has a key {min(twice)} already; delete it in the same step")
    tolerance = chain.tolerance if change.tolerance is None else change.tolerance[now.router]
    return replace(chain, keys=(*kept, *new), tolerance=tolerance)


@after.register
def _(step: DeleteChain, now: Situation) -> Held:
    before = now.before
    gone = before.used if step.chain is None else step.chain
    return replace(before, chains={name: one for name, one in before.chains.items() if name != gone})


@after.register
def _(step: RePoint, now: Situation) -> Held:
    return _pointed(step, now, step.kind)


def _pointed(one: Pointing, now: Situation, kind: str) -> Held:
    before = now.before
    if one.chain not in before.chains:
        raise ScenarioError(f"{kind}: {now.router} has no chain '{one.chain}'; it has {', '.join(before.chains)}")
    if one.sessions_:
        return replace(before, pointed={**before.pointed, **dict.fromkeys(one.sessions_, one.chain)})
    return replace(before, used=one.chain, pointed={})
