"""Sixteen labs at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from tests.lab.conftest import Pair

from keyroll.keychain.model import Keychain

pytestmark = [pytest.mark.lab, pytest.mark.slow]
LABS = 16
"""As many as `make bench` measures."""
HELD_SECONDS = 60
"""More than six hold times of 9 s: a session that gets no keepalives is down by then."""


def test_sixteen_labs_at_once_come_up_and_hold_their_sessions_for_a_minute(
    tmp_path: Path, deploy: Callable[..., AbstractContextManager[Pair]], chain: Keychain
) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(LABS) as pool:
        made = [pool.submit(stack.enter_context, deploy(tmp_path / str(n), wait_scale=4)) for n in range(LABS)]
        pairs = [one.result() for one in made]
        for job in [pool.submit(pair.configure, chain=chain) for pair in pairs]:
            job.result()
        for pair in pairs:
            pair.until("BGP", pair.shows("show bgp summary", "Establ"), seconds=300)
        before = [pair.flaps() for pair in pairs]
        up = time.monotonic()
        while time.monotonic() < up + HELD_SECONDS:
            for pair in pairs:
                pair.lab.check()
        for pair, flaps in zip(pairs, before, strict=True):
            assert pair.shows("show bgp summary", "Establ")(), pair.lab.name
            assert pair.flapped_since(flaps) == [], pair.lab.name
            assert set(pair.lab.capture_losses().values()) == {0}
