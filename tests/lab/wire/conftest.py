"""Fixtures of the wire path's tests: two routers, and the program from which their wire processes are forked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.wire.processes import ForkServer
from tests.lab.wire.two_routers import Rig


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    made = ForkServer()
    yield made
    made.end()


@pytest.fixture
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root here")
    made = Rig(tmp_path, request.getfixturevalue("fork_server"))
    try:
        yield made
    finally:
        made.end()
