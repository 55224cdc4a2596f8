"""Configurations for the tests of `keyroll plan`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.cli.plan_pair import CHAIN, ENDS, SESSION


@pytest.fixture
def configs(tmp_path: Path) -> list[str]:
    paths = []
    for name, ids in (("lion", (1, 2)), ("tiger", (2, 1))):
        path = tmp_path / f"{name}.conf"
        path.write_text(CHAIN.format(name=name, secret="sesame-sesame", send=ids[0], recv=ids[1]))
        paths.append(str(path))
    return paths


@pytest.fixture
def sessions(configs: list[str]) -> list[str]:
    """Add the BGP session that the chain protects to the configurations; return their paths."""
    for path, end in zip(configs, ENDS, strict=True):
        Path(path).write_text(Path(path).read_text() + SESSION.format(**end))
    return configs
