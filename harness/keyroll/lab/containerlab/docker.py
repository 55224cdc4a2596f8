"""Query and change containers and networks with the `docker` command; other modules do not call Docker directly."""

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
"""The management network of all labs. Created under the lock, without labels, so that containerlab never removes it."""
SUBNET_VARIABLE = "KEYROLL_MGMT_SUBNET"
LAB_LABEL = "containerlab"
"""Containerlab's label of a container: the lab's name."""
FOLDER_LABEL = "keyroll.folder"
"""keyroll's label of a container: the lab's folder."""
HOST_LABEL = "keyroll.host"
"""keyroll's label of a container: machine and boot, see `host`. Docker may be shared with labs of other machines (a
daemon on the network), and with labs whose folders are not visible here (CI containers that share its socket)."""
_MACHINE = Path("/etc/machine-id")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
ASK_SECONDS = 60.0
"""Seconds for an answer: Docker needs milliseconds, or seconds while it starts or removes containers."""
LOCK_SECONDS = 900.0
"""Seconds to wait for the lock: labs are deployed and destroyed one after the other, some ten in that time on a slow
machine."""
_POLL_SECONDS = 0.05
"""Interval between tries for the lock: short beside a deploy (1.5 s), long beside a try (microseconds)."""


def _docker(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["docker", *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # the console output of a virtual machine may not be valid text
            check=False,
            timeout=ASK_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise LabUnfitError("the command `docker` is not on this machine", remedy="apt-get install docker.io") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"Docker did not answer `docker {arguments[0]}` within {ASK_SECONDS:.0f} s") from None


def _asked(arguments: Sequence[str], what: str) -> str:
    """Return Docker's output. Raises LabError if it refuses, or no longer answers."""
    result = _docker(arguments)
    if result.returncode:
        words = result.stderr.strip()
        if _is_silent(words):
            raise LabError(f"Docker no longer answers: {words}", remedy=_START)
        raise LabError(f"Docker cannot {what}: {words}")
    return result.stdout


def _is_silent(words: str) -> bool:
    return "Cannot connect" in words or "permission denied" in words


_START = "start Docker, and run with sudo"


def require() -> None:
    """Check that Docker answers. Raises LabUnfitError with the remedy."""
    # Podman has a compatible socket, but different namespaces and networks.
    result = _docker(["version", "--format", "{{.Server.Version}} {{range .Server.Components}}{{.Name}} {{end}}"])
    if result.returncode:
        raise LabUnfitError(f"Docker does not answer: {result.stderr.strip()}", remedy=_START)
    if "podman" in result.stdout.lower():
        raise LabUnfitError(
            "the Docker socket belongs to Podman", remedy="use Docker: unset DOCKER_HOST, or point it there"
        )


def ensure_network(environment: dict[str, str] | None = None) -> None:
    """Create the management network if it does not exist; call it with the lock held.

    Raises:
        LabUnfitError: no subnet is free (the remedy names the variable that sets one), or several networks have that
            name: before version 23, Docker can create duplicates in a race.
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
    _docker(["network", "rm", NETWORK])  # Docker refuses while a container uses it; then it has to stay


def containers_of(label: str, value: str) -> list[str]:
    """Return the ids of all containers with a label, whatever their state. Raises LabError."""
    return _asked(["ps", "-a", "-q", "--no-trunc", "--filter", f"label={label}={value}"], "list containers").split()


@dataclass(frozen=True, slots=True)
class Host:
    """A machine and one of its boots. An unknown id is empty."""

    machine: str
    boot: str

    def is_over(self, present: Host) -> bool:
        """Whether this is an earlier boot of the same machine, so its processes have ended. False for unknown ids."""
        same = bool(self.machine) and self.machine == present.machine
        return same and bool(self.boot) and bool(present.boot) and self.boot != present.boot

    def __str__(self) -> str:
        return f"{self.machine}/{self.boot}"

    @classmethod
    def parse(cls, text: str) -> Host:
        """Parse the label's text."""
        machine, _, boot = text.partition("/")
        return cls(machine, boot)

    @classmethod
    def present(cls) -> Host:
        """Return this machine and its current boot."""
        return cls(*(_text_of(path) for path in (_MACHINE, _BOOT)))


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


@dataclass(frozen=True, slots=True)
class Made:
    """The containers of one lab: their ids, the machine of the lab, and the lab's folder there."""

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
    """Return the host's process id of a container's process 1. Raises LabError if it is not running."""
    text = _asked(["inspect", "--format", "{{.State.Pid}}", container], f"inspect {container}").strip()
    if not text.isdecimal() or int(text) == 0:
        raise LabError(f"container {container} does not run; the end of its log: {log_tail(container)}")
    return int(text)


def states_of(containers: Sequence[str]) -> dict[str, str]:
    """Return the states by container name, such as `running` or `running unhealthy`. Raises LabError."""
    form = "{{.Name}} {{.State.Status}}{{if .State.Health}} {{.State.Health.Status}}{{end}}"
    lines = _asked(["inspect", "--format", form, *containers], "inspect the lab's containers").splitlines()
    return {name.removeprefix("/"): state for name, _, state in (line.partition(" ") for line in lines)}


def log_tail(container: str) -> str:
    """Return the last lines of a container's log."""
    result = _docker(["logs", "--tail", "12", container])
    return (result.stdout + result.stderr).strip() or "none"


def log_of(container: str) -> str:
    """Return a container's whole log."""
    result = _docker(["logs", container])
    return result.stdout + result.stderr


@contextmanager
def lock(folder: Path, *, seconds: float = LOCK_SECONDS) -> Iterator[int]:
    """Hold the lock that serialises deploying and destroying labs; yields its descriptor.

    Raises:
        LabError: other processes held it too long.
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
                select.select([], [], [], _POLL_SECONDS)  # poll: a lock gives no event when it becomes free
        yield fd
    finally:
        os.close(fd)
