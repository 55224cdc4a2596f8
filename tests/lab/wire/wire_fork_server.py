"""Start wire processes by fork: this program has loaded the wire path, and each process is a copy (as in a router).

Not a test module: `conftest.py` starts it once for each worker. Requests and answers on the socket whose descriptor is
the argument:

    {"op": "start", "pairs": [[HOST, WIRE], …]} + control, log, namespace    the process's id
    {"op": "code", "pid": …}                                                 the exit code of an ended process

It ends, together with its processes, when the socket is closed.
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
"""Octets of the longest request: a `start` has fewer than 200."""


def main() -> None:
    requests = socket.socket(fileno=int(sys.argv[1]))
    settle()
    running: set[int] = set()
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, LONGEST, 3)
        if not message:
            break
        request = json.loads(message)
        if request["op"] == "start":
            pid = start([(host, wire) for host, wire in request["pairs"]], *descriptors)
            running.add(pid)
            answer = pid
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["pid"], 0)[1])
            running.discard(request["pid"])
        for descriptor in descriptors:
            os.close(descriptor)
        requests.send(json.dumps(answer).encode())
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
