"""The embedded lab: emulated routers in network namespaces of this machine (see the package for the parts)."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keyroll.lab.embedded.keeper_plan import LinkPlan, Plan, RouterPlan
from keyroll.lab.embedded.owner import Monitor, await_end, begin_loading, create_in, readable, start_monitor
from keyroll.lab.embedded.router_boot import RouterLink
from keyroll.lab.local import channel, dead_labs, folders, recorder
from keyroll.lab.local.find import FoundLab, how_it_ended, silent_in_router
from keyroll.lab.local.lab import HostedLab
from keyroll.lab.local.machine_probe import require_fit
from keyroll.lab.protocol import PING_SECONDS, LabError, Phase, Router
from keyroll.lab.topology import Node, Topology
from keyroll.names import Capability

USER = "admin"
ROOT = "root"
"""Login user; it starts in a shell with the command `cli`, as on cRPD."""
PLATFORM = "emulated"
KEEPER_SECONDS = 20.0
"""Seconds to start a monitor, including loading the routers' program (1 to 2 s), and for other orders, of which the
slowest runs `ip` (20 ms). Ten times the usual time, for a machine under load."""
ROUTERS_SECONDS = 30.0
"""Seconds from the routers' start to the last `ready`: 0.7 s on an idle machine, ten with sixteen labs at once."""
STOP_SECONDS = 10.0
"""Seconds from the order to stop to the end of the last process: captures have 2 s, then the kernel kills the rest."""
_REPORT_SECONDS = 15.0
"""Seconds from the end of the keeper's channel to the monitor's report, which waits only for the keeper's end: a few
milliseconds on an idle machine. A monitor that has died is noticed at once."""
_KEEPER_EXTRA_SECONDS = 1.0
"""Seconds added to the parts' time for the keeper's own answer to a ping."""
_LOG_TAIL_LINES = 12
"""Log lines quoted in an error: they fit on a screen with the rest of the message."""
_LOG_TAIL_OCTETS = 8192
"""Octets read from the end of a log: more than those lines need."""


class _KeeperSilentError(LabError):
    """The keeper did not answer an order in time."""


@dataclass(slots=True)
class _CaptureFiles:
    """The capture files of one router, by interface, and their counters."""

    paths: dict[str, Path]
    stats: dict[str, int]


class EmbeddedLab(HostedLab):
    """A lab of emulated routers; implements `keyroll.lab.protocol.Lab`.

    `evidence` is the folder for captures (`R1.pcap`) and logs (`R1-bgpd.log`), created if missing. None: a temporary
    folder, removed with the lab.
    `wait_scale` multiplies every deadline. `settings` are settings of the emulated routers, by router's name: the key
    policies `sending` (`clock` or `rnext`) and `receiving` (`tolerance` or `any`), and when a commit's changes of
    keychains in use apply (`repoint`, `alteration`, `deletion`). The topology's labels give the rest.
    `on_phase` is called at the end of each phase of deploying and destroying.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        evidence: Path | None,
        name: str | None = None,
        wait_scale: float = 1.0,
        settings: Mapping[str, Mapping[str, str]] | None = None,
        on_phase: Callable[[Phase], None] | None = None,
    ) -> None:
        super().__init__(
            topology, evidence=evidence, name=name, wait_scale=wait_scale, settings=settings, on_phase=on_phase
        )
        self._channel: socket.socket | None = None
        self._monitor: Monitor | None = None
        self._links: dict[str, RouterLink] = {}
        self._files: dict[str, _CaptureFiles] = {}
        self._final_losses: dict[str, int] = {}
        self._broken: LabError | None = None
        self._incidents: list[str] = []
        self._orders = 0

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this lab can do."""
        return frozenset(
            {
                Capability.CAPTURE,
                Capability.SET_CLOCK,
                Capability.CUT_LINK,
                Capability.IMPAIR,
                Capability.INJECT,
                Capability.REBOOT,
                Capability.STEER_TCP,
                Capability.KEY_POLICY,
                Capability.VLAN,
            }
        )

    @property
    def captures(self) -> Mapping[str, Path]:
        """For each router the capture file of its (first) wire port."""
        return {name: next(iter(files.paths.values())) for name, files in self._files.items() if files.paths}

    def _prepare(self) -> None:
        require_fit()
        begin_loading()
        dead_labs.reap()
        self._broken = None
        self._final_losses = {}

    def _bring_up(self) -> None:
        assert self._run is not None  # noqa: S101 - made by `deploy`
        self._channel, theirs = channel.pair()
        begun = time.monotonic()
        with theirs:
            log = self._evidence / "lab.log"
            self._monitor = start_monitor(theirs, self._run, log, seconds=KEEPER_SECONDS * self._scale)
        self._took("the routers' program", begun)
        plan = self._plan(password=secrets.token_urlsafe(12))
        try:
            channel.send(self._channel, *plan.to_message())
        except OSError:
            raise self._died() from None
        finally:
            plan.close()
        self._await_keeper("deployed", KEEPER_SECONDS * self._scale)
        self._took("keeper, namespaces, captures", begun)
        self._await_routers()
        self._took("routers answer", begun)

    def _plan(self, password: str) -> Plan:
        evidence = os.open(self._evidence, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        routers = []
        for node in self._topology.nodes:
            listener = socket.create_server(("127.0.0.1", 0), backlog=64)
            host, port = listener.getsockname()
            link, boot = RouterLink.open(node.name)
            link.boot(self._boot_message(node, password))
            self._links[node.name] = link
            self._routers[node.name] = Router(
                name=node.name,
                host=host,
                port=port,
                user=USER,
                password=password,
                platform=PLATFORM,
                asn=node.asn,
                loopback=node.loopback,
                loopback6=node.loopback6,
                ports=node.ports,
            )
            files = _CaptureFiles({}, {})
            captures = {}
            for index, interface in enumerate(node.interfaces):
                name = f"{node.name}.pcap" if index == 0 else f"{node.name}-{interface}.pcap"
                files.paths[interface] = self._evidence / name
                files.stats[interface] = os.memfd_create(f"keyroll-{node.name}-{interface}", os.MFD_CLOEXEC)
                captures[interface] = (create_in(evidence, name), os.dup(files.stats[interface]))
            self._files[node.name] = files
            routers.append(
                RouterPlan(
                    name=node.name,
                    interfaces=node.interfaces,
                    boot=boot,
                    listen=listener.detach(),
                    log=create_in(evidence, f"{node.name}-router.log"),
                    captures=captures,
                )
            )
        links = []
        for number, plan in enumerate(self._topology.links):
            name = f"link-{number}.jsonl"
            self._frame_logs[plan.name] = self._evidence / name
            links.append(LinkPlan(plan.name, plan.a, plan.b, create_in(evidence, name)))
        return Plan(evidence, tuple(routers), tuple(links))

    def _boot_message(self, node: Node, password: str) -> dict[str, Any]:
        assert self._run is not None  # noqa: S101 - made by the caller
        return {
            "v": 1,
            "name": node.name,
            "accounts": {USER: password, ROOT: password},
            "ports": [
                {"wire": interface, "router": port.interface.replace("/", "-")}
                for interface, port in zip(node.interfaces, node.ports, strict=True)
            ],
            "control": str(self._run.path / f"{node.name}.ctl"),
            "wait_scale": self._scale,
            "settings": {**node.settings, **self._settings.get(node.name, {})},
        }

    def _await_keeper(self, event: str, seconds: float, *, order: int | None = None) -> channel.Message:
        """Read the keeper's messages until `event` (that answers `order`), and return it; raises when a part dies."""
        deadline = time.monotonic() + seconds
        assert self._channel is not None  # noqa: S101 - made by the caller
        while True:
            left = deadline - time.monotonic()
            if not readable([self._channel], left):
                raise _KeeperSilentError(
                    f"lab {self.name}: the keeper did not say '{event}' within {seconds:.0f} s",
                    remedy="on a slow machine, give a greater --wait-scale",
                )
            message = self._take_keeper_message()
            if message.get("event") == event and message.get("id") == order:
                return message

    def _await_routers(self) -> None:
        deadline = time.monotonic() + ROUTERS_SECONDS * self._scale
        waiting = dict(self._links)
        assert self._channel is not None  # noqa: S101 - made by the caller
        while waiting:
            ready = readable([self._channel, *waiting.values()], deadline - time.monotonic())
            if not ready:
                names = ", ".join(waiting)
                raise LabError(
                    f"lab {self.name}: {names} not ready within {ROUTERS_SECONDS * self._scale:.0f} s of the start;"
                    f" logs are in {self._evidence}",
                    remedy="on a slow machine, give a greater --wait-scale",
                )
            # Routers first: a router's own message tells more than the keeper's report of its end.
            for name, link in list(waiting.items()):
                if link.fileno() in ready:
                    self._take_router_messages(name, link)
                    if link.ready:
                        del waiting[name]
            if self._channel.fileno() in ready:
                self._take_keeper_message()

    def _take_keeper_message(self) -> channel.Message:
        assert self._channel is not None  # noqa: S101 - made by `deploy`
        received = channel.receive(self._channel)
        if received is None:
            raise self._died()
        message = received[0]
        match message.get("event"):
            case "phase":
                self._phase(message["name"], message["seconds"])
            case "failed":
                raise self._break(LabError(f"lab {self.name}: {message['message']}"))
            case "died":
                log = message.get("log")
                raise self._break(self._death(message["what"], message["code"], log))
        return message

    def _take_router_messages(self, name: str, link: RouterLink) -> None:
        for message in link.receive():
            match message.get("event"):
                case "phase":
                    self._phase(f"{name}: {message['name']}", message["seconds"])
                case "failed":
                    raise self._break(LabError(f"lab {self.name}: router {name}: {message['message']}"))
                case "died":
                    raise self._break(self._death(f"{name}'s {message['what']}", message["code"], message.get("log")))
                case "restarted":
                    self._take_restart(name, message)

    def _take_restart(self, name: str, message: channel.Message) -> None:
        """Record that a wire path was replaced; if sessions were lost with it, raise an error."""
        what = f"{name}'s {message['what']} path"
        incident = f"{what} {how_it_ended(message['code'])} and was replaced after {message['seconds']:.3f} s"
        incident += f", {message['connections']} of its connections going on"
        for port, peer in message["reset"]:
            incident += f"; the session with {peer} (port {port}) was reset"
        self._incidents.append(incident)
        if message["reset"]:
            raise self._break(LabError(f"lab {self.name}: {incident}{self._log_tail(message['log'])}"))

    def _death(self, what: str, code: int, log: str | None) -> LabError:
        words = self._log_tail(log) if log else ""
        return LabError(f"lab {self.name}: {what} {how_it_ended(code)}{words}")

    def _log_tail(self, log: str) -> str:
        path = self._evidence / log
        try:
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _LOG_TAIL_OCTETS))
                lines = file.read().decode(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        except OSError as error:
            return f"; {path} cannot be read: {error.strerror}"
        return f"; the end of {path}:\n" + "\n".join(lines) if lines else f"; {path} is empty"

    def _died(self) -> LabError:
        """Return an error that names the dead process: the keeper, or the monitor, whose death kills the keeper."""
        code = None if self._monitor is None else self._monitor.keepers_end(_REPORT_SECONDS)
        what = "the monitor has died, and with it the keeper" if code is None else f"the keeper {how_it_ended(code)}"
        return self._break(LabError(f"lab {self.name}: {what} and the whole lab"))

    def silent_parts(self, seconds: float = PING_SECONDS) -> tuple[str, ...]:
        """Ping every part; return those without an answer in `seconds`. See `keyroll.lab.protocol.Pingable`."""
        self.check()
        assert self._channel is not None  # noqa: S101 - checked
        asked = self._found()
        in_routers = [part for name in self._links for part in silent_in_router(asked, name, seconds)]
        try:
            # After the routers, so that it has reaped a dead one. It waits for its parts itself, hence the extra time.
            order = {"op": "ping", "seconds": seconds}
            silent = self._ask_keeper(order, "pong", seconds + _KEEPER_EXTRA_SECONDS)["silent"]
        except _KeeperSilentError:
            return ("the keeper", *in_routers)
        self.check()  # the routers report a daemon's death themselves
        return (*silent, *in_routers)

    def _found(self) -> FoundLab:
        """Return this lab in the form in which other processes find it."""
        assert self._run is not None  # noqa: S101 - checked by the caller
        return FoundLab(self._run.path, folders.read_state(self._run.path))

    def _break(self, error: LabError) -> LabError:
        self._broken = self._broken or error
        return error

    def check(self) -> None:
        """Raise LabError if a part has died since `deploy`. Cheap: reads only messages that have arrived."""
        if self._broken is not None:
            raise self._broken
        if self._channel is None:
            raise LabError("the lab is not deployed")
        # Routers first: a router reports the part whose death ended it, which tells more than the router's own end.
        for name, link in self._links.items():
            while not link.closed and readable([link], 0):
                self._take_router_messages(name, link)
        while readable([self._channel], 0):
            self._take_keeper_message()

    @property
    def incidents(self) -> tuple[str, ...]:
        """Faults that the lab repaired itself, as seen by `check`: one sentence each."""
        return tuple(self._incidents)

    def capture_losses(self) -> Mapping[str, int]:
        """Return for each router how many frames its captures have lost."""
        return {
            name: self._final_losses.get(name, sum(recorder.read_stats(fd)[1] for fd in files.stats.values()))
            for name, files in self._files.items()
        }

    def received_drops(self, router: str) -> Mapping[str, int]:
        """Return how many frames a router has dropped on receipt, by reason, as its wire path counts them."""
        self.check()
        drops: Mapping[str, int] = self._found().ask_router(router, "drops")[0]["in"]
        return drops

    def _order_link(self, name: str, order: channel.Message) -> channel.Message:
        self.check()
        assert self._channel is not None  # noqa: S101 - checked
        order = {"op": "link", "link": name, "order": order}
        answer: channel.Message = self._ask_keeper(order, "link", KEEPER_SECONDS * self._scale)["answer"]
        return answer

    def _ask_keeper(self, order: channel.Message, event: str, seconds: float) -> channel.Message:
        """Send an order and return its answer, matched by number, because late answers may come."""
        assert self._channel is not None  # noqa: S101 - checked by the caller
        self._orders += 1
        with contextlib.suppress(OSError):  # the next read finds out that the keeper has ended
            channel.send(self._channel, {**order, "id": self._orders})
        return self._await_keeper(event, seconds, order=self._orders)

    def keep(self) -> None:
        """Keep the lab up after this process ends; `keyroll lab down` destroys it."""
        self.check()
        assert self._channel is not None  # noqa: S101 - checked
        channel.send(self._channel, {"op": "keep"})
        self._await_keeper("kept", KEEPER_SECONDS * self._scale)
        self._kept = True
        self._write_state()

    def destroy(self) -> None:
        """Destroy the lab and leave nothing behind. Can be called twice, and after a failed `deploy`."""
        begun = time.monotonic()
        down = self._monitor is not None
        if self._channel is not None:
            with contextlib.suppress(OSError):  # the keeper may have ended already
                channel.send(self._channel, {"op": "stop"})
        if self._monitor is not None:
            await_end(self._monitor, STOP_SECONDS * self._scale)
            self._monitor = None
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        for link in self._links.values():
            link.close()
        self._links.clear()
        self._final_losses = dict(self.capture_losses())
        for files in self._files.values():
            while files.stats:
                os.close(files.stats.popitem()[1])
        self._close_folder()
        if down:
            self._took("destroy", begun)
