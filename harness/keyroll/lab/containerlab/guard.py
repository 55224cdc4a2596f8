"""The guard of a lab of containers (`python -m keyroll.lab.containerlab.guard`): it stays after the lab's owner ends.

Containers do not end with the process that made them. So the guard watches the owner: if the owner ends for any reason
without keeping the lab, the guard ends a running `containerlab` call and destroys the lab. It also runs the captures
and executes orders to links, also for a kept lab.

The owner's orders come over the channel; the guard answers all except `call`:

    {"op": "call"}     + pidfd                      a call that must end with the owner
    {"op": "capture", "router", "interface"} + namespace, file, counters
    {"op": "links", "links": [{"name", "a", "b"}]} + namespaces and frame_logs
    {"op": "link", "link", "order"}
    {"op": "ping", "seconds"}                        returns captures that do not answer or have died
    {"op": "keep"}                                   the lab stays up after its owner
    {"op": "finish"}                                 captures are completed; the owner destroys the lab
    {"op": "done"}                                   it is destroyed: the guard ends; otherwise it destroys the lab

Once the lab is kept, `ping`, `namespace`, `link` and `stop` also come over the control socket in the lab's folder
(docs/control.md); `stop` destroys the lab.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path

from keyroll.errors import KeyrollError
from keyroll.lab.containerlab import teardown
from keyroll.lab.containerlab.command import Program, end_by_pidfd, has_ended
from keyroll.lab.containerlab.link_ends import ContainerLink, LinkEnd, start_capture
from keyroll.lab.local import channel, folders, recorder
from keyroll.lab.protocol import PING_SECONDS

_FINISH_SECONDS = 3.0
"""Seconds for captures to write the rest of their buffers: at most 64 MB, on a slow disk."""
_ANSWER_SECONDS = 2.0
"""Seconds for a control client to send its request: a client sends it at once, or never."""
log = logging.getLogger("guard")


class Guard:
    """See the module."""

    def __init__(self, owner: socket.socket, folder: Path, evidence: Path) -> None:
        self._owner = owner
        self._folder = folder
        self._evidence = evidence
        self._program = Program()
        self._calls: list[int] = []
        self._captures: dict[str, recorder.Recorder] = {}
        self._deaths: list[channel.Message] = []
        self._stop_captures, self._captures_stop = os.pipe2(os.O_CLOEXEC)
        self._ends: dict[tuple[str, str], LinkEnd] = {}
        self._links: dict[str, ContainerLink] = {}
        self._nodes: dict[str, str] = {}
        self._kept = False
        self._destroys = False
        self._ending = False
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Serve until the lab's end."""
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.bind(str(self._folder / folders.KEEPER_SOCKET))
        control.listen()
        self._selector.register(self._owner, selectors.EVENT_READ, self._on_owner)
        self._selector.register(control, selectors.EVENT_READ, lambda: self._on_control(control))
        while not self._ending:
            for key, _ in self._selector.select():
                key.data()
        self._finish_captures()
        if self._destroys:
            self._destroy()

    def _on_owner(self) -> None:
        received = channel.receive(self._owner)
        if received is None:
            self._selector.unregister(self._owner)
            if not self._kept:
                log.info("the owner is gone")
                self._ending = self._destroys = True
            return
        message, descriptors = received
        if message.get("op") == "call":
            self._calls = [*filter(_runs, self._calls), *descriptors]
            return
        try:
            answer = self._obey(message, descriptors)
        except OSError as error:
            answer = {"ok": False, "error": f"{message.get('op')}: {error.strerror or error}"}
        with contextlib.suppress(OSError):  # the owner may have ended; the main loop sees the end of the channel
            channel.send(self._owner, channel.answered(message, answer))

    def _obey(self, message: channel.Message, descriptors: list[int]) -> channel.Message:
        match message.get("op"):
            case "capture":
                namespace, out, stats = descriptors
                end = LinkEnd(message["router"], message["container"], namespace, message["interface"])
                self._nodes[message["router"]] = message["container"]
                self._ends[message["router"], message["interface"]] = end
                name = f"{end.router}'s capture at {end.interface}"
                self._captures[name] = start_capture(end, out, stats, self._stop_captures)
                os.close(out)
            case "links":
                for link, frame_log in zip(message["links"], descriptors, strict=True):
                    a, b = (self._ends[side[0], side[1]] for side in (link["a"], link["b"]))
                    topology = folders.topology_of(self._folder)
                    self._links[link["name"]] = ContainerLink((a, b), topology, frame_log, self._program)
            case "link":
                return {"ok": True, "answer": self._order(message)}
            case "ping":
                return {"ok": True, **self._ping(message)}
            case "keep":
                self._kept = True
            case "finish":
                self._kept = False
                self._finish_captures()
            case "done":
                self._ending = True
            case other:
                return {"ok": False, "error": f"invalid order of the guard: '{other}'"}
        return {"ok": True}

    def _ping(self, message: channel.Message) -> channel.Message:
        """Return which captures do not answer in time, and which have died since the lab came up."""
        seconds = float(message.get("seconds", PING_SECONDS))
        found = channel.ping({name: one.requests for name, one in self._captures.items()}, seconds)
        for name in found.ended:
            _, status = os.waitpid(self._captures.pop(name).pid, 0)
            self._deaths.append({"what": name, "code": os.waitstatus_to_exitcode(status)})
        return {"silent": list(found.silent), "deaths": self._deaths}

    def _order(self, message: channel.Message) -> channel.Message:
        link = self._links.get(str(message.get("link")))
        if link is None:
            return {"ok": False, "error": f"there is no link '{message.get('link')}'"}
        return link.obey(message.get("order", {}))

    def _on_control(self, control: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection, _ = control.accept()
            with connection:
                connection.settimeout(_ANSWER_SECONDS)
                received = channel.receive(connection)
                if received is not None:
                    self._answer(connection, received[0])

    def _answer(self, connection: socket.socket, message: channel.Message) -> None:
        match message.get("op"):
            case "ping":
                answer = {"ok": True, "routers": sorted(self._nodes), "links": list(self._links)}
                channel.send(connection, {**answer, **self._ping(message)})
            case "namespace" if found := [
                end for (name, _), end in self._ends.items() if name == message.get("router")
            ]:
                channel.send(connection, {"ok": True}, (found[0].namespace,))
            case "link":
                channel.send(connection, self._order(message))
            case "stop":
                self._ending = self._destroys = True
                channel.send(connection, {"ok": True})
            case other:
                channel.send(connection, {"ok": False, "error": f"unknown request '{other}'"})

    def _finish_captures(self) -> None:
        """Wait until the captures have written the rest."""
        if self._captures_stop >= 0:
            os.close(self._captures_stop)
            self._captures_stop = -1
        deadline = time.monotonic() + _FINISH_SECONDS
        for pid in (capture.pid for capture in self._captures.values()):
            pidfd = os.pidfd_open(pid)
            if not has_ended(pidfd, max(0.0, deadline - time.monotonic())):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(pidfd)
        self._captures.clear()

    def _destroy(self) -> None:
        """Destroy the lab, and remove its folder."""
        for pidfd in filter(_runs, self._calls):
            log.info("ending a containerlab call")
            end_by_pidfd(pidfd)
        name = self._folder.name
        try:
            teardown.keep_logs(self._folder, name, self._nodes, self._evidence)
            teardown.tear_down(self._program, self._folder, name)
        except KeyrollError as error:
            # Keep the folder: `keyroll lab clean` and the next lab need its topology file to destroy the rest.
            log.error("%s", error)  # noqa: TRY400 - the sentence is what helps
        else:
            log.info("lab %s is gone", name)
            folders.remove(self._folder)


def _runs(pidfd: int) -> bool:
    """Whether the process of a pidfd has not ended."""
    return not has_ended(pidfd, 0)


def main() -> int:
    """Read the descriptors' numbers from the command line and guard the lab to its end."""
    parser = argparse.ArgumentParser(prog="keyroll-guard", description="Guards one lab of containers.")
    parser.add_argument("--channel", type=int, required=True, help="descriptor: the channel to the owner")
    parser.add_argument("--lock", type=int, required=True, help="descriptor: the lab's lock, held while this runs")
    parser.add_argument("--folder", type=Path, required=True, help="the lab's folder")
    parser.add_argument("--evidence", type=Path, required=True, help="where logs go")
    arguments = parser.parse_args()
    os.set_inheritable(arguments.channel, False)  # noqa: FBT003 - the standard library's signature
    os.set_inheritable(arguments.lock, False)  # noqa: FBT003 - as above
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the command that ends a lab asks for it
    Guard(socket.socket(fileno=arguments.channel), arguments.folder, arguments.evidence).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
