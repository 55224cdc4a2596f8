"""A lab of containers, made by `containerlab` (see the package for the parts)."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

import harness
from harness.errors import KeyrollError
from harness.lab.containerlab import engine, render, teardown
from harness.lab.containerlab.ends import impairs_here
from harness.lab.containerlab.program import Program
from harness.lab.embedded import capture, channel, runtime
from harness.lab.embedded.linkdesk import LinkDesk
from harness.lab.platforms import PLATFORMS, Platform, platform_of
from harness.lab.protocol import Capability, LabError, LabUnfitError, Phase, Port, Router
from harness.lab.topology import Node, Topology

Probe = Callable[[Router], None]
"""Raises a KeyrollError while a router is not ready; its text is shown when the deadline ends."""
SSH_PORT = 22
GUARD_SECONDS = 15.0
"""From an order to the guard to its answer."""
BANNER_SECONDS = 5.0
_PAUSE_SECONDS = 0.2
"""Between two looks at a router that is coming up."""
_EVERY_SECONDS = 30.0
"""How often a long wait says that it goes on."""
_DOWN_WAIT = 10.0
log = logging.getLogger(__name__)


def ssh_answers(router: Router) -> None:
    """The least that readiness is: an SSH server that says its version. Raises LabError."""
    try:
        with socket.create_connection((router.host, router.port), timeout=BANNER_SECONDS) as connection:
            connection.settimeout(BANNER_SECONDS)
            banner = connection.recv(64)
    except OSError as error:
        raise LabError(f"SSH does not answer: {error}") from error
    if not banner.startswith(b"SSH-"):
        raise LabError("what answers is no SSH server")


@dataclass(slots=True)
class _Made:
    """One router's container, once it is there."""

    container: str
    pidfd: int
    counters: dict[str, int] = field(default_factory=dict)


class ContainerLab:
    """A lab of containers; implements `harness.lab.protocol.Lab`.

    `evidence` is the folder for captures and logs. `settings` are emulated routers' key policies. `probe` says whether
    a router is ready. `on_phase` is told each part of coming up and going down as it ends.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        evidence: Path,
        name: str | None = None,
        wait_scale: float = 1.0,
        settings: Mapping[str, Mapping[str, str]] | None = None,
        probe: Probe = ssh_answers,
        on_phase: Callable[[Phase], None] | None = None,
    ) -> None:
        self._topology = topology
        self._platforms = {node.name: _platform(topology, node) for node in topology.nodes}
        self._evidence = evidence
        self._wanted_name = name
        self._scale = wait_scale
        self._settings = {router: dict(values) for router, values in (settings or {}).items()}
        self._probe = probe
        self._on_phase = on_phase
        self._id = name or ""
        self._run: runtime.RunDirectory | None = None
        self._channel: socket.socket | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._program = Program(wait_scale=wait_scale, started=self._call_started)
        self._made: dict[str, _Made] = {}
        self._routers: dict[str, Router] = {}
        self._captured: dict[str, dict[str, Path]] = {}
        self._losses: dict[str, int] = {}
        self._books: dict[str, Path] = {}
        self._phases: list[Phase] = []
        self._kept = False

    @property
    def name(self) -> str:
        """The lab's id, unique on this machine; empty before `deploy` when none was given."""
        return self._id

    @property
    def routers(self) -> Mapping[str, Router]:
        """The routers by name, once deployed."""
        return dict(self._routers)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this lab can do: what all its platforms can, and this machine's kernel."""
        common = frozenset(Capability).intersection(*(one.capabilities for one in self._platforms.values()))
        return common | {Capability.IMPAIR} if impairs_here() else common

    @property
    def gaps(self) -> Mapping[str, str]:
        """Why it cannot do the rest, by capability."""
        known = {
            capability.value: reason for one in self._platforms.values() for capability, reason in one.gaps.items()
        }
        return {"impair": "this kernel has no netem (sch_netem)", **known}

    @property
    def captures(self) -> Mapping[str, Path]:
        """For each router the capture file of its (first) wire port."""
        return {name: next(iter(paths.values())) for name, paths in self._captured.items() if paths}

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Where the time went, in order."""
        return tuple(self._phases)

    @property
    def evidence(self) -> Path:
        """The folder with the captures and the routers' logs."""
        return self._evidence

    @property
    def links(self) -> LinkDesk:
        """The links, to cut, impair, and inject frames into."""
        return LinkDesk(self.name, self._topology.links, self._books, self._order_link)

    # -- up ---------------------------------------------------------------------------------------------------------

    def deploy(self) -> None:
        """Bring the lab up: after it the routers take a configuration over SSH.

        Raises:
            LabUnfitError: this machine cannot carry it; the remedy is in the message.
            LabError: it did not come up; what it said is in the message. Nothing is left behind.
        """
        if self._run is not None:
            raise LabError(f"lab {self.name} is deployed already")
        begun = time.monotonic()
        self._require_fit()
        teardown.reap(self._program)
        runtime.reap()
        try:
            self._bring_up()
        except BaseException:
            self.destroy()
            raise
        self._took("deploy", begun)

    def _require_fit(self) -> None:
        if os.geteuid() != 0:
            raise LabUnfitError("labs of containers need root: captures are taken in their namespaces", remedy="sudo")
        self._program.require()
        engine.require()
        kvm = [name for name, one in self._platforms.items() if one.needs_kvm]
        if kvm and not os.access("/dev/kvm", os.R_OK | os.W_OK):
            raise LabUnfitError(
                f"{', '.join(kvm)}: vJunos runs in a virtual machine, and there is no /dev/kvm to be used",
                remedy="a machine (or nested virtualisation) with KVM, and the right to use /dev/kvm",
            )

    def _bring_up(self) -> None:
        self._evidence.mkdir(parents=True, exist_ok=True)
        self._run = runtime.RunDirectory.create(self._wanted_name)
        self._id = self._run.id
        self._write_state()
        topology = self._render()
        begun = time.monotonic()
        self._start_guard()
        self._took("guard", begun)
        begun = time.monotonic()
        with engine.lock(teardown.folder_of_locks()) as held:
            if render.own_network(topology.read_text(encoding="utf-8")):
                engine.ensure_network()
            self._program.deploy(topology, held=held)
        self._took("containerlab deploy", begun)
        self._find_routers(topology)
        self._start_captures()
        begun = time.monotonic()
        self._await_routers(begun)
        self._took("routers answer", begun)
        self._write_state()

    def _render(self) -> Path:
        assert self._run is not None  # noqa: S101 - made by the caller
        variables = {
            name: {
                variable: self._settings[name][setting]
                for setting, variable in platform.settings.items()
                if setting in self._settings.get(name, {})
            }
            for name, platform in self._platforms.items()
        }
        text = render.render(
            self._topology.path, name=self._id, folder=self._run.path, environment=os.environ, variables=variables
        )
        path = self._run.path / teardown.TOPOLOGY
        path.write_text(text, encoding="utf-8")
        return path

    def _start_guard(self) -> None:
        assert self._run is not None  # noqa: S101 - made by the caller
        self._channel, theirs = channel.pair()
        self._channel.settimeout(GUARD_SECONDS * self._scale)
        command = [
            *(sys.executable, "-P", "-m", "harness.lab.containerlab.guard"),
            *("--channel", str(theirs.fileno()), "--lock", str(self._run.lock_fd)),
            *("--folder", str(self._run.path), "--evidence", str(self._evidence.absolute())),
        ]
        home = str(Path(harness.__file__).resolve().parent.parent)
        path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
        with theirs, (self._evidence / "lab.log").open("ab") as output:
            self._guard = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(theirs.fileno(), self._run.lock_fd),
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": path, "KEYROLL_LAB": self._run.id},
            )

    def _call_started(self, pid: int) -> None:
        """Have the guard end a `containerlab` call that outlives this process."""
        if self._channel is not None:
            pidfd = os.pidfd_open(pid)
            try:
                channel.send(self._channel, {"op": "call"}, (pidfd,))
            except OSError:
                raise self._guard_died() from None
            finally:
                os.close(pidfd)

    def _ask_guard(self, message: channel.Message, descriptors: tuple[int, ...] = ()) -> channel.Message:
        assert self._channel is not None  # noqa: S101 - made by `deploy`
        try:
            channel.send(self._channel, message, descriptors)
            received = channel.receive(self._channel)
        except TimeoutError:
            raise LabError(f"lab {self.name}: the guard did not answer '{message['op']}' in time") from None
        except OSError:
            received = None
        if received is None:
            raise self._guard_died()
        if not received[0].get("ok"):
            raise LabError(f"lab {self.name}: {received[0].get('error')}")
        return received[0]

    def _guard_died(self) -> LabError:
        return LabError(f"lab {self.name}: its guard has died; see {self._evidence / 'lab.log'}")

    def _find_routers(self, topology: Path) -> None:
        """Take the routers' addresses from `inspect`: `deploy` may say 0 and have made nothing."""
        found = self._program.inspect(topology)
        for node in self._topology.nodes:
            container = f"clab-{self._id}-{node.name}"
            entry = found.get(container)
            if entry is None:
                raise LabError(f"lab {self.name}: containerlab ended well and made no container {container}")
            self._made[node.name] = _Made(container, _pidfd_of(container))
            self._routers[node.name] = self._router(node, entry)

    def _router(self, node: Node, entry: Mapping[str, str]) -> Router:
        platform = self._platforms[node.name]
        for key in ("ipv4_address", "ipv6_address"):
            text = entry.get(key, "").partition("/")[0]
            with contextlib.suppress(ValueError):
                host = str(ip_address(text))
                break
        else:
            raise LabError(f"lab {self.name}: containerlab knows no address of {entry.get('name')}")
        return Router(
            name=node.name,
            host=host,
            port=SSH_PORT,
            user=platform.user,
            password=platform.password,
            platform=platform.name,
            asn=node.asn,
            loopback=node.loopback,
            loopback6=node.loopback6,
            ports=tuple(
                Port(platform.interface(wire), port.ipv4, port.ipv6)
                for wire, port in zip(node.interfaces, node.ports, strict=True)
            ),
        )

    def _start_captures(self) -> None:
        assert self._run is not None  # noqa: S101 - made by `deploy`
        for node in self._topology.nodes:
            made = self._made[node.name]
            pid = engine.pid_of(made.container)
            # The router's own control socket, where it has one, is reached through its container's root.
            (self._run.path / f"{node.name}.ctl").symlink_to(f"/proc/{pid}/root/run/keyroll/control.sock")
            for index, interface in enumerate(node.interfaces):
                file = f"{node.name}.pcap" if index == 0 else f"{node.name}-{interface}.pcap"
                path = self._captured.setdefault(node.name, {}).setdefault(interface, self._evidence / file)
                made.counters[interface] = os.memfd_create(f"keyroll-{node.name}-{interface}", os.MFD_CLOEXEC)
                order = {
                    "op": "capture",
                    "router": node.name,
                    "container": made.container,
                    "interface": interface,
                }
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
                out = os.open(path, flags, 0o600)
                namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    self._ask_guard(order, (namespace, out, made.counters[interface]))
                finally:
                    os.close(out)
                    os.close(namespace)
        books = []
        for number, link in enumerate(self._topology.links):
            self._books[link.name] = self._evidence / f"link-{number}.jsonl"
            books.append(os.open(self._books[link.name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        links = [{"name": link.name, "a": link.a, "b": link.b} for link in self._topology.links]
        try:
            self._ask_guard({"op": "links", "links": links}, tuple(books))
        finally:
            for book in books:
                os.close(book)

    def _await_routers(self, begun: float) -> None:
        stop = threading.Event()
        with ThreadPoolExecutor(len(self._routers), thread_name_prefix="ready") as pool:
            tasks = [pool.submit(self._await_router, router, begun, stop) for router in self._routers.values()]
            try:
                for task in tasks:
                    task.result()
            except BaseException:
                stop.set()
                raise

    def _await_router(self, router: Router, begun: float, stop: threading.Event) -> None:
        """Ask a router until it is ready; its container's death or the platform's deadline end it."""
        platform = PLATFORMS[router.platform]
        made = self._made[router.name]
        seconds = platform.ready_seconds * self._scale
        said = begun
        while not stop.is_set():
            try:
                self._look(platform, router, made)
            except LabUnfitError:
                raise  # what no waiting mends
            except KeyrollError as error:
                now = time.monotonic()
                if select.select([made.pidfd], [], [], 0)[0]:
                    raise LabError(
                        f"lab {self.name}: {router.name}'s container ended while it came up; its last words:\n"
                        f"{engine.last_words(made.container)}"
                    ) from error
                if now > begun + seconds:
                    raise LabError(
                        f"lab {self.name}: {router.name} ({platform.name}) was not ready {seconds:.0f} s after the"
                        f" deploy: {error}",
                        remedy="on a slow machine, give a greater --wait-scale",
                    ) from error
                if now > said + _EVERY_SECONDS:
                    said = now
                    log.info("%s: not ready after %.0f s: %s", router.name, now - begun, error.message)
                stop.wait(_PAUSE_SECONDS)
            else:
                self._took(f"{router.name}: ready", begun)
                return

    def _look(self, platform: Platform, router: Router, made: _Made) -> None:
        if platform.health:
            state = engine.states_of([made.container])[made.container]
            if state != "running healthy":
                raise LabError(f"its container is {state}")
        ssh_answers(router)
        self._probe(router)

    # -- while it is up ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise LabError if a container or the guard has ended since `deploy`. Cheap: asks the kernel."""
        if self._run is None or self._guard is None:
            raise LabError("the lab is not deployed")
        if self._guard.poll() is not None:
            raise self._guard_died()
        for name, made in self._made.items():
            if select.select([made.pidfd], [], [], 0)[0]:
                raise LabError(
                    f"lab {self.name}: {name}'s container has ended; its last words:\n"
                    f"{engine.last_words(made.container)}"
                )

    def capture_losses(self) -> Mapping[str, int]:
        """Return for each router how many frames its captures have lost."""
        for name, made in self._made.items():
            self._losses[name] = sum(capture.read_stats(fd)[1] for fd in made.counters.values())
        return dict(self._losses)

    def _order_link(self, name: str, order: channel.Message) -> channel.Message:
        self.check()
        answer: channel.Message = self._ask_guard({"op": "link", "link": name, "order": order})["answer"]
        return answer

    def keep(self) -> None:
        """Let the lab outlive this process; `keyroll lab down` ends it."""
        self.check()
        self._ask_guard({"op": "keep"})
        self._kept = True
        self._write_state()

    def _write_state(self) -> None:
        assert self._run is not None  # noqa: S101 - made by the caller
        self._run.write_state(
            runtime.LabState(
                id=self._run.id,
                kept=self._kept,
                owner=os.getpid(),
                topology=str(self._topology.path),
                evidence=str(self._evidence.absolute()),
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                routers=tuple(
                    runtime.RouterEntry(router.name, router.host, router.port, router.user, router.password)
                    for router in self._routers.values()
                ),
            )
        )

    # -- down -------------------------------------------------------------------------------------------------------

    def destroy(self) -> None:
        """Take the lab down and leave nothing behind. Can be called twice, and after a failed `deploy`."""
        if self._run is None:
            return
        begun = time.monotonic()
        if self._guard is not None:
            with contextlib.suppress(LabError):  # one that has died finishes nothing, and the rest goes all the same
                self._ask_guard({"op": "finish"})
        try:
            nodes = {node.name: f"clab-{self._id}-{node.name}" for node in self._topology.nodes}
            if (self._run.path / teardown.TOPOLOGY).exists():
                teardown.keep_logs(self._run.path, self._id, nodes, self._evidence)
            teardown.tear_down(self._program, self._run.path, self._id)
            if self._guard is not None:
                with contextlib.suppress(LabError):  # as above
                    self._ask_guard({"op": "done"})
        finally:
            self._let_go()
        self._took("destroy", begun)

    def _let_go(self) -> None:
        """Give back what this process holds of the lab; its captures and their losses stay known."""
        self.capture_losses()
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._guard is not None:
            try:
                self._guard.wait(_DOWN_WAIT * self._scale)
            except subprocess.TimeoutExpired:
                self._guard.kill()
                self._guard.wait()
            self._guard = None
        for made in self._made.values():
            for fd in (made.pidfd, *made.counters.values()):
                os.close(fd)
            made.counters.clear()
        self._made.clear()
        if self._run is not None:
            self._run.remove()
            self._run = None

    def _took(self, what: str, begun: float) -> None:
        phase = Phase(what, timedelta(seconds=time.monotonic() - begun))
        self._phases.append(phase)
        if self._on_phase is not None:
            self._on_phase(phase)

    def __enter__(self) -> Self:
        self.deploy()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            self.destroy()


def _pidfd_of(container: str) -> int:
    """Return a descriptor of a container's process 1. Raises LabError when it does not run."""
    try:
        return os.pidfd_open(engine.pid_of(container))
    except ProcessLookupError:
        raise LabError(f"container {container} has ended; its last words: {engine.last_words(container)}") from None


def _platform(topology: Topology, node: Node) -> Platform:
    platform = platform_of(node.kind, node.platform)
    if platform is None:
        kinds = ", ".join(f"{one.name} ({one.kind})" for one in PLATFORMS.values())
        raise LabError(
            f"{topology.path}: node {node.name} is of no platform that keyroll knows"
            f" (kind '{node.kind}', label keyroll.platform '{node.platform}')",
            remedy=f"platforms are: {kinds}",
        )
    return platform
