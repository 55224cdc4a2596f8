"""The program that labs are forked from: `python -m keyroll.lab.embedded.fork_server`.

Each process that makes labs starts one with its first lab. It loads the routers' program once, and forks a monitor for
each lab that is ordered over its channel:

    {"op": "carry", "lab": ID, "run": FOLDER}    with five descriptors: the lab's channel, its lock, where the monitor
                                                 writes, the environment (JSON) that the lab's programs get, and a pipe
                                                 on which the monitor reports how the keeper ended
    → {"ok": true}                               with the monitor's pidfd

It holds no state of a lab, so its end does not affect running labs. It ends with its owner.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import json
import os
import select
import socket
from pathlib import Path

from keyroll import linux
from keyroll.forking import fork, settle
from keyroll.lab.embedded import monitor
from keyroll.lab.embedded.keeper import PROGRAM, RouterProgram
from keyroll.lab.local import channel
from keyroll.lab.local.folders import LAB_TAG


def main() -> None:
    """Read the descriptor's number from the command line, load the program, and fork until the owner ends."""
    parser = argparse.ArgumentParser(prog="keyroll-labs", description="Starts the embedded labs of one process.")
    parser.add_argument("--channel", type=int, required=True, help="descriptor: the channel to the owner")
    arguments = parser.parse_args()
    linux.no_core_dumps()
    owner = os.pidfd_open(os.getppid())
    os.set_inheritable(arguments.channel, False)  # noqa: FBT003 - the standard library's signature
    gc.disable()  # a tenth of the loading would be the collector's, and `settle` collects once in the end
    program: RouterProgram = importlib.import_module(PROGRAM)
    program.load()
    settle()
    gc.enable()
    ForkServer(socket.socket(fileno=arguments.channel), owner).serve()
    os._exit(0)  # exit at once: the owner may wait, and there is nothing to clean up


class ForkServer:
    """See the module. `owner` is a pidfd of the process whose labs these are."""

    def __init__(self, orders: socket.socket, owner: int) -> None:
        self._orders = orders
        self._owner = owner
        self._monitors: dict[int, int] = {}

    def serve(self) -> None:
        """Execute orders, and reap monitors that end, until the owner ends."""
        while True:
            poll = select.poll()
            for descriptor in (self._orders.fileno(), self._owner, *self._monitors):
                poll.register(descriptor, select.POLLIN)
            ready = {descriptor for descriptor, _ in poll.poll()}
            for pidfd in ready & self._monitors.keys():
                os.waitpid(self._monitors.pop(pidfd), 0)
                os.close(pidfd)
            # Execute a waiting order first: after the owner's death only the monitor removes the lab's folder.
            if self._orders.fileno() in ready:
                if not self._take():
                    return
            elif self._owner in ready:
                return

    def _take(self) -> bool:
        """Execute one order; False when the channel is closed."""
        received = channel.receive(self._orders)
        if received is None:
            return False
        message, descriptors = received
        try:
            pid = self._carry(str(message["lab"]), Path(message["run"]), *descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        pidfd = os.pidfd_open(pid)  # the pid is valid: only this process reaps it
        self._monitors[pidfd] = pid
        with contextlib.suppress(OSError):  # the owner may have ended; the monitor notices that itself
            channel.send(self._orders, {"ok": True}, (pidfd,))
        return True

    def _carry(self, lab: str, run: Path, lab_channel: int, lock: int, log: int, environment: int, report: int) -> int:
        variables = json.loads(Path(f"/proc/self/fd/{environment}").read_bytes())

        def be_monitor() -> None:
            os.setsid()
            os.environ.clear()
            os.environ.update(variables)
            linux.retag(LAB_TAG, lab)
            monitor.carry(socket.socket(fileno=lab_channel), run, self._owner, report)

        return fork(
            be_monitor,
            title=f"keyroll.lab.embedded.monitor {lab}",
            keep=(lab_channel, lock, self._owner, report),
            output=log,
        )


if __name__ == "__main__":
    main()
