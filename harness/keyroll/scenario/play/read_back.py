"""The check `read-back`: after a commit, compare a router's keychains with those it was sent, secrets decoded."""

from __future__ import annotations

from collections.abc import Sequence

from keyroll.junos.errors import ReadBackError
from keyroll.junos.readback import read_keychains
from keyroll.junos.session import RouterSession
from keyroll.keychain.model import Keychain
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.judge.actions import ChainsHeld
from keyroll.scenario.plan.keyring import Changed
from keyroll.scenario.play.context import Run, router_of


class ReadBack:
    """Knows the keychains that each router was sent, and reads back those that it has."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._sent: dict[RouterName, tuple[Keychain, ...]] = {}
        self._typed: dict[RouterName, frozenset[str]] = {}
        """By router, the differences to the file's keychains that a `cli` step has made, in words."""
        run.keyring.subscribe(self._note)

    def check(self, routers: Sequence[RouterName]) -> None:
        """Record for each router whether it has the chains that it was sent."""
        for router, found in self._run.routers.pair.at_once(_found, routers).items():
            self._judge(router, found)

    def check_one(self, session: RouterSession) -> None:
        """Record for one router whether it has the chains that it was sent."""
        self._judge(router_of(session), _found(session))

    def allow_typed(self, session: RouterSession) -> Sequence[Keychain]:
        """Accept the router's differences now, which a typed line has made. Return its chains; none if unreadable."""
        router, found = router_of(session), _found(session)
        self._typed[router] = frozenset(self._assertion(router).differences(found))
        return [] if isinstance(found, str) else found

    def _note(self, changed: Changed) -> None:
        self._sent[changed.router] = tuple(changed.held.chains.values()) if changed.held is not None else ()

    def _assertion(self, router: RouterName) -> ChainsHeld:
        return ChainsHeld(router, self._sent.get(router, ()), self._typed.get(router, frozenset()))

    def _judge(self, router: RouterName, found: list[Keychain] | str) -> None:
        assertion = self._assertion(router)
        self._run.found(assertion, assertion.judge(found))


def _found(session: RouterSession) -> list[Keychain] | str:
    """Return the router's chains, or the text of the error if they cannot be read."""
    try:
        return read_keychains(session)
    except ReadBackError as error:
        return str(error)
