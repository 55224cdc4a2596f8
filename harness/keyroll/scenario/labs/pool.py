"""Provide labs for runs: a new one for each run, or one from a pool, which is reset between runs.

A lease is a deployed lab for one run. When it ends, its evidence (captures since its start, daemon logs) is in the
run's folder. The pool reuses a lab only after it has checked the reset.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from keyroll.capture import copy_packets, count_packets
from keyroll.errors import KeyrollError
from keyroll.lab.platforms import PLATFORMS
from keyroll.lab.protocol import ExplainsGaps, Lab
from keyroll.names import Capability
from keyroll.scenario.errors import MissingCapabilityError
from keyroll.scenario.labs.reset import Before, Ends, look, reset

Settings = Mapping[str, Mapping[str, str]]
"""By router: `sending` and `receiving`, the emulated router's key policies. Empty: the lab's defaults."""
LabMaker = Callable[[Path, Settings], Lab]
"""Makes a lab (not yet deployed) that writes captures and logs into a folder."""

IDLE_MOST = 4
"""Most idle labs in one pool: one for each pair of sending and receiving policies, so that scenarios that differ only
in these reuse labs. Not more, because a lab takes 140 MB and each pytest worker has a pool."""
IDLE_MOST_MACHINES = 1
"""The same for virtual machines: a pair takes 10 to 16 GB, so there is never a second pair beside an idle one."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A deployed lab for one run. `skip` gives by router the number of packets in its capture from earlier runs."""

    lab: Lab
    warm: bool = False
    skip: Mapping[str, int] = field(default_factory=dict)
    closing: frozenset[Ends] = frozenset()
    """Connections of earlier runs that are still closing: this run ignores their segments."""
    without: frozenset[str] = frozenset()
    """Capabilities of the lab that the run must not use."""

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities that the run may use."""
        return frozenset(capability.value for capability in self.lab.capabilities) - self.without


class LabSource(Protocol):
    """Gives labs to runs."""

    def lease(
        self, evidence: Path, settings: Settings, *, needs: frozenset[str], quiet: bool = False
    ) -> AbstractContextManager[Lease]:
        """Lease a lab whose evidence goes into `evidence`; leaving the context returns it.

        `quiet`: a lab without closing connections of an earlier run, whose last segments would count as drops.

        Raises:
            MissingCapabilityError: labs of this kind lack a capability in `needs`.
            LabError, LabUnfitError: the lab cannot be deployed.
        """
        ...


@runtime_checkable
class Keepable(Protocol):
    """A lab that can stay up after its owner's process ends."""

    def keep(self) -> None:
        """Let the lab stay up when this process ends."""
        ...


class FreshLabs:
    """Deploys a new lab for each run and destroys it afterwards (or leaves it up, with `keep`).

    `without`: capabilities that runs must not use, as if the lab did not have them.
    """

    def __init__(self, make: LabMaker, *, keep: bool = False, without: frozenset[str] = frozenset()) -> None:
        self._make = make
        self._keep = keep
        self._without = without

    @contextlib.contextmanager
    def lease(
        self, evidence: Path, settings: Settings, *, needs: frozenset[str], quiet: bool = False
    ) -> Iterator[Lease]:
        """Deploy a lab, and always destroy it in the end. A new lab is always `quiet`."""
        del quiet
        lab = self._make(evidence, settings)
        lease = Lease(lab, without=self._without)
        _require(lease, needs)
        kept = False
        try:
            lab.deploy()
            yield lease
            if self._keep and isinstance(lab, Keepable):
                lab.keep()
                kept = True
        finally:
            if not kept:
                lab.destroy()


@dataclass(slots=True)
class _Warm:
    """A lab of the pool, and the state of its routers after the deploy or the last reset."""

    lab: Lab
    settings: Settings
    before: Mapping[str, Before]

    @property
    def closing(self) -> frozenset[Ends]:
        """Connections of the last run that were still closing when the lab was reset."""
        return frozenset(ends for before in self.before.values() for ends in before.closing)


def _look_at_all(lab: Lab) -> dict[str, Before]:
    """Return the state of a lab's routers. Raises LabError if a router has died, RunError if one does not answer."""
    try:
        return {name: look(router) for name, router in lab.routers.items()}
    except KeyrollError:
        lab.check()  # name the router that died, rather than the connection lost because of it
        raise


class LabPool:
    """Keeps labs between runs. Not thread-safe; `close` destroys all labs.

    It keeps the `IDLE_MOST` idle labs that were used last, or one if the routers are virtual machines.

    `root` is the folder for the labs' evidence until it is copied to the runs; `without` is as for `FreshLabs`.
    """

    def __init__(self, make: LabMaker, root: Path, *, without: frozenset[str] = frozenset()) -> None:
        self._make = make
        self._root = root
        self._without = without
        self._idle: list[_Warm] = []
        self._count = 0
        self.retired: list[str] = []
        """Why labs were destroyed instead of reused."""

    @contextlib.contextmanager
    def lease(
        self, evidence: Path, settings: Settings, *, needs: frozenset[str], quiet: bool = False
    ) -> Iterator[Lease]:
        """Lease an idle lab with these settings, or deploy one; at the end reset it, or destroy it if that fails."""
        warm = self._take(settings, quiet=quiet)
        fresh = warm is None
        if warm is None:
            self._count += 1
            lab = self._make(self._root / f"lab-{self._count}", settings)
            _require(Lease(lab, without=self._without), needs)
            self._make_room(1)
            warm = self._deploy(lab, settings)
        try:
            _require(Lease(warm.lab, without=self._without), needs)
        except MissingCapabilityError:
            self._idle.append(warm)  # the lab is unused and stays: all labs of this kind lack the capability
            raise
        skip = {router: count_packets(path) for router, path in warm.lab.captures.items()}
        lost = dict(warm.lab.capture_losses())
        try:
            yield Lease(warm.lab, warm=not fresh, skip=skip, closing=warm.closing, without=self._without)
        except BaseException:
            warm.lab.destroy()
            _keep_evidence(warm.lab, evidence, skip)
            raise
        _keep_evidence(warm.lab, evidence, skip)
        self._give_back(warm, lost)

    def _make_room(self, more: int) -> None:
        """Destroy the least recently used labs until there is room for `more`."""
        platforms = {router.platform for one in self._idle for router in one.lab.routers.values()}
        machines = any(name in PLATFORMS and PLATFORMS[name].needs_kvm for name in platforms)
        most = IDLE_MOST_MACHINES if machines else IDLE_MOST
        while self._idle and len(self._idle) + more > most:
            self._idle.pop(0).lab.destroy()

    def close(self) -> None:
        """Destroy all labs."""
        while self._idle:
            self._idle.pop().lab.destroy()

    def _take(self, settings: Settings, *, quiet: bool) -> _Warm | None:
        def fits(one: _Warm) -> bool:
            return one.settings == settings and not (quiet and one.closing)

        while warm := next(filter(fits, self._idle), None):
            self._idle.remove(warm)
            try:
                warm.lab.check()
            except KeyrollError:
                warm.lab.destroy()  # it died while idle
                continue
            return warm
        return None

    def _deploy(self, lab: Lab, settings: Settings) -> _Warm:
        try:
            with self._turn():
                lab.deploy()
            return _Warm(lab, settings, _look_at_all(lab))
        except BaseException:
            lab.destroy()
            raise

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Deploy one lab at a time across all pytest workers: several at once take the processor from active runs."""
        self._root.parent.mkdir(parents=True, exist_ok=True)
        with (self._root.parent / ".deploying").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the lock ends when the file is closed or the process ends
            yield

    def _give_back(self, warm: _Warm, lost: Mapping[str, int]) -> None:
        """Reset a lab and keep it; destroy it if the reset fails or a capture lost frames.

        Also destroy a lab whose routers open from a fixed port: a connection still closing there blocks the next run.
        """
        if any("port" in settings for settings in warm.settings.values()):
            warm.lab.destroy()
            return
        reason = None if dict(warm.lab.capture_losses()) == lost else "its capture has lost frames"
        try:
            clocks = Capability.SET_CLOCK in Lease(warm.lab, without=self._without).capabilities
            warm.before = reset(warm.lab, warm.before, clocks=clocks) if reason is None else warm.before
        except KeyrollError as error:
            reason = str(error)
        except BaseException:
            warm.lab.destroy()
            raise
        if reason is None:
            self._make_room(1)
            self._idle.append(warm)
        else:
            self.retired.append(reason)
            warm.lab.destroy()


def _require(lease: Lease, needs: frozenset[str]) -> None:
    missing = sorted(needs - lease.capabilities)
    if missing:
        gaps = {
            **(lease.lab.gaps if isinstance(lease.lab, ExplainsGaps) else {}),
            **dict.fromkeys(lease.without, "withheld"),
        }
        reasons = [f"{name} ({gaps[name]})" if name in gaps else name for name in missing]
        raise MissingCapabilityError(f"this lab cannot do what the scenario requires: {', '.join(reasons)}")


def _keep_evidence(lab: Lab, folder: Path, skip: Mapping[str, int]) -> None:
    """Copy a lab's logs and the run's part of its captures into the run's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    captures = {path.resolve(): router for router, path in lab.captures.items()}
    for path in sorted(lab.evidence.iterdir()):
        router = captures.get(path.resolve())
        if router is not None:
            copy_packets(path, folder / path.name, skip=skip.get(router, 0))
        elif path.is_file() and path.suffix != ".pcap":
            shutil.copyfile(path, folder / path.name)
