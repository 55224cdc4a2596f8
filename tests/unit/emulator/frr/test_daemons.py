from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from keyroll.emulator.contract.errors import ProcessError
from keyroll.emulator.frr import daemons
from keyroll.emulator.frr.config import Daemon


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that installs daemons, as files without content."""

    def install(*names: str) -> None:
        for name in names:
            (tmp_path / name).touch()

    monkeypatch.setattr(daemons, "DIRECTORIES", (tmp_path,))
    return install


def test_a_missing_frr_is_reported_with_a_remedy(installed: Callable[..., None]) -> None:
    installed()
    with pytest.raises(ProcessError, match="apt-get install frr"):
        daemons.find()


def test_before_mgmtd_every_daemon_gets_an_empty_configuration_file(
    installed: Callable[..., None], tmp_path: Path
) -> None:
    installed("zebra", "staticd")
    assert not daemons.has_mgmtd()
    for daemon in (Daemon.ZEBRA, Daemon.STATICD, Daemon.BGPD):
        command = daemons.command(daemon, tmp_path)
        assert command[command.index("-f") + 1] == "/dev/null"


def test_with_mgmtd_the_daemons_that_it_configures_get_no_configuration_file(
    installed: Callable[..., None], tmp_path: Path
) -> None:
    installed("zebra", "staticd", "mgmtd")
    assert daemons.has_mgmtd()
    assert "-f" not in daemons.command(Daemon.MGMTD, tmp_path)
    assert "-f" not in daemons.command(Daemon.STATICD, tmp_path)
    assert "-f" in daemons.command(Daemon.ZEBRA, tmp_path)


def test_no_daemon_listens_on_a_tcp_port_for_its_vty_or_goes_to_the_background(
    installed: Callable[..., None], tmp_path: Path
) -> None:
    installed("zebra")
    for daemon in Daemon:
        command = daemons.command(daemon, tmp_path)
        assert command[command.index("-P") + 1] == "0"
        assert "-d" not in command


def test_ldpd_gets_a_folder_for_its_control_socket(installed: Callable[..., None], tmp_path: Path) -> None:
    installed("zebra")
    command = daemons.command(Daemon.LDPD, tmp_path)
    assert command[command.index("--ctl_socket") + 1] == str(tmp_path)
