"""What containers and networks there are, asked of Docker by its command; nothing above this module names Docker."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from keyroll.lab.protocol import LabError, LabUnfitError

NETWORK = "keyroll-mgmt"
"""The management network of all labs: made under the lock, unlabelled, so that containerlab never removes it."""
SUBNET_VARIABLE = "KEYROLL_MGMT_SUBNET"
LAB_LABEL = "containerlab"
"""Containerlab's own label of a container: the lab's name."""
FOLDER_LABEL = "keyroll.folder"
"""Our label of a container: the lab's folder."""
ASK_SECONDS = 60.0
"""Docker answers in milliseconds; while it starts or removes containers, in seconds."""
LOCK_SECONDS = 900.0
"""From asking for the lock to having it: other labs deploy and are destroyed one after the other,
some ten of them in that time on a slow machine."""
_POLL_SECONDS = 0.05
"""Between two tries for the lock: short against a deploy (1.5 s), long against a try (microseconds)."""


def _docker(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["docker", *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # what a virtual machine writes to its console need not be text
            check=False,
            timeout=ASK_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise LabUnfitError("the command `docker` is not on this machine", remedy="apt-get install docker.io") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"Docker did not answer `docker {arguments[0]}` within {ASK_SECONDS:.0f} s") from None


def _asked(arguments: Sequence[str], what: str) -> str:
    result = _docker(arguments)
    if result.returncode:
        words = result.stderr.strip()
        unfit = "Cannot connect" in words or "permission denied" in words
        if unfit:
            raise LabUnfitError(f"Docker does not answer: {words}", remedy="start Docker, and run with sudo")
        raise LabError(f"Docker cannot {what}: {words}")
    return result.stdout


def require() -> None:
    """Ask whether Docker answers. Raises LabUnfitError with the remedy."""
    _asked(["version", "--format", "{{.Server.Version}}"], "say its version")


def ensure_network(environment: dict[str, str] | None = None) -> None:
    """Make the management network where it is not there; call it with the lock held.

    Raises:
        LabUnfitError: no subnet is free (the remedy names the variable that chooses one), or there are several of that
            name: Docker before 23 lets that happen to whoever races for a network without a lock.
    """
    shown = _docker(["network", "inspect", NETWORK])
    if shown.returncode == 0:
        return
    if "ambiguous" in shown.stderr:
        raise LabUnfitError(
            f"there are several Docker networks called {NETWORK}",
            remedy=f"`docker network ls --filter name={NETWORK}` shows them; remove them by their ids",
        )
    wanted = (os.environ if environment is None else environment).get(SUBNET_VARIABLE)
    subnet = ["--subnet", wanted] if wanted else []
    result = _docker(["network", "create", *subnet, NETWORK])
    if result.returncode:
        raise LabUnfitError(
            f"Docker cannot make the management network: {result.stderr.strip()}",
            remedy=f"remove unused networks (`docker network prune`), or set {SUBNET_VARIABLE} to a free subnet",
        )


def drop_network() -> None:
    """Remove the management network if no lab uses it any more; call it with the lock held."""
    _docker(["network", "rm", NETWORK])  # refused while a container is on it, and then it has to stay


def containers_of(label: str, value: str) -> list[str]:
    """Return the ids of all containers with a label, whatever their state. Raises LabError."""
    return _asked(["ps", "-a", "-q", "--no-trunc", "--filter", f"label={label}={value}"], "list containers").split()


def folders() -> dict[str, list[str]]:
    """Return by lab folder the ids of all containers that keyroll had made. Raises LabError, LabUnfitError."""
    form = '{{.ID}} {{.Label "' + FOLDER_LABEL + '"}}'
    found: dict[str, list[str]] = {}
    listed = _asked(
        ["ps", "-a", "--no-trunc", "--filter", f"label={FOLDER_LABEL}", "--format", form], "list containers"
    )
    for line in listed.splitlines():
        identity, _, folder = line.partition(" ")
        found.setdefault(folder, []).append(identity)
    return found


def remove(containers: Sequence[str]) -> None:
    """Remove containers by their ids, and their volumes. Raises LabError."""
    if containers:
        _asked(["rm", "-f", "-v", *containers], "remove containers")


def pid_of(container: str) -> int:
    """Return the process id of a container's process 1 as this machine counts. Raises LabError when it does not run."""
    text = _asked(["inspect", "--format", "{{.State.Pid}}", container], f"inspect {container}").strip()
    if not text.isdecimal() or int(text) == 0:
        raise LabError(f"container {container} does not run; the end of its log: {log_tail(container)}")
    return int(text)


def states_of(containers: Sequence[str]) -> dict[str, str]:
    """Return by container name its state, such as `running` or `running unhealthy`. Raises LabError."""
    form = "{{.Name}} {{.State.Status}}{{if .State.Health}} {{.State.Health.Status}}{{end}}"
    lines = _asked(["inspect", "--format", form, *containers], "inspect the lab's containers").splitlines()
    return {name.removeprefix("/"): state for name, _, state in (line.partition(" ") for line in lines)}


def log_tail(container: str) -> str:
    """Return the end of a container's log, in one line a line of it."""
    result = _docker(["logs", "--tail", "12", container])
    return (result.stdout + result.stderr).strip() or "none"


def log_of(container: str) -> str:
    """Return a container's whole log."""
    result = _docker(["logs", container])
    return result.stdout + result.stderr


@contextmanager
def lock(folder: Path, *, seconds: float = LOCK_SECONDS) -> Iterator[int]:
    """Hold the lock under which labs are deployed and destroyed one after the other; gives its descriptor.

    Raises:
        LabError: others held it too long.
    """
    path = folder / "keyroll-containerlab.lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabError(
                        f"another lab has been deploying (or going down) for {seconds:.0f} s",
                        remedy=f"see who holds it: `fuser {path}`",
                    ) from None
                select.select([], [], [], _POLL_SECONDS)  # a lock tells nobody when it is free
        yield fd
    finally:
        os.close(fd)
