"""Wire processes by fork: this program has the wire path loaded, and each process is a copy of it (as in a router).

Not a test module: `conftest.py` starts it once for a worker's tests. Over the socket whose descriptor it is given:

    {"op": "start", "pairs": [[HOST, WIRE], …]} + control, log, namespace    the process's id
    {"op": "code", "pid": …}                                                 the exit code of one that has ended

It ends, and its processes with it, when the socket does.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

from keyroll import linux
from keyroll.emulator.wire.run.program import carry
from keyroll.forking import fork, settle

LONGEST = 4096


def main() -> None:
    orders = socket.socket(fileno=int(sys.argv[1]))
    settle()
    running: set[int] = set()
    while True:
        message, descriptors, _, _ = socket.recv_fds(orders, LONGEST, 3)
        if not message:
            break
        order = json.loads(message)
        if order["op"] == "start":
            pid = start([(host, wire) for host, wire in order["pairs"]], *descriptors)
            running.add(pid)
            answer = pid
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["pid"], 0)[1])
            running.discard(order["pid"])
        for descriptor in descriptors:
            os.close(descriptor)
        orders.send(json.dumps(answer).encode())
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def start(pairs: list[tuple[str, str]], control: int, log: int, namespace: int) -> int:
    def work() -> int:
        linux.setns(namespace)
        os.close(namespace)
        return carry(control, pairs)

    title = f"keyroll.emulator.wire {pairs}"
    return fork(work, title=title, keep=(control, namespace), output=log)


if __name__ == "__main__":
    main()
