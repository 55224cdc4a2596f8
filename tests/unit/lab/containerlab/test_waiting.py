"""Waiting for routers in containers: when they are contacted, and what an error reports."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator

import pytest

from keyroll.lab.containerlab import docker, readiness
from keyroll.lab.containerlab.readiness import Container, Waiting
from keyroll.lab.platforms import CRPD, EMULATED, PLATFORMS, VJUNOS_EVOLVED, VJUNOS_ROUTER, Platform
from keyroll.lab.protocol import LabError, LabUnfitError, Router


@pytest.fixture
def container() -> Iterator[Container]:
    """A running container: its process 1 is this process."""
    made = Container("clab-x-R1", os.pidfd_open(os.getpid()))
    yield made
    made.close()


def router(platform: Platform) -> Router:
    return Router("R1", "127.0.0.1", 22, platform.user, platform.password, platform.name, 65001, None, None, ())


def wait(
    platform: Platform, container: Container, probe: Callable[[Router], None], *, wait_scale: float = 1.0
) -> list[str]:
    ready: list[str] = []
    one = Waiting("x", probe, time.monotonic(), wait_scale, ready.append)
    one.await_all({"R1": router(platform)}, {"R1": container})
    return ready


@pytest.mark.parametrize("platform", [VJUNOS_ROUTER, VJUNOS_EVOLVED], ids=lambda platform: platform.name)
def test_a_virtual_machine_that_still_boots_is_not_contacted_over_ssh(
    container: Container, monkeypatch: pytest.MonkeyPatch, platform: Platform
) -> None:
    states = iter(["running starting", "running", "running healthy"])
    contacted: list[str] = []
    monkeypatch.setattr(docker, "states_of", lambda names: dict.fromkeys(names, next(states)))
    monkeypatch.setattr(readiness, "ssh_answers", lambda router: contacted.append(router.name))
    monkeypatch.setattr(readiness, "pause_of", lambda _platform: 0.001)
    assert wait(platform, container, lambda _router: None) == ["R1"]
    assert contacted == ["R1"], "contacted once, after the image reported that it has booted"
    assert next(states, None) is None, "each of the states was read"


@pytest.mark.parametrize("works", [True, False])
def test_a_login_that_works_outweighs_an_image_that_reports_unhealthy(
    container: Container, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    monkeypatch.setattr(docker, "states_of", lambda names: dict.fromkeys(names, "running unhealthy"))
    monkeypatch.setattr(readiness, "ssh_answers", lambda _router: None)

    def probe(_router: Router) -> None:
        if not works:
            raise LabError("no prompt")

    if works:
        assert wait(VJUNOS_ROUTER, container, probe) == ["R1"]
    else:
        with pytest.raises(LabError, match="its container is running unhealthy, and no prompt"):
            wait(VJUNOS_ROUTER, container, probe, wait_scale=0.0001)


def test_virtual_machines_are_contacted_every_few_seconds() -> None:
    pauses = {platform.name: readiness.pause_of(platform) for platform in PLATFORMS.values()}
    assert {name for name, pause in pauses.items() if pause >= 2} == {
        name for name, platform in PLATFORMS.items() if platform.needs_kvm
    }


@pytest.mark.parametrize("platform", [EMULATED, CRPD], ids=lambda platform: platform.name)
def test_routers_without_a_health_check_are_contacted_directly(
    container: Container, monkeypatch: pytest.MonkeyPatch, platform: Platform
) -> None:
    monkeypatch.setattr(readiness, "ssh_answers", lambda _router: None)
    monkeypatch.setattr(docker, "states_of", lambda _names: pytest.fail("Docker must not be contacted"))
    assert wait(platform, container, lambda _router: None) == ["R1"]


def test_a_virtual_machine_that_stays_unhealthy_is_an_error_at_the_deadline_with_its_state(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker, "states_of", lambda names: dict.fromkeys(names, "running unhealthy"))
    with pytest.raises(LabError, match=r"R1 \(vjunos-router\) was not ready .* its container is running unhealthy"):
        wait(VJUNOS_ROUTER, container, lambda _router: None, wait_scale=0.0001)


def test_a_long_wait_is_reported_with_its_reason_also_without_a_log(
    container: Container, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    states = iter(["running starting", "running starting", "running healthy"])
    monkeypatch.setattr(docker, "states_of", lambda names: dict.fromkeys(names, next(states)))
    monkeypatch.setattr(readiness, "ssh_answers", lambda _router: None)
    monkeypatch.setattr(readiness, "pause_of", lambda _platform: 0.001)
    monkeypatch.setattr(readiness, "_EVERY_SECONDS", 0.0)
    assert wait(VJUNOS_ROUTER, container, lambda _router: None) == ["R1"]
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == ["R1: not ready after 0 s: its container is running starting"] * 2


def test_a_permanent_failure_ends_the_wait(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "ssh_answers", lambda _router: None)

    def probe(_router: Router) -> None:
        raise LabUnfitError("its clock cannot be set")

    with pytest.raises(LabUnfitError, match="its clock cannot be set"):
        wait(EMULATED, container, probe)
