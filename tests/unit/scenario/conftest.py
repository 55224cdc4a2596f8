from collections.abc import Callable
from pathlib import Path

import pytest

NS = 1_000_000_000
"""Nanoseconds in a second."""
TWO_KEYS = """\
keyroll: 1
id: two-keys
title: Two keys
sessions: [bgp]
keychain:
  name: chain
  keys:
    - {id: 0, start: 0m}
    - {id: 1, start: 30m, algorithm: aes-128-cmac-96}
steps:
  - apply: {routers: [R1, R2]}
  - expect: {bgp: Established, active: 0, next: 1}
  - advance: {to: 30m}
  - expect: {active: 1, next: null, wire: {R1: 1, R2: 1}}
mutations:
  other-secret: {kind: other-secret, key: 1, router: R2, turns-red: [every-segment-verified, wire@4]}
"""


@pytest.fixture
def two_keys() -> str:
    return TWO_KEYS


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def put(text: str, name: str = "scenario.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return put
