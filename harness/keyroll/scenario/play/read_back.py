"""What a router holds after a commit is read back and compared with what it was sent, secrets decoded (`read-back`)."""

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
    """Knows what each router was sent, and reads back what it holds."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._sent: dict[RouterName, tuple[Keychain, ...]] = {}
        self._typed: dict[RouterName, frozenset[str]] = {}
        """By router, what a `cli` step has made otherwise than the file's keychains have it."""
        run.keyring.subscribe(self._note)

    def check(self, routers: Sequence[RouterName]) -> None:
        """Note for each router whether it holds the chains that it was sent."""
        for router, found in self._run.routers.pair.at_once(_found, routers).items():
            self._judge(router, found)

    def check_one(self, session: RouterSession) -> None:
        """Note for one router whether it holds the chains that it was sent."""
        self._judge(router_of(session), _found(session))

    def allow_typed(self, session: RouterSession) -> Sequence[Keychain]:
        """Take what the router holds now as meant: somebody typed it. Return the chains, where they can be read."""
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
    """Return the chains, or why what the router shows is no text that holds some."""
    try:
        return read_keychains(session)
    except ReadBackError as error:
        return str(error)
