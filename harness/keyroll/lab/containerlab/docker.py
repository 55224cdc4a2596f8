"""What containers and networks there are, asked of Docker by its command; nothing above this module names Docker."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from keyroll.lab.protocol import LabError, LabUnfitError

NETWORK = "keyroll-mgmt"
"""The management network of all labs: made under the lock, unlabelled, so that containerlab never removes it."""
SUBNET_VARIABLE = "KEYROLL_MGMT_SUBNET"
LAB_LABEL = "containerlab"
"""Containerlab's own label of a container: the lab's name."""
FOLDER_LABEL = "keyroll.folder"
"""Our label of a container: the lab's folder."""
HOST_LABEL = "keyroll.host"
"""Our label of a container: the machine and its boot, see `host`. Docker may be shared with other machines' labs (a
daemon that is reached over the network), and with labs whose folders cannot be seen from here (containers of a CI
system that share its socket)."""
_MACHINE = Path("/etc/machine-id")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
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
    """Return what Docker answers. Raises LabError: it refuses, or does not answer (any more)."""
    result = _docker(arguments)
    if result.returncode:
        words = result.stderr.strip()
        if _is_silent(words):
            raise LabError(f"Docker does not answer any more: {words}", remedy=_START)
        raise LabError(f"Docker cannot {what}: {words}")
    return result.stdout


def _is_silent(words: str) -> bool:
    return "Cannot connect" in words or "permission denied" in words


_START = "start Docker, and run with sudo"


def require() -> None:
    """Ask whether Docker answers. Raises LabUnfitError with the remedy."""
    # Podman answers on a socket like Docker's too; its containers' namespaces and networks are others.
    result = _docker(["version", "--format", "{{.Server.Version}} {{range .Server.Components}}{{.Name}} {{end}}"])
    if result.returncode:
        raise LabUnfitError(f"Docker does not answer: {result.stderr.strip()}", remedy=_START)
    if "podman" in result.stdout.lower():
        raise LabUnfitError(
            "what answers as Docker is Podman", remedy="use Docker: unset DOCKER_HOST, or point it there"
        )


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


@dataclass(frozen=True, slots=True)
class Host:
    """A machine and one of its boots. An id that is not known is empty."""

    machine: str
    boot: str

    def is_over(self, present: Host) -> bool:
        """Whether this is an earlier boot of the same machine: nothing of it lives. Unknown ids say nothing."""
        same = bool(self.machine) and self.machine == present.machine
        return same and bool(self.boot) and bool(present.boot) and self.boot != present.boot

    def __str__(self) -> str:
        return f"{self.machine}/{self.boot}"

    @classmethod
    def parse(cls, text: str) -> Host:
        """Read the label's text."""
        machine, _, boot = text.partition("/")
        return cls(machine, boot)

    @classmethod
    def present(cls) -> Host:
        """Return this machine and its present boot."""
        return cls(*(_text_of(path) for path in (_MACHINE, _BOOT)))


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


@dataclass(frozen=True, slots=True)
class Made:
    """Containers that keyroll had made for one lab: their ids, where the lab was made, and the lab's folder there."""

    folder: Path
    host: Host
    containers: tuple[str, ...]


def all_made() -> list[Made]:
    """Return the containers of all labs that Docker knows, by lab. Raises LabError, LabUnfitError."""
    form = "\t".join(("{{.ID}}", *('{{.Label "' + label + '"}}' for label in (HOST_LABEL, FOLDER_LABEL))))
    found: dict[tuple[str, str], list[str]] = {}
    listed = _asked(
        ["ps", "-a", "--no-trunc", "--filter", f"label={FOLDER_LABEL}", "--format", form], "list containers"
    )
    for line in listed.splitlines():
        identity, host, folder = line.split("\t", 2)
        found.setdefault((folder, host), []).append(identity)
    return [Made(Path(folder), Host.parse(host), tuple(ids)) for (folder, host), ids in found.items()]


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
