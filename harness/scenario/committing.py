"""The steps that commit: the base configuration with sessions and keychain, changes of keys, free Junos lines."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address

from harness.junos.base import GROUP, Family, SessionKind, base_configuration
from harness.junos.errors import CommandError, CommitError, ConfigurationError, RouterRefusedError
from harness.junos.session import RouterSession
from harness.keychain.junostext import set_lines
from harness.scenario.changes import Apply, AwaitRollback, Cli, CommitStep, Committed, DeleteChain, RePoint, Rollback
from harness.scenario.confirming import Unconfirmed
from harness.scenario.fields import ROUTERS, RouterName
from harness.scenario.result import Check
from harness.scenario.stage import Stage, other, router_of

Commit = Callable[[RouterSession], None]
Address = IPv4Address | IPv6Address


class Committer:
    """Plays the steps that commit, on a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._unconfirmed = Unconfirmed(stage)
        self.based: set[RouterName] = set()
        """Routers that have the base configuration."""

    def play(self, number: int, step: CommitStep) -> None:
        """Commit a change of keys on the step's routers, at once or in turn."""
        if isinstance(step, Apply):
            self._apply(number, step)
        else:
            self._in_order(step, lambda session: self._change(number, session, step))

    def await_rollback(self, number: int, step: AwaitRollback) -> None:
        """Wait until the step's routers have taken their unconfirmed commits back. Raises ScenarioError."""
        self._unconfirmed.await_rollback(number, step)

    def type_lines(self, number: int, step: Cli) -> None:
        """Type free lines on the step's routers, in the order that is written."""
        for router in step.routers:
            session = self._stage.fleet.sessions[router]
            if step.configure:
                lines = [self._placed(router, line) for line in step.configure]
                self._attempt(number, session, lines, step.refused, lambda _: None)
            if step.commands:
                self._ask(number, session, step)

    def _placed(self, router: RouterName, line: str) -> str:
        peer = other(router)
        return placed(
            line,
            own=self._stage.peers[peer],
            peer=self._stage.peers[router],
            peer_as=self._stage.plans[peer].asn,
        )

    def _ask(self, number: int, session: RouterSession, step: Cli) -> None:
        answer, refused = "", False
        for command in (self._placed(router_of(session), line) for line in step.commands):
            try:
                answer = session.show(command).raw
            except CommandError as error:
                answer, refused = error.words, True
                if step.refused is None and step.shows is None:
                    raise
        wanted = step.shows if step.shows is not None else step.refused
        if wanted is None:
            return
        held = bool(re.search(wanted, answer, re.MULTILINE)) and (step.refused is None or refused)
        self._stage.add(
            Check(
                "shows",
                passed=held,
                expected=f"'{step.commands[-1]}' shows /{wanted}/",
                observed="it does" if held else (answer.strip() or "nothing"),
                step=number,
                router=router_of(session),
            )
        )

    def _apply(self, number: int, step: Apply) -> None:
        others = [router for router in ROUTERS if router not in (*step.routers, *self.based)]
        if others:
            self._stage.fleet.each(lambda session: self._base(number, session, None), others)
        self._in_order(step, lambda session: self._base(number, session, step))

    def _in_order(self, step: Committed, commit: Commit) -> None:
        if step.pause is None:
            self._stage.fleet.each(commit, step.routers)
            return
        for index, router in enumerate(step.routers):
            if index:
                self._stage.pause.wait(step.pause.total_seconds())
            self._stage.fleet.each(commit, [router])

    def _base(self, number: int, session: RouterSession, step: Apply | None) -> None:
        """Commit the base configuration, with the chains when the router is applied, and without when it is not yet."""
        router = router_of(session)
        keyring = self._stage.keyring
        held = keyring.meant(router)
        lines = base_configuration(
            self._stage.plans[router],
            self._stage.plans[other(router)],
            sessions=[SessionKind(name) for name in self._stage.scenario.sessions],
            chain=held.used if step else None,
            hold_time=self._stage.scenario.hold_time,
            family=Family(self._stage.scenario.family),
        )
        if step:
            lines += [line for chain in keyring.given(router).chains.values() for line in set_lines(chain)]
        begun = time.time_ns()

        def done(_: RouterSession) -> None:
            if step:
                self._stage.wire.protected_from[router] = time.time_ns() if router in self.based else begun
                keyring.commit(router, held)
            self.based.add(router)
            self._stage.sampler.watch(router)

        self._attempt(number, session, lines, step.refused if step else None, done)

    def _change(self, number: int, session: RouterSession, step: CommitStep) -> None:
        router = router_of(session)
        keyring = self._stage.keyring
        if isinstance(step, Rollback):
            held = keyring.before(router, step.number)
            lines: list[str] = []
        else:
            held = keyring.after(router, step)
            lines = keyring.lines(router, held)
        if isinstance(step, RePoint):
            lines += self._pointing(router, held.used)
        if not lines and not isinstance(step, Rollback | DeleteChain):
            keyring.commit(router, held)  # nothing to do here: a mutation made it so
            return
        begun = time.time_ns()

        def done(_: RouterSession) -> None:
            keyring.commit(router, held)
            self._stage.wire.set_chain(router, keyring.given(router).chain, begun=begun, done=time.time_ns())
            if step.confirmed is not None:
                self._unconfirmed.note(session, step.confirmed)

        load = (lambda: session.rollback(step.number)) if isinstance(step, Rollback) else None
        self._attempt(number, session, lines, step.refused, done, load=load, confirmed=step.confirmed)

    def _pointing(self, router: RouterName, chain: str) -> list[str]:
        peer = self._stage.peers[router]
        lines = []
        if "bgp" in self._stage.scenario.sessions:
            lines.append(f"set protocols bgp group {GROUP} neighbor {peer} authentication-key-chain {chain}")
        if "ldp" in self._stage.scenario.sessions:
            lines.append(f"set protocols ldp session {peer} authentication-key-chain {chain}")
        return lines

    def _attempt(
        self,
        number: int,
        session: RouterSession,
        lines: Sequence[str],
        refused: str | None,
        done: Commit,
        *,
        load: Callable[[], object] | None = None,
        confirmed: int | None = None,
    ) -> None:
        """Load, commit and note it; or hold the router's refusal against what the file expects."""
        router = router_of(session)
        begun = time.time_ns()
        try:
            if load is not None:
                load()
            else:
                session.configure(lines)
            session.commit(f"keyroll {self._stage.scenario.id} step {number}", confirmed_minutes=confirmed)
        except (ConfigurationError, CommitError) as error:
            self._refused(number, router, error, refused, begun)
            return
        self._stage.committed(router, lines or [f"# step {number}: an earlier configuration"])
        done(session)
        if refused is not None:
            self._stage.add(
                Check(
                    "commit",
                    passed=False,
                    expected=f"refused with '{refused}'",
                    observed="the router took it",
                    step=number,
                    router=router,
                )
            )

    def _refused(
        self, number: int, router: RouterName, error: RouterRefusedError, refused: str | None, begun: int
    ) -> None:
        self._stage.add(
            Check(
                "commit",
                passed=refused is not None and refused in error.words,
                expected="taken by the router" if refused is None else f"refused with '{refused}'",
                observed=str(error),
                step=number,
                router=router,
                event=f"the commit of step {number}",
                after=timedelta(microseconds=(time.time_ns() - begun) // 1000),
            )
        )


def placed(line: str, *, own: Address, peer: Address, peer_as: int) -> str:
    """Return a line of a `cli` step as a router is sent it: `<own>`, `<peer>` and `<peer-as>` are those of its session.

    So a file needs no addresses, and a line is written once for both routers.
    """
    for word, value in (("<own>", own), ("<peer>", peer), ("<peer-as>", peer_as)):
        line = line.replace(word, str(value))
    return line
