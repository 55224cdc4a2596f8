"""The check of a new vendor image, played on emulated routers in place of the image."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.command_line import KEYROLL
from tests.unit.known import known

from keyroll.junos.session import RouterSession
from keyroll.keychain.model import Keychain
from keyroll.lab.embedded.lab import EmbeddedLab
from keyroll.lab.protocol import LabUnfitError
from keyroll.lab.topology import read_topology
from keyroll.scenario.labs.connect import target_of
from keyroll.scenario.labs.image_check import COMMANDS, check
from keyroll.scenario.labs.keyed_session import keyed_session
from keyroll.scenario.labs.readiness import readiness

pytestmark = pytest.mark.lab
TOPOLOGY = Path(__file__).parents[2] / "topologies" / "two-router.clab.yml"


class CheckedLab(EmbeddedLab):
    """An embedded lab with the readiness checks of a lab of containers."""

    def deploy(self) -> None:
        super().deploy()
        for router in self.routers.values():
            readiness()(router)
        keyed_session(self.routers)


def test_an_image_check_of_a_working_pair_passes_every_step_and_keeps_the_output(tmp_path: Path) -> None:
    lab = CheckedLab(read_topology(TOPOLOGY), evidence=tmp_path / "lab")
    password = ""
    steps = []
    for step in check(lab, tmp_path):
        steps.append(step)
        password = password or next(iter(lab.routers.values())).password
    assert [step for step in steps if not step.good] == []
    assert len(steps) == 1 + 2 * (len(COMMANDS) + 1)
    assert "Hostname" in (tmp_path / "R1" / "show_version.txt").read_text()
    assert password not in "".join(path.read_text() for path in (tmp_path / "R1").iterdir())
    with pytest.raises(Exception, match="not deployed"):
        lab.check()


def configurations(lab: EmbeddedLab) -> list[str]:
    found = []
    for router in lab.routers.values():
        with RouterSession(target_of(router)) as session:
            found.append(session.ask_secret("show configuration | display set"))
    return found


def test_a_link_without_carrier_is_not_reported_as_a_kernel_without_tcp_ao(deployed_pair: EmbeddedLab) -> None:
    lab, before = deployed_pair, configurations(deployed_pair)
    lab.links.cut()
    try:
        with pytest.raises(LabUnfitError, match=r"no BGP session comes up between R1 and R2 .* with keys or without"):
            keyed_session(lab.routers, within=timedelta(seconds=2))
    finally:
        lab.links.restore()
    assert configurations(lab) == before


@pytest.mark.slow
def test_a_session_that_comes_up_only_without_keys_is_reported_as_such(
    deployed_pair: EmbeddedLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = configurations(deployed_pair)
    monkeypatch.setattr(
        Keychain, "mirrored", lambda chain: chain
    )  # each router sends with an id that the other one does not accept
    with pytest.raises(LabUnfitError, match=r"no BGP session with TCP-AO .* although one without keys does"):
        keyed_session(deployed_pair.routers, within=timedelta(seconds=30))
    assert configurations(deployed_pair) == before


@pytest.fixture
def deployed_pair(tmp_path: Path) -> Iterator[EmbeddedLab]:
    lab = EmbeddedLab(read_topology(TOPOLOGY), evidence=tmp_path / "lab")
    try:
        lab.deploy()
        yield lab
    finally:
        lab.destroy()


@pytest.mark.skipif(shutil.which("containerlab") is not None, reason="this machine may have such a lab")
def test_the_bundle_has_the_reason_why_no_pair_came_up(tmp_path: Path) -> None:
    out = tmp_path / "bundle.tar.gz"
    command = [*KEYROLL, "doctor"]
    done = subprocess.run(
        [*command, "--image", "crpd:24.4R1.9", "-o", out], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "no  a pair comes up and takes TCP-AO: the command `containerlab` is not on this machine" in done.stdout
    with tarfile.open(out) as bundle:
        report = json.load(known(bundle.extractfile("keyroll-image/report.json")))
    assert (report["image"], report["lab"]) == ("crpd:24.4R1.9", "crpd")
    assert report["steps"][0]["good"] is False
    assert "Python" in [finding["name"] for finding in report["findings"]]
