"""Each router's keychains during a scenario: as intended by the file, as deployed with a mutation, and earlier ones.

A mutation is applied to the intended chains at each time, so that it also breaks keys that a later step adds. This is
the only place where a router's keychains change; other parts of a run `subscribe` to the changes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from keyroll.keychain.generate import draw_secret
from keyroll.keychain.model import Keychain
from keyroll.keychain.secret import Secret
from keyroll.scenario.errors import ScenarioError
from keyroll.scenario.file.commit_steps import AwaitRollback, Commit, Rollback
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.keys import SECRET_LENGTH
from keyroll.scenario.file.scenario import Mutation, Scenario
from keyroll.scenario.plan.chains import Seed, change_lines, mutated, plan_chain
from keyroll.scenario.plan.changes import Held, Situation, after


@dataclass(frozen=True, slots=True)
class Span:
    """The time of an event: two instants of the host (ns since 1970) between which it happened."""

    begun: int
    done: int


@dataclass(frozen=True, slots=True)
class Changed:
    """A commit has changed a router's keychains."""

    router: RouterName
    held: Held | None
    """The deployed keychains, mutation included; None: the sessions run without authentication from now on."""
    span: Span
    """The commit: it was not in force before `begun`, and completely in force after `done`."""
    unprotected_before: bool = False
    """Whether the router ran its sessions without authentication until then."""


class Keyring:
    """Both routers' keychains, and their changes during a scenario."""

    def __init__(self, scenario: Scenario, *, seed: Seed, t0: datetime, mutation: Mutation | None = None) -> None:
        self._scenario, self._seed, self._t0, self._mutation = scenario, seed, t0, mutation
        plans = (scenario.keychain, *scenario.other_chains)
        self._intended: dict[RouterName, Held] = {
            router: Held(
                {plan.name: plan_chain(plan, router, seed=seed, t0=t0) for plan in plans},
                scenario.keychain.name,
                {one.name: name for one in scenario.sessions if (name := one.chain_of(router)) is not None},
            )
            for router in ROUTERS
        }
        self._secrets_of = {plan.name: plan.secrets_of for plan in plans if plan.secrets_of is not None}
        self._past: dict[RouterName, list[Held]] = {router: [] for router in ROUTERS}
        """The intended keychains after each commit, oldest first."""
        self._sent: dict[RouterName, list[bool]] = {router: [] for router in ROUTERS}
        """For each of these commits, whether the router was really sent it."""
        self._subscribers: list[Callable[[Changed], None]] = []
        self._publishing = threading.Lock()

    def intended(self, router: RouterName) -> Held:
        """Return the keychains that a router must have now by the file."""
        return self._intended[router]

    def deployed(self, router: RouterName) -> Held:
        """Return the keychains that the router really gets: the intended ones with the mutation applied."""
        return self._broken(self._intended, router)

    def authentication_key(self) -> Secret:
        """Return the TCP MD5 password that both routers have before their key-chains (`authentication: md5`)."""
        return draw_secret(self._seed, "authentication-key", SECRET_LENGTH)

    def subscribe(self, subscriber: Callable[[Changed], None]) -> None:
        """Call `subscriber` with every change from now on, one at a time."""
        self._subscribers.append(subscriber)

    def after(self, router: RouterName, step: Commit) -> Held:
        """Return the intended keychains of a router after a step that changes keys.

        Raises:
            ScenarioError: the router has no such key, chain or earlier configuration.
        """
        if isinstance(step, Rollback):
            return self.before(router, step.number)
        return after(step, Situation(router, self._intended[router], self._seed, self._t0, self._secrets_of))

    def before(self, router: RouterName, number: int) -> Held:
        """Return a router's intended keychains `number` commits ago. Raises ScenarioError: there were fewer commits."""
        past = self._past[router]
        if number >= len(past):
            raise ScenarioError(f"rollback {number}: {router} has committed keys only {len(past)} times")
        return past[-1 - number]

    def sent_of_last(self, router: RouterName, number: int) -> int:
        """Return how many of a router's last `number` commits (at least 1) were really sent to it."""
        return sum(self._sent[router][-number:])

    def lines(self, router: RouterName, held: Held) -> list[str]:
        """Return the set lines, with secrets, that change a router's deployed keychains to those for `held`."""
        now, then = self.deployed(router), self._broken({**self._intended, router: held}, router)
        names = dict.fromkeys((*now.chains, *then.chains))
        return [line for name in names for line in change_lines(now.chains.get(name), then.chains.get(name))]

    def commit(
        self, router: RouterName, held: Held, span: Span | None = None, *, unprotected_before: bool = False
    ) -> None:
        """Record that a router has committed `held`.

        Without a span nothing was really committed: with the mutation, the deployed keychains did not change.
        """
        self._intended[router] = held
        self._past[router].append(held)
        self._sent[router].append(span is not None)
        if span is not None:
            self._publish(Changed(router, self.deployed(router), span, unprotected_before))

    def take_back(self, router: RouterName, span: Span | None = None) -> None:
        """Record that a router's last commit was undone by another one: its keychains are those of before.

        If it was the first commit, the router has no keychains, and the next commit brings the same ones again.
        """
        past = self._past[router]
        if len(past) > 1:
            self.commit(router, past[-2], span)
            return
        past.clear()
        self._sent[router].clear()
        if span is not None:
            self._publish(Changed(router, None, span))

    def _publish(self, changed: Changed) -> None:
        with self._publishing:  # both routers commit at the same time, each in a thread
            for subscriber in self._subscribers:
                subscriber(changed)

    def secrets(self) -> tuple[Secret, ...]:
        """Return every secret that a run of the scenario can have, also those of later steps and mutations."""
        found: dict[Secret, None] = {self.authentication_key(): None}
        for ring in (self, Keyring(self._scenario, seed=self._seed, t0=self._t0, mutation=None)):
            for router in ROUTERS:
                for held in (ring.intended(router), ring.deployed(router)):
                    found.update(dict.fromkeys(_secrets(held.chains.values())))
        found.update(dict.fromkeys(self._secrets_of_steps()))
        return tuple(found)

    def _secrets_of_steps(self) -> Iterable[Secret]:
        """Yield the secrets of later steps: apply the changes of all steps to a second keyring."""
        ring = Keyring(self._scenario, seed=self._seed, t0=self._t0, mutation=self._mutation)
        for step in self._scenario.steps:
            if not isinstance(step, Commit | AwaitRollback) or (isinstance(step, Commit) and step.refused):
                continue
            for router in step.routers:
                held = ring.before(router, 1) if isinstance(step, AwaitRollback) else ring.after(router, step)
                ring.commit(router, held)
                yield from _secrets((*held.chains.values(), *ring.deployed(router).chains.values()))

    def _broken(self, intended: Mapping[RouterName, Held], router: RouterName) -> Held:
        if self._mutation is None:
            return intended[router]
        name = self._mutation.chain or self._scenario.keychain.name
        chains = {one: intended[one].chains.get(name, Keychain(name)) for one in ROUTERS}
        held = intended[router]
        if name not in held.chains:
            return held
        return replace(held, chains={**held.chains, name: mutated(chains, router, self._mutation, seed=self._seed)})


def _secrets(chains: Iterable[Keychain]) -> Iterable[Secret]:
    return (key.secret for chain in chains for key in chain.keys if key.secret is not None)
