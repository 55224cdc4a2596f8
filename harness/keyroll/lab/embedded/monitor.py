"""The process that carries a lab, forked from the owner's fork server (`keyroll.lab.embedded.fork_server`).

It is in a session of its own, so that no terminal signal reaches it. It makes the lab's pid namespace, forks the keeper
as process 1 of it, and watches from outside:

    owner ──► monitor ──► keeper (pid 1) ──► captures, routers, daemons …

- the owner ends, however: the keeper sees its channel close and the monitor sees the owner's pidfd; unless the lab is
  kept, everything ends;
- the keeper ends, however: the kernel kills every process of its namespace, and the monitor removes the lab's folder;
- the monitor ends, however: the kernel kills the keeper (parent-death signal), and the owner removes the folder.
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
    """Fork the keeper, watch, clean up; returns when nothing of the lab is left.

    Args:
        lab: the keeper's end of the channel to the owner.
        run: the lab's folder; its lock is held by a descriptor that nobody here uses.
        owner: a pidfd of the process whose lab it is.
        report: a pipe to the owner, for the code that the keeper ended with; the monitor alone has it, so that its
            end without a word says that the monitor died first.
    """
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
        linux.rename(f"keyroll.lab.embedded.keeper {run.name}")
        ours.close()
        os.close(owner)
        os.close(report)
        keeper.run(lab, theirs, run, rootless=rootless)
    lab.close()
    theirs.close()
    code = _watch(pid, owner, ours)
    with contextlib.suppress(OSError):  # the owner may be gone
        os.write(report, str(code).encode())
    folders.remove(run)


def _watch(pid: int, owner: int, keeper_end: socket.socket) -> int:
    """Return the keeper's exit code once it is reaped; end it when an owner that did not keep the lab goes."""
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
