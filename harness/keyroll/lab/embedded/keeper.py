"""The keeper: process 1 of a lab's pid namespace. It makes the namespaces, the links, the captures, and the routers.

It takes orders from the owner over the channel:

    {"op": "deploy", "evidence": FD, "routers": [...], "links": [...], ...}   with descriptors; once
    {"op": "keep"}                                                            the lab outlives the owner
    {"op": "link", "link": NAME, "order": {…}, "id": N}                       an order to a link (see `link`)
    {"op": "ping", "seconds": S, "id": N}                                     which parts do not answer
    {"op": "stop"}                                                            captures are completed, then all ends

and sends it `phase`, `ready`, `died`, `failed` (see `keyroll.lab.embedded.keeper_plan`). Once the lab is kept, `stop`
also comes over the control socket in the lab's folder (docs/control.md). Any error in this process ends the lab,
because the kernel kills the namespace with its process 1.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from keyroll import linux
from keyroll.forking import fork
from keyroll.lab.embedded import link
from keyroll.lab.embedded.keeper_plan import LinkPlan, Plan, RouterPlan
from keyroll.lab.local import channel, recorder
from keyroll.lab.local.folders import KEEPER_SOCKET
from keyroll.lab.protocol import PING_SECONDS, LabError

_STOP_SECONDS = 2.0
"""Seconds for captures to write the rest of their buffers, at most 64 MB; also for a control client's request."""
_ORDER_SECONDS = 5.0
"""Seconds for a link to answer an order; it answers between two batches of frames, so within milliseconds."""
_ACCOUNTS = {
    "passwd": "root:x:0:0:root:/:/bin/sh\nfrr:x:0:0:frr:/:/bin/sh\n",
    "group": "root:x:0:\nfrr:x:0:\nfrrvty:x:0:root,frr\n",
}
"""Without root a lab has one user, which must also be FRR's: these files replace /etc/passwd and /etc/group in its
mounts."""
_MASKS = {"/run": "0755", "/var/tmp": "1777"}  # noqa: S108 - see the next line
"""Replaced by a tmpfs in the lab's mounts, because FRR always creates /run/frr and /var/tmp/frr."""
KEPT = b"k"
"""Message to the monitor: the lab stays up after its owner ends."""
PROGRAM = "keyroll.emulator.boot.program"
"""The module that is a router's program (see `RouterProgram`)."""


class RouterProgram(Protocol):
    """The interface of a router's program: a module with these two functions."""

    def load(self) -> None:
        """Import the program's modules; called once, before the routers are forked."""
        ...

    def run(self, boot: int, listener: int, logs: int) -> int:
        """Run a router, with the descriptors of docs/control.md, and return the exit code."""
        ...


def run(owner: socket.socket, monitor: socket.socket, run_directory: Path, *, rootless: bool) -> NoReturn:
    """Run the keeper until the lab's end. Called in the forked child; never returns."""
    code = 1
    try:
        Keeper(owner, monitor, run_directory, rootless=rootless).serve()
        code = 0
    except Exception:  # noqa: BLE001 - the last frame of process 1: say what happened, then everything ends
        with contextlib.suppress(OSError):
            channel.send(owner, {"event": "failed", "message": f"the keeper broke:\n{traceback.format_exc()}"})
    finally:
        os._exit(code)


@dataclass(frozen=True, slots=True)
class _Part:
    """A child process that is a part of the lab: its name in messages, its channel for pings, and its log."""

    name: str
    log: str | None = None
    """The file in the evidence folder that may hold the reason for its end."""
    requests: channel.RequestChannel | None = None
    capture: bool = False


class Keeper:
    """See the module."""

    def __init__(self, owner: socket.socket, monitor: socket.socket, run_directory: Path, *, rootless: bool) -> None:
        self._owner = owner
        self._monitor = monitor
        self._run = run_directory
        self._rootless = rootless
        self._kept = False
        self._stop_captures, self._captures_stop = os.pipe2(os.O_CLOEXEC)
        self._parts: dict[int, _Part] = {}
        self._deaths: list[channel.Message] = []
        self._link_orders: dict[str, channel.RequestChannel] = {}
        self._link_ends: dict[str, tuple[str, str]] = {}
        self._namespaces: dict[str, int] = {}
        self._control: socket.socket | None = None
        self._selector = selectors.DefaultSelector()
        self._ending = False
        self._program: RouterProgram = importlib.import_module(PROGRAM)

    def serve(self) -> None:
        """Serve until the order to stop, or until the owner of a lab that is not kept ends."""
        wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self._selector.register(self._owner, selectors.EVENT_READ, self._on_owner)
        self._selector.register(self._monitor, selectors.EVENT_READ, self._on_monitor)
        self._selector.register(wake_read, selectors.EVENT_READ, lambda: self._on_child(wake_read))
        while not self._ending:
            for key, _ in self._selector.select():
                key.data()
        self._finish_captures()

    def _tell(self, message: channel.Message, descriptors: tuple[int, ...] = ()) -> None:
        with contextlib.suppress(OSError):  # the owner may have ended; the main loop sees the end of its channel
            channel.send(self._owner, message, descriptors)

    def _on_owner(self) -> None:
        received = channel.receive(self._owner)
        if received is None:
            self._selector.unregister(self._owner)
            self._ending = not self._kept
            return
        message, descriptors = received
        match message.get("op"):
            case "deploy":
                self._deploy(Plan.from_message(message, descriptors))
            case "keep":
                self._kept = True
                self._monitor.send(KEPT)
                self._tell({"event": "kept"})
            case "link":
                self._tell(channel.answered(message, {"event": "link", "answer": self._order_link(message)}))
            case "ping":
                silent = self._silent(message)
                self._tell(channel.answered(message, {"event": "pong", "silent": silent}))
            case "stop":
                self._ending = True
            case other:
                self._tell({"event": "failed", "message": f"invalid order of the keeper: '{other}'"})

    def _on_monitor(self) -> None:
        self._ending = True  # the monitor never sends anything here: its end has closed the pipe

    def _on_child(self, wake: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)
        self._reap()

    def _reap(self) -> None:
        """Reap every child that has ended, and report those that are parts of the lab."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._report_end(pid, status)

    def _report_end(self, pid: int, status: int) -> None:
        """Report a part's death to the owner, and store it: clients of a kept lab may ask later."""
        part = self._parts.pop(pid, None)
        if part is None:
            return  # an orphan that process 1 inherited from one of the lab's processes
        death: channel.Message = {"what": part.name, "code": os.waitstatus_to_exitcode(status)}
        if part.log is not None:
            death["log"] = part.log
        self._deaths.append(death)
        self._tell({"event": "died", **death})

    def _silent(self, request: channel.Message) -> list[str]:
        """Return the links and captures that do not answer in time. Reports deaths first."""
        self._reap()
        asked = {part.name: (pid, part.requests) for pid, part in self._parts.items() if part.requests is not None}
        channels = {name: requests for name, (_, requests) in asked.items()}
        found = channel.ping(channels, float(request.get("seconds", PING_SECONDS)))
        for name in found.ended:  # the kernel closes a dying process's channel shortly before the process can be reaped
            with contextlib.suppress(ChildProcessError):
                self._report_end(*os.waitpid(asked[name][0], 0))
        return list(found.silent)

    def _deploy(self, plan: Plan) -> None:
        started = time.monotonic()
        try:
            self._isolate()
            for router in plan.routers:
                self._namespaces[router.name] = linux.new_network_namespace()
            self._wire_up(plan)
            self._tell({"event": "phase", "name": "namespaces and links", "seconds": time.monotonic() - started})
            started = time.monotonic()
            for one in plan.links:
                self._start_link(one)
            for router in plan.routers:
                for interface in router.interfaces:
                    self._start_capture(router, interface)
            self._tell({"event": "phase", "name": "links and captures", "seconds": time.monotonic() - started})
            for router in plan.routers:
                self._start_router(router, plan)
            self._open_control()
        except OSError as error:
            self._tell({"event": "failed", "message": str(error), "errno": error.errno})
        except subprocess.CalledProcessError as error:
            words = error.stderr.decode(errors="replace").strip()
            self._tell({"event": "failed", "message": f"`ip` refused to make the links: {words}"})
        else:
            self._tell({"event": "deployed"})
        finally:
            plan.close()

    def _isolate(self) -> None:
        """Enter a new mount namespace and a new (empty) network namespace; the host sees neither."""
        linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWNET)
        linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
        kept = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in self._needed() if path.exists()}
        for mask, mode in _MASKS.items():
            linux.mount("keyroll", mask, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, f"mode={mode}")
        for path, fd in kept.items():
            path.mkdir(parents=True, exist_ok=True)
            linux.mount(f"/proc/self/fd/{fd}", path, None, linux.MS_BIND | linux.MS_REC)
            os.close(fd)
        if self._rootless:
            for name, text in _ACCOUNTS.items():
                mine = Path("/var/tmp") / name  # noqa: S108 - as the next line
                mine.write_text(text, encoding="ascii")
                linux.mount(str(mine), f"/etc/{name}", None, linux.MS_BIND)
        os.chdir("/var/tmp")  # noqa: S108 - the lab's own by now: core files, if any, go with the lab

    def _needed(self) -> list[Path]:
        """Return the folders below the replaced ones that the lab's processes need: the lab's own, and Python's."""
        home = Path(linux.__file__).resolve().parent.parent
        wanted = [self._run, home, Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent]
        beneath = {path for path in wanted if any(path.is_relative_to(mask) for mask in _MASKS)}
        return sorted(beneath, key=lambda path: len(path.parts))

    def _wire_up(self, plan: Plan) -> None:
        """Make the veth pairs: one end in a router's outer namespace, the other in the lab's own."""
        for name in self._namespaces:
            with linux.inside(self._namespaces[name]):
                # The outer namespace only forwards frames; its own IPv6 stack must not send on the link.
                for scope in ("all", "default"):
                    Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1", encoding="ascii")
        for scope in ("all", "default"):
            Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1", encoding="ascii")
        lines = ""
        for number, one in enumerate(plan.links):
            self._link_ends[one.name] = (f"l{number}a", f"l{number}b")
            for end, (router_name, interface) in zip(self._link_ends[one.name], (one.a, one.b), strict=True):
                fd = self._namespaces[router_name]
                lines += f"link add name {interface} netns /proc/self/fd/{fd} type veth peer name {end}\n"
                lines += f"link set {end} up\n"
        self._ip(lines, tuple(self._namespaces.values()))
        for router in plan.routers:
            lines = "".join(f"link set {interface} up\n" for interface in router.interfaces)
            with linux.inside(self._namespaces[router.name]):
                self._ip("link set lo up\n" + lines, ())

    @staticmethod
    def _ip(lines: str, descriptors: tuple[int, ...]) -> None:
        subprocess.run(
            ["ip", "-batch", "-"], input=lines.encode(), check=True, capture_output=True, pass_fds=descriptors
        )

    def _start_capture(self, router: RouterPlan, interface: str) -> None:
        out, stats = router.captures[interface]
        with linux.inside(self._namespaces[router.name]):
            title = f"keyroll.lab.local.recorder {router.name}:{interface}"
            started = recorder.start(interface, out, stats, self._stop_captures, title=title)
        name = f"{router.name}'s capture at {interface}"
        self._parts[started.pid] = _Part(name, requests=started.requests, capture=True)

    def _start_link(self, plan: LinkPlan) -> None:
        """Open both ends here, so that no frame is missed; fork the process that forwards frames between them."""
        a, b = self._link_ends[plan.name]
        ends = (link.open_end(a), link.open_end(b))
        ours, theirs = channel.pair()
        pid = fork(
            lambda: link.LinkProcess(ends, theirs, plan.frame_log).run(),
            title=f"keyroll.lab.embedded.link {plan.name}",
            keep=(theirs.fileno(), plan.frame_log, *(end.fileno() for end in ends)),
        )
        for end in ends:
            end.close()
        theirs.close()
        self._link_orders[plan.name] = channel.RequestChannel(ours)
        self._parts[pid] = _Part(f"link {plan.name}", requests=self._link_orders[plan.name])

    def _order_link(self, message: channel.Message) -> channel.Message:
        """Send an order to a link and return its answer; `cut` and `restore` also set the ports' carrier."""
        name, order = message.get("link"), message.get("order", {})
        orders = self._link_orders.get(str(name))
        if orders is None:
            return {"ok": False, "error": f"there is no link '{name}'; there are {', '.join(self._link_orders)}"}
        try:
            answer = orders.finish(orders.begin(order), time.monotonic() + _ORDER_SECONDS)
            if order.get("op") in {"cut", "restore"}:
                state = "down" if order["op"] == "cut" else "up"
                self._ip("".join(f"link set {end} {state}\n" for end in self._link_ends[str(name)]), ())
        except TimeoutError:
            return {"ok": False, "error": f"link {name} does not answer within {_ORDER_SECONDS:g} s"}
        except (OSError, LabError) as error:
            return {"ok": False, "error": f"link {name} does not answer: {error}"}
        return answer

    def _start_router(self, router: RouterPlan, plan: Plan) -> None:
        """Fork the router, in its outer namespace; its program is loaded already."""
        program = self._program
        with linux.inside(self._namespaces[router.name]):
            pid = fork(
                lambda: program.run(router.boot, router.listen, plan.evidence),
                title=f"keyroll.emulator {router.name}",
                keep=(router.boot, router.listen, plan.evidence),
                output=router.log,
            )
        self._parts[pid] = _Part(f"router {router.name}", log=f"{router.name}-router.log")

    def _open_control(self) -> None:
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.bind(str(self._run / KEEPER_SOCKET))
        control.listen()
        control.settimeout(0)
        self._control = control
        self._selector.register(control, selectors.EVENT_READ, self._on_control)

    def _on_control(self) -> None:
        """Answer one request: `ping`, `link`, `stop`, or `namespace` (answers with a router's outer one)."""
        assert self._control is not None  # noqa: S101 - registered together with it
        with contextlib.suppress(OSError):
            connection, _ = self._control.accept()
            with connection:
                connection.settimeout(_STOP_SECONDS)
                received = channel.receive(connection)
                if received is None:
                    return
                self._answer(connection, received[0])

    def _answer(self, connection: socket.socket, message: channel.Message) -> None:
        match message.get("op"):
            case "ping":
                routers, links = sorted(self._namespaces), list(self._link_ends)
                answer = {"ok": True, "routers": routers, "links": links, "silent": self._silent(message)}
                channel.send(connection, {**answer, "deaths": self._deaths})
            case "namespace" if message.get("router") in self._namespaces:
                channel.send(connection, {"ok": True}, (self._namespaces[message["router"]],))
            case "link":
                channel.send(connection, self._order_link(message))
            case "stop":
                self._ending = True
                channel.send(connection, {"ok": True})
            case other:
                channel.send(connection, {"ok": False, "error": f"unknown request '{other}'"})

    def _finish_captures(self) -> None:
        """Wait until the captures have written the rest; then process 1 ends, and with it all processes of the lab."""
        os.close(self._captures_stop)
        deadline = time.monotonic() + _STOP_SECONDS
        waiting = [os.pidfd_open(pid) for pid, part in self._parts.items() if part.capture]
        with selectors.DefaultSelector() as ends:
            for fd in waiting:
                ends.register(fd, selectors.EVENT_READ)
            while ends.get_map():
                for key, _ in ends.select(max(0.0, deadline - time.monotonic())):
                    ends.unregister(key.fd)
                if time.monotonic() >= deadline:
                    break
