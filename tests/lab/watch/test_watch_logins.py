"""Watching with a login class that has few permissions, on a lab's routers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.lab.conftest import Pair
from tests.lab.watch.production import Case, Production
from tests.unit.known import known

from keyroll.emulator.junos.configuration.passwords import encrypted
from keyroll.junos.access import Access
from keyroll.junos.exchange import Target
from keyroll.junos.session import RouterSession
from keyroll.keychain.secret import Secret
from keyroll.scenario.record.result import Verdict

pytestmark = pytest.mark.lab
PASSWORD = "a password of tests"


def as_watcher(production: Production, permissions: str) -> None:
    """Log in to both routers as a user whose class has only these permissions."""
    lines = [
        f"set system login class watcher permissions [ {permissions} ]",
        "set system login user watcher class watcher",
        f'set system login user watcher authentication encrypted-password "{encrypted(PASSWORD)}"',
    ]
    for name in production.pair.sessions:
        production.pair.commit(name, lines)
    access = Access(Secret(PASSWORD), known_hosts=(production.folder / "k",), new_hosts=production.folder / "k")
    production.targets = [
        replace(target, user="watcher", password=Secret(PASSWORD), access=access) for target in production.targets
    ]


def test_view_and_view_configuration_are_enough_and_secrets_stay_unknown(pair: Pair, tmp_path: Path) -> None:
    production = Production(pair, Case(), tmp_path)
    production.configure()
    as_watcher(production, "view view-configuration")
    with RouterSession(Target(**plain(production.targets[0]))) as session, pytest.raises(Exception, match="denied"):
        session.configure(["set system host-name other"])
    outcome = production.watched()
    assert outcome.result.verdict is Verdict.PASSED, outcome.headline
    assert any("whether the secrets match" in words for words in outcome.state.not_judged)
    secrets = [known(key.secret).reveal() for chain in production.chains() for key in chain.keys]
    written = [path.read_bytes() for path in outcome.result.folder.rglob("*") if path.is_file()]
    assert not any(secret in text for secret in (*secrets, PASSWORD.encode()) for text in written)


def plain(target: Target) -> dict[str, Any]:
    return {name: getattr(target, name) for name in ("name", "host", "port", "user", "password")}


@pytest.mark.slow
def test_without_view_configuration_the_chains_are_not_visible(pair: Pair, tmp_path: Path) -> None:
    production = Production(pair, Case(), tmp_path)
    production.configure()
    as_watcher(production, "view")
    outcome = production.watched(until=timedelta(minutes=1))
    assert outcome.result.verdict is Verdict.UNFIT
    assert "R1: chains not visible" in known(outcome.result.reason)
