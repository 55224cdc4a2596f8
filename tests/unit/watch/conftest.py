"""Fixtures for watches: a recording SSH server in the role of two routers, and a function that plays a watch on it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.known import known
from tests.unit.watch.allowed import LOGIN, is_allowed
from tests.unit.watch.lockstep import Lockstep, pool_of
from tests.unit.watch.recording import BEGIN, NAMES, PASSWORD, USER, FakeRouter, Recording, drawn, plain

from keyroll.instants import Instant
from keyroll.junos.access import Access
from keyroll.junos.exchange import Target
from keyroll.keychain.secret import Secret
from keyroll.watch.engine import Outcome, watch
from keyroll.watch.inventory import Inventory
from keyroll.watch.pace import Pace
from keyroll.watch.state import Options

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def server() -> Iterator[Recording]:
    with Recording() as made:
        yield made


@pytest.fixture
def paces(monkeypatch: pytest.MonkeyPatch) -> list[list[Instant]]:
    """The instants at which `Pace` allowed each line: the server may get a line after the clock has advanced."""
    found: list[list[Instant]] = []

    class Noting(Pace):
        def __init__(self, clock: Lockstep, stop: threading.Event) -> None:
            super().__init__(clock, stop)
            self.instants: list[Instant] = []
            found.append(self.instants)

        def before_line(self) -> None:
            super().before_line()
            self.instants.append(known(self._sent))

    monkeypatch.setattr("keyroll.watch.router.Pace", Noting)
    return found


@pytest.fixture
def play(
    server: Recording, paces: list[list[Instant]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Outcome, list[list[Instant]]]]:
    def played(
        seed: int | None = None, change: Callable[..., object] | None = None, number: int = 0, **more: Any
    ) -> tuple[Outcome, list[list[Instant]]]:
        clock = Lockstep(BEGIN)
        monkeypatch.setattr("keyroll.watch.engine.ThreadPoolExecutor", pool_of(clock))
        routers = plain(clock) if seed is None else drawn(seed, clock)
        if change is not None:
            change(routers)
        server.routers = routers
        known = tmp_path / "known_hosts"
        access = Access(Secret(PASSWORD), known_hosts=(known,), new_hosts=known)
        targets = [
            Target(name, "127.0.0.1", server.ports[name], USER, Secret(PASSWORD), access=access) for name in NAMES
        ]
        entries = {name: {"host": "127.0.0.1", "user": USER} for name in NAMES}
        inventory = Inventory.model_validate({"inventory": 1, "routers": entries})
        folder = tmp_path / f"run-{number}-{seed}"
        paces.clear()
        outcome = watch(Options(inventory, Path("routers.yml"), targets, run_dir=folder, clock=clock, **more))
        check_what_was_sent(routers, paces)
        return outcome, paces

    return played


def check_what_was_sent(routers: dict[str, FakeRouter], paces: list[list[Instant]]) -> None:
    for router, instants in zip(routers.values(), paces, strict=True):
        assert all(is_allowed(line) for line in router.sent), router.sent
        assert router.logins <= 1
        assert tuple(router.sent[: len(LOGIN)]) == LOGIN[: len(router.sent)]
        # A line that was allowed may not have arrived when the session ended.
        assert len(router.sent) <= len(instants) <= len(router.sent) + 1
        assert all(after - before >= SECOND for before, after in itertools.pairwise(instants)), instants
