"""The program that carries a lab: `python -m harness.lab.embedded.monitor`.

Started by the lab's owner in a session of its own, so that no terminal signal reaches it. It makes the lab's pid
namespace, forks the keeper as process 1 of it, and watches from outside:

    owner ──► monitor ──► keeper (pid 1) ──► captures, routers, daemons …

- the owner ends, however: the keeper sees its channel close and the monitor sees the owner's pidfd; unless the lab is
  kept, everything ends;
- the keeper ends, however: the kernel kills every process of its namespace, and the monitor removes the lab's folder;
- the monitor ends, however: the kernel kills the keeper (parent-death signal), and the owner removes the folder.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import socket
from pathlib import Path

from harness import linux
from harness.lab.embedded import keeper, runtime

_KEPT = b"k"


def main() -> None:
    """Read the descriptors' numbers from the command line, fork the keeper, watch, clean up."""
    parser = argparse.ArgumentParser(prog="keyroll-lab", description="Carries one embedded lab.")
    parser.add_argument("--channel", type=int, required=True, help="descriptor: the channel to the owner")
    parser.add_argument("--lock", type=int, required=True, help="descriptor: the lab's lock, held while this lives")
    parser.add_argument("--run", type=Path, required=True, help="the lab's folder")
    arguments = parser.parse_args()
    owner = os.pidfd_open(os.getppid())
    rootless = os.geteuid() != 0
    # The keeper holds one end as long as it lives, the monitor the other: each sees the other go.
    ours, theirs = socket.socketpair()
    if rootless:
        linux.new_user_namespace()
        linux.pretend_setgroups()
    linux.unshare(linux.CLONE_NEWPID)
    pid = os.fork()
    if pid == 0:
        linux.die_with_parent()
        ours.close()
        os.close(owner)
        channel = socket.socket(fileno=arguments.channel)
        keeper.run(channel, theirs, arguments.run, rootless=rootless)
    os.close(arguments.channel)
    theirs.close()
    _watch(pid, owner, ours)
    runtime.remove(arguments.run)


def _watch(pid: int, owner: int, keeper_end: socket.socket) -> None:
    """Return when the keeper has ended and been reaped; end it when an owner that did not keep the lab goes."""
    poll = select.poll()
    poll.register(keeper_end, select.POLLIN)
    poll.register(owner, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if keeper_end.fileno() in ready:
            if keeper_end.recv(1) == _KEPT:
                poll.unregister(owner)
                continue
            break
        if owner in ready:
            os.kill(pid, signal.SIGKILL)
            break
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
