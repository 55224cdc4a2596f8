"""The command line in the tests' own process, and the configurations that plans are made of."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.cli.plan_pair import CHAIN, ENDS, SESSION

from keyroll.cli import main as cli


@pytest.fixture
def command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs `keyroll` in this process, and returns its exit code, stdout and stderr."""

    def run(*arguments: Path | str | int) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["keyroll", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run


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
