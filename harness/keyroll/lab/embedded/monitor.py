"""The outermost process of a lab, forked from the owner's fork server (`keyroll.lab.embedded.fork_server`).

It runs in a separate session, so that no terminal signal reaches it. It creates the lab's pid namespace, forks the
keeper as process 1 in it, and watches from outside:

    owner ──► monitor ──► keeper (pid 1) ──► captures, routers, daemons …

- if the owner ends for any reason, the keeper sees its channel close, and the monitor sees it on the owner's pidfd;
  unless the lab is kept, all its processes end;
- if the keeper ends, the kernel kills every process of its namespace, and the monitor removes the lab's folder;
- if the monitor ends, the kernel kills the keeper (parent-death signal), and the owner removes the folder.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from pathlib import Path

from keyroll import linux
from keyroll.lab.embedded import keeper
from keyroll.lab.local import folders


def carry(lab: socket.socket, run: Path, owner: int, report: int) -> None:
    """Fork the keeper, watch, clean up; returns when all processes and files of the lab are gone.

    Args:
        lab: the keeper's end of the channel to the owner.
        run: the lab's folder; an inherited, otherwise unused descriptor holds its lock.
        owner: a pidfd of the lab's owner.
        report: a pipe to the owner for the keeper's exit code. Only the monitor holds it, so if it closes without a
            report, the monitor died first.
    """
    rootless = os.geteuid() != 0
    # Keeper and monitor each hold one end, so each sees when the other one ends.
    ours, theirs = socket.socketpair()
    if rootless:
        linux.new_user_namespace()
        linux.pretend_setgroups()
    linux.unshare(linux.CLONE_NEWPID)
    pid = os.fork()
    if pid == 0:
        linux.die_with_parent()
        linux.rename(f"keyroll.lab.embedded.keeper {run.name}")
        ours.close()
        os.close(owner)
        os.close(report)
        keeper.run(lab, theirs, run, rootless=rootless)
    lab.close()
    theirs.close()
    code = _watch(pid, owner, ours)
    with contextlib.suppress(OSError):  # the owner may have ended
        os.write(report, str(code).encode())
    folders.remove(run)


def _watch(pid: int, owner: int, keeper_end: socket.socket) -> int:
    """Wait for the keeper and return its exit code; kill it if the owner of a lab that is not kept ends."""
    poll = select.poll()
    poll.register(keeper_end, select.POLLIN)
    poll.register(owner, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if keeper_end.fileno() in ready:
            if keeper_end.recv(1) == keeper.KEPT:
                poll.unregister(owner)
                continue
            break
        if owner in ready:
            os.kill(pid, signal.SIGKILL)
            break
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
