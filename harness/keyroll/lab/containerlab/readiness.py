"""Wait until the routers in a lab's containers are ready, and detect containers that end."""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from keyroll import linux
from keyroll.errors import KeyrollError
from keyroll.lab.containerlab import docker
from keyroll.lab.platforms import PLATFORMS, Platform
from keyroll.lab.protocol import LabError, LabUnfitError, Router

Probe = Callable[[Router], None]
"""Raises a KeyrollError while a router is not ready; its text is shown if the deadline passes."""
BANNER_SECONDS = 5.0
"""Seconds for an SSH server to send its version, which is the first thing that it sends."""
_HEALTHY, _UNHEALTHY = "running healthy", "running unhealthy"
_EVERY_SECONDS = 30.0
"""Interval of progress messages during a long wait."""
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Container:
    """One router's container: its name, a descriptor of its process 1, and its captures' counters by interface."""

    name: str
    pidfd: int
    counters: dict[str, int] = field(default_factory=dict)

    @classmethod
    def find(cls, name: str) -> Container:
        """Return the container of that name. Raises LabError if it is not running."""
        try:
            return cls(name, os.pidfd_open(docker.pid_of(name)))
        except ProcessLookupError:
            raise LabError(f"container {name} has ended; the end of its log: {docker.log_tail(name)}") from None

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return bool(select.select([self.pidfd], [], [], 0)[0])

    def close(self) -> None:
        """Close what is open. Can be called twice."""
        if self.pidfd < 0:
            return
        descriptors = [self.pidfd, *self.counters.values()]
        self.pidfd = -1
        self.counters.clear()
        linux.close_all(descriptors)


def ssh_answers(router: Router) -> None:
    """Minimal readiness check: an SSH server sends its version. Raises LabError."""
    try:
        with socket.create_connection((router.host, router.port), timeout=BANNER_SECONDS) as connection:
            connection.settimeout(BANNER_SECONDS)
            banner = connection.recv(64)
    except OSError as error:
        raise LabError(f"SSH does not answer: {error}") from error
    if not banner.startswith(b"SSH-"):
        raise LabError("the server on the SSH port is not an SSH server")


def pause_of(platform: Platform) -> float:
    """Return the seconds between two checks of a router that boots."""
    return platform.poll_seconds


@dataclass(frozen=True, slots=True)
class Waiting:
    """Waits for the routers of the lab called `lab`; `begun` is when its deploy ended (monotonic)."""

    lab: str
    probe: Probe
    begun: float
    wait_scale: float
    ready: Callable[[str], None]
    """Called with each router that has become ready."""

    def await_all(self, routers: Mapping[str, Router], containers: Mapping[str, Container]) -> None:
        """Wait for all in parallel; the first failure ends the wait.

        Raises:
            LabUnfitError: a router lacks a capability of its platform.
            LabError: a container ended, or a router was not ready at its platform's deadline.
        """
        stop = threading.Event()
        with ThreadPoolExecutor(len(routers), thread_name_prefix="ready") as pool:
            tasks = [pool.submit(self._await, router, containers[name], stop) for name, router in routers.items()]
            try:
                for task in as_completed(tasks):
                    task.result()
            except BaseException:
                stop.set()
                raise

    def _await(self, router: Router, container: Container, stop: threading.Event) -> None:
        platform = PLATFORMS[router.platform]
        said = self.begun
        while not stop.is_set():
            try:
                self._look(platform, router, container)
            except LabUnfitError:
                raise  # waiting does not help
            except KeyrollError as error:
                now = time.monotonic()
                self._give_up(platform, router, container, error, now)
                if now > said + _EVERY_SECONDS:
                    said = now
                    # A warning, so that somebody who waits 15 minutes for vJunos sees it.
                    log.warning("%s: not ready after %.0f s: %s", router.name, now - self.begun, error.message)
                stop.wait(pause_of(platform))
            else:
                self.ready(router.name)
                return

    def _look(self, platform: Platform, router: Router, container: Container) -> None:
        state = docker.states_of([container.name])[container.name] if platform.health else ""
        # An image may stay unhealthy although its router works (vrnetlab issue 385), so a successful login counts.
        if platform.health and state not in {_HEALTHY, _UNHEALTHY}:
            raise LabError(f"its container is {state}")
        try:
            ssh_answers(router)
            self.probe(router)
        except LabUnfitError:
            raise
        except KeyrollError as error:
            if state == _UNHEALTHY:
                raise LabError(f"its container is {state}, and {error.message}") from error
            raise

    def _give_up(
        self, platform: Platform, router: Router, container: Container, error: KeyrollError, now: float
    ) -> None:
        seconds = platform.ready_seconds * self.wait_scale
        if container.ended:
            raise LabError(
                f"lab {self.lab}: {router.name}'s container ended while it booted; the end of its log:\n"
                f"{docker.log_tail(container.name)}"
            ) from error
        if now > self.begun + seconds:
            raise LabError(
                f"lab {self.lab}: {router.name} ({platform.name}) was not ready {seconds:.0f} s after the"
                f" deploy: {error}",
                remedy="on a slow machine, give a greater --wait-scale",
            ) from error
