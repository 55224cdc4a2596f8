"""A lab of containers, made by `containerlab` (see the package for the parts)."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path

from keyroll.errors import InputError, KeyrollError
from keyroll.lab.containerlab import docker, teardown, topology_file
from keyroll.lab.containerlab.command import Program
from keyroll.lab.containerlab.guard_client import GuardLink
from keyroll.lab.containerlab.readiness import Container, Probe, Waiting, ssh_answers
from keyroll.lab.local import channel, dead_labs, folders, recorder
from keyroll.lab.local.find import FoundLab, how_it_ended, silent_in_router
from keyroll.lab.local.lab import HostedLab
from keyroll.lab.local.machine_probe import kernel_has_netem, kernel_has_tcp_ao
from keyroll.lab.platforms import EMULATED, PLATFORMS, Platform, platform_of
from keyroll.lab.protocol import PING_SECONDS, LabError, LabUnfitError, Phase, Port, Router
from keyroll.lab.topology import Node, Topology
from keyroll.names import Capability

# IANA's port of SSH.
SSH_PORT = 22
_WAIT_SCALE = "KEYROLL_WAIT_SCALE"
"""Environment variable that multiplies the deadlines of an emulated router in its container."""
log = logging.getLogger(__name__)


class ContainerLab(HostedLab):
    """A lab of containers; implements `keyroll.lab.protocol.Lab`.

    `evidence` is the folder for captures and logs. `settings` are emulated routers' key policies. `probe` checks that
    a router is ready. `pair_probe` is called once all are, unless they are emulated: it raises LabUnfitError if no
    session can come up. `on_phase` is called at the end of each phase of deploying and destroying.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        evidence: Path | None,
        name: str | None = None,
        wait_scale: float = 1.0,
        settings: Mapping[str, Mapping[str, str]] | None = None,
        probe: Probe = ssh_answers,
        pair_probe: Callable[[Mapping[str, Router]], None] = lambda _: None,
        on_phase: Callable[[Phase], None] | None = None,
    ) -> None:
        super().__init__(
            topology, evidence=evidence, name=name, wait_scale=wait_scale, settings=settings, on_phase=on_phase
        )
        self._platforms = {node.name: _platform(topology, node) for node in topology.nodes}
        self._probe = probe
        self._pair_probe = pair_probe
        self._guard: GuardLink | None = None
        self._program = Program(wait_scale=wait_scale, started=self._call_started)
        self._containers: dict[str, Container] = {}
        self._captured: dict[str, dict[str, Path]] = {}
        self._losses: dict[str, int] = {}

    @property
    def capabilities(self) -> frozenset[Capability]:
        """The capabilities that all its platforms and this machine's kernel have."""
        common = frozenset(Capability).intersection(*(one.capabilities for one in self._platforms.values()))
        return common | {Capability.IMPAIR} if kernel_has_netem() else common

    @property
    def gaps(self) -> Mapping[str, str]:
        """Why it lacks the other capabilities, by capability."""
        known = {
            capability.value: reason for one in self._platforms.values() for capability, reason in one.gaps.items()
        }
        outside = {
            Capability.IMPAIR.value: "this kernel has no netem (sch_netem)",
            Capability.STEER_TCP.value: "only the embedded lab can steer how connections open",
            Capability.KEY_POLICY.value: "`policy:` is the emulated router's; Juniper's images follow their own rules",
        }
        return {**outside, **known}

    @property
    def captures(self) -> Mapping[str, Path]:
        """For each router the capture file of its (first) wire port."""
        return {name: next(iter(paths.values())) for name, paths in self._captured.items() if paths}

    # -- up ---------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self._require_fit()
        teardown.reap(self._program)
        dead_labs.reap()

    def _require_fit(self) -> None:
        if os.geteuid() != 0:
            raise LabUnfitError("labs of containers need root: captures are taken in their namespaces", remedy="sudo")
        self._program.require()
        docker.require()
        kvm = [name for name, one in self._platforms.items() if one.needs_kvm]
        if kvm and not os.access("/dev/kvm", os.R_OK | os.W_OK):
            raise LabUnfitError(
                f"{', '.join(kvm)}: vJunos runs in a virtual machine, and /dev/kvm is missing or not accessible",
                remedy="a machine (or nested virtualisation) with KVM, and the right to use /dev/kvm",
            )
        doubtful = [name for name, one in self._platforms.items() if one.kernels_tcp_ao]
        if doubtful and not kernel_has_tcp_ao():
            log.warning(
                "%s: kernel %s has no TCP-AO. If cRPD leaves TCP-AO to its host's kernel, no session with keys comes up"
                " here: a kernel of 6.7 or newer with CONFIG_TCP_AO helps",
                ", ".join(doubtful),
                os.uname().release,
            )

    def _bring_up(self) -> None:
        assert self._run is not None  # noqa: S101 - made by `deploy`
        topology = self._render()
        begun = time.monotonic()
        self._guard = GuardLink(self._run, self._evidence, wait_scale=self._scale)
        self._took("guard", begun)
        begun = time.monotonic()
        with docker.lock(teardown.folder_of_locks()) as held:
            if topology_file.own_network(topology.read_text(encoding="utf-8")):
                docker.ensure_network()
            self._program.deploy(topology, held=held)
        self._took("containerlab deploy", begun)
        self._find_routers(topology)
        self._start_captures()
        begun = time.monotonic()
        waiting = Waiting(
            self._id,
            self._probe,
            begun,
            self._scale,
            lambda router: self._took(f"{router}: ready", begun),
        )
        waiting.await_all(self._routers, self._containers)
        self._took("routers answer", begun)
        if EMULATED not in self._platforms.values():
            begun = time.monotonic()
            self._pair_probe(self._routers)
            self._took("a session with TCP-AO", begun)

    def _render(self) -> Path:
        assert self._run is not None  # noqa: S101 - made by the caller
        wanted = {node.name: {**node.settings, **self._settings.get(node.name, {})} for node in self._topology.nodes}
        variables = {
            name: {
                variable: wanted[name][setting]
                for setting, variable in platform.settings.items()
                if setting in wanted[name]
            }
            for name, platform in self._platforms.items()
        }
        if self._scale != 1:  # the router in the container has its own deadlines
            for name, platform in self._platforms.items():
                if platform.settings:
                    variables[name][_WAIT_SCALE] = f"{self._scale:g}"
        text = topology_file.render(
            self._topology.path, name=self._id, folder=self._run.path, environment=os.environ, variables=variables
        )
        path = folders.topology_of(self._run.path)
        with folders.naming(path):
            path.write_text(text, encoding="utf-8")
        return path

    def _call_started(self, pid: int) -> None:
        if self._guard is not None:
            self._guard.call_started(pid)

    def _order(self, message: channel.Message, descriptors: tuple[int, ...] = ()) -> channel.Message:
        assert self._guard is not None  # noqa: S101 - made by `deploy`
        return self._guard.ask(message, descriptors)

    def _find_routers(self, topology: Path) -> None:
        """Read the routers' addresses from `inspect`, because `deploy` may exit with 0 and create nothing."""
        found = self._program.inspect(topology)
        for node in self._topology.nodes:
            container = f"clab-{self._id}-{node.name}"
            entry = found.get(container)
            if entry is None:
                raise LabError(f"lab {self.name}: containerlab reported success but made no container {container}")
            self._containers[node.name] = Container.find(container)
            self._routers[node.name] = self._router(node, entry)

    def _router(self, node: Node, entry: Mapping[str, str]) -> Router:
        platform = self._platforms[node.name]
        for key in ("ipv4_address", "ipv6_address"):
            text = entry.get(key, "").partition("/")[0]
            with contextlib.suppress(ValueError):
                host = str(ip_address(text))
                break
        else:
            raise LabError(f"lab {self.name}: containerlab reports no address of {entry.get('name', 'a node')}")
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
                Port(platform.ports.interface(wire), port.ipv4, port.ipv6)
                for wire, port in zip(node.interfaces, node.ports, strict=True)
            ),
        )

    def _start_captures(self) -> None:
        assert self._run is not None  # noqa: S101 - made by `deploy`
        for node in self._topology.nodes:
            made = self._containers[node.name]
            pid = docker.pid_of(made.name)
            # The router's control socket, if it has one, is reached through its container's root.
            (self._run.path / f"{node.name}.ctl").symlink_to(f"/proc/{pid}/root/run/keyroll/control.sock")
            for index, interface in enumerate(node.interfaces):
                file = f"{node.name}.pcap" if index == 0 else f"{node.name}-{interface}.pcap"
                path = self._captured.setdefault(node.name, {}).setdefault(interface, self._evidence / file)
                made.counters[interface] = os.memfd_create(f"keyroll-{node.name}-{interface}", os.MFD_CLOEXEC)
                order = {
                    "op": "capture",
                    "router": node.name,
                    "container": made.name,
                    "interface": interface,
                }
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
                out = os.open(path, flags, 0o600)
                namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    self._order(order, (namespace, out, made.counters[interface]))
                finally:
                    os.close(out)
                    os.close(namespace)
        frame_logs = []
        for number, link in enumerate(self._topology.links):
            self._frame_logs[link.name] = self._evidence / f"link-{number}.jsonl"
            frame_logs.append(
                os.open(self._frame_logs[link.name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            )
        links = [{"name": link.name, "a": link.a, "b": link.b} for link in self._topology.links]
        try:
            self._order({"op": "links", "links": links}, tuple(frame_logs))
        finally:
            for frame_log in frame_logs:
                os.close(frame_log)

    # -- while it is up ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise LabError if a container or the guard has ended since `deploy`. Cheap: asks the kernel."""
        if self._guard is None:
            raise LabError("the lab is not deployed")
        self._guard.check()
        for name, container in self._containers.items():
            if container.ended:
                raise LabError(
                    f"lab {self.name}: {name}'s container has ended; the end of its log:\n"
                    f"{docker.log_tail(container.name)}"
                )

    def silent_parts(self, seconds: float = PING_SECONDS) -> tuple[str, ...]:
        """Ping every part; return those without an answer in `seconds`. See `keyroll.lab.protocol.Pingable`."""
        self.check()
        assert self._guard is not None  # noqa: S101 - checked
        assert self._run is not None  # noqa: S101 - checked
        asked = FoundLab(self._run.path, folders.read_state(self._run.path))
        in_routers = [part for name in self._routers for part in silent_in_router(asked, name, seconds)]
        found = self._guard.ping(seconds)
        if found is None:
            return ("the guard", *in_routers)
        for death in found["deaths"]:
            raise LabError(f"lab {self.name}: {death['what']} {how_it_ended(death['code'])}")
        self.check()
        return (*found["silent"], *in_routers)

    def capture_losses(self) -> Mapping[str, int]:
        """Return for each router how many frames its captures have lost."""
        for name, made in self._containers.items():
            self._losses[name] = sum(recorder.read_stats(fd)[1] for fd in made.counters.values())
        return dict(self._losses)

    def _order_link(self, name: str, order: channel.Message) -> channel.Message:
        self.check()
        answer: channel.Message = self._order({"op": "link", "link": name, "order": order})["answer"]
        return answer

    def keep(self) -> None:
        """Keep the lab up after this process ends; `keyroll lab down` destroys it."""
        self.check()
        self._order({"op": "keep"})
        self._kept = True
        self._write_state()

    # -- down -------------------------------------------------------------------------------------------------------

    def destroy(self) -> None:
        """Destroy the lab and leave nothing behind. Can be called twice, and after a failed `deploy`."""
        if self._run is None:
            return
        begun = time.monotonic()
        if self._guard is not None:
            self._guard.tell("finish")
        gone = False
        try:
            nodes = {node.name: f"clab-{self._id}-{node.name}" for node in self._topology.nodes}
            if folders.topology_of(self._run.path).exists():
                teardown.keep_logs(self._run.path, self._id, nodes, self._evidence)
            teardown.tear_down(self._program, self._run.path, self._id)
            gone = True
            if self._guard is not None:
                self._guard.tell("done")
        except KeyrollError as error:
            raise LabError(
                f"lab {self.name} is not destroyed; its containers and the network {docker.NETWORK} may be left:"
                f" {error.message}",
                remedy="once Docker answers, `keyroll lab clean` removes what is left",
            ) from error
        finally:
            self._let_go(gone=gone)
        self._took("destroy", begun)

    def _let_go(self, *, gone: bool) -> None:
        """Close what this process holds of the lab; the paths and losses of its captures stay available.

        The folder of a lab that is not `gone` stays, because its topology file is needed to destroy the rest.
        """
        self.capture_losses()
        if self._guard is not None:
            self._guard.close()
            self._guard = None
        for container in self._containers.values():
            container.close()
        self._containers.clear()
        if gone:
            self._close_folder()
        elif self._run is not None:
            self._run.leave()
            self._run = None


def _platform(topology: Topology, node: Node) -> Platform:
    platform = platform_of(node.kind, node.platform)
    if platform is None:
        kinds = ", ".join(f"{one.name} ({one.kind})" for one in PLATFORMS.values())
        label = f"label keyroll.platform '{node.platform}'" if node.platform else "no label keyroll.platform"
        raise InputError(
            f"{topology.path}: node {node.name} has an unknown platform (kind '{node.kind}', {label})",
            remedy=f"platforms are: {kinds}",
        )
    return platform
