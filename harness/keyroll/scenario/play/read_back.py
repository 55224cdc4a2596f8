"""What a router holds after a commit is read back and compared with what it was sent, secrets decoded (`read-back`)."""

from __future__ import annotations

from keyroll.junos.readback import differences, read_keychains
from keyroll.junos.session import RouterSession
from keyroll.keychain.junostext import KeychainTextError
from keyroll.keychain.model import Keychain
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.play.context import Stage, router_of
from keyroll.scenario.record.result import Check


class ReadingBack:
    """Reads key-chains back from routers, on a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._typed: dict[RouterName, frozenset[str]] = {}
        """By router, what a `cli` step has made otherwise than the file's keychains have it."""

    def check(self, number: int, routers: list[RouterName]) -> None:
        """Note for each router whether it holds the chains that it was sent."""
        for router, found in self._stage.pair.at_once(self._found, routers).items():
            self._judge(number, router, found)

    def check_one(self, number: int, session: RouterSession) -> None:
        """Note for one router whether it holds the chains that it was sent."""
        self._judge(number, router_of(session), self._found(session))

    def allow_typed(self, session: RouterSession) -> None:
        """Take what the router holds now as meant: somebody typed it."""
        found = self._found(session)
        router = router_of(session)
        self._typed[router] = frozenset([found] if isinstance(found, str) else differences(self._sent(router), found))

    def _judge(self, number: int, router: RouterName, found: list[Keychain] | str) -> None:
        said = [found] if isinstance(found, str) else differences(self._sent(router), found)
        said = [words for words in said if words not in self._typed.get(router, frozenset())]
        keys = 0 if isinstance(found, str) else sum(len(chain.keys) for chain in found)
        self._stage.add(
            Check(
                "read-back",
                passed=not said,
                expected="the key-chains that were sent, secrets compared decoded",
                observed="; ".join(said) if said else f"{keys} keys as they were sent",
                step=number,
                router=router,
            )
        )

    def _found(self, session: RouterSession) -> list[Keychain] | str:
        """Return the chains, or why what the router shows is no text that holds some."""
        try:
            return read_keychains(session)
        except KeychainTextError as error:
            return str(error)

    def _sent(self, router: RouterName) -> list[Keychain]:
        keyring = self._stage.keyring
        return list(keyring.given(router).chains.values()) if keyring.has_committed(router) else []
