"""Destroy a lab of containers and keep its logs. Used by its owner, its guard, and the cleanup of dead labs.

containerlab's `destroy` is not reliable, so leftover containers are found by label and removed (docs/containerlab.md).
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from keyroll.lab.containerlab import docker, topology_file
from keyroll.lab.containerlab.command import Program
from keyroll.lab.local import folders
from keyroll.lab.protocol import LabError

_SSH = Path("/etc/ssh/ssh_config.d")
_NAMESPACES = Path("/run/netns")
_BACKUPS = Path(tempfile.gettempdir()) / ".clab" / "bak"
"""Folder in which containerlab keeps a copy of each deployed topology file, and never removes it."""
_HOSTS = Path("/etc/hosts")
_HOSTS_LOCK = Path("/run/lock/clab-hosts.lock")


def folder_of_locks() -> Path:
    """Return the folder of the lock that all labs of this user share."""
    return folders.base_directory().parent


def keep_logs(folder: Path, name: str, nodes: Mapping[str, str], evidence: Path) -> None:
    """Copy the containers' output and log files into `evidence`; `nodes` maps router to container."""
    for router, container in nodes.items():
        with contextlib.suppress(LabError, OSError):  # the lab may have failed: keep what exists
            (evidence / f"{router}-router.log").write_text(docker.log_of(container), encoding="utf-8")
            for path in sorted((folder / f"clab-{name}" / router / "log").rglob("*.log")):
                name_of_its_own = path.name if path.name.startswith(f"{router}-") else f"{router}-{path.name}"
                shutil.copyfile(path, evidence / name_of_its_own)


def tear_down(program: Program, folder: Path, name: str) -> None:
    """Destroy a lab, and check that it is gone; can be called repeatedly.

    Raises:
        LabError: a part cannot be removed; names it.
    """
    topology = folders.topology_of(folder)
    with docker.lock(folder_of_locks()) as held:
        if topology.exists():
            ours = topology_file.own_network(topology.read_text(encoding="utf-8"))
            failed: LabError | None = None
            try:
                program.destroy(topology, held=held, keep_network=ours)
            except LabError as error:
                failed = error
            docker.remove(docker.containers_of(docker.LAB_LABEL, name))
            left = docker.containers_of(docker.LAB_LABEL, name)
            if left:
                raise LabError(f"lab {name}: {len(left)} containers cannot be removed") from failed
            if ours:
                docker.drop_network()
        forget(name)


def forget(name: str) -> None:
    """Remove files of a killed containerlab call outside the lab's folder."""
    with contextlib.suppress(OSError):
        (_SSH / f"clab-{name}.conf").unlink(missing_ok=True)
        for copy in _BACKUPS.glob(f"*_{glob.escape(name)}.clab.yml"):
            copy.unlink(missing_ok=True)
        for link in _NAMESPACES.glob(f"clab-{glob.escape(name)}-*"):
            if not link.exists():  # skip others: they belong to labs whose names begin with this one's
                link.unlink(missing_ok=True)
    begin, end = f"###### CLAB-{name}-START ######", f"###### CLAB-{name}-END ######"
    with contextlib.suppress(OSError):
        if begin not in _HOSTS.read_text(encoding="utf-8"):
            return
        _HOSTS_LOCK.parent.mkdir(parents=True, exist_ok=True)
        with _HOSTS_LOCK.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            text = _HOSTS.read_text(encoding="utf-8")
            # In place: in a container /etc/hosts is a mount and cannot be replaced.
            _HOSTS.write_text(without_block(text, begin, end), encoding="utf-8")


def without_block(text: str, begin: str, end: str) -> str:
    """Return `text` without the lines from `begin` to `end`; without an end, the addresses that follow `begin`."""
    kept, inside = [], False
    whole = end in text
    for line in text.splitlines(keepends=True):
        if line.strip() == begin:
            inside = True
        elif inside and line.strip() == end:
            inside = False
        elif not inside or (not whole and not _is_entry(line)):
            inside = False
            kept.append(line)
    return "".join(kept)


def _is_entry(line: str) -> bool:
    return "\tclab-" in line or " clab-" in line


def reap(program: Program) -> list[str]:
    """Remove the containers and other remains of labs whose processes have all ended; return the labs' names.

    Also removes labs that were killed before they had containers: their folders hold a topology file too.

    Raises:
        LabError, LabUnfitError: Docker does not answer.
    """
    reaped = []
    for path in folders.labs():
        if folders.topology_of(path).exists() and not folders.is_alive(path):
            tear_down(program, path, path.name)
            folders.remove(path)
            reaped.append(path.name)
    for made in docker.all_made():
        if _is_over(made):
            docker.remove(made.containers)
            forget(made.folder.name)
            reaped.append(made.folder.name)
    return reaped


def _is_over(made: docker.Made) -> bool:
    """Whether a lab with containers, but without a visible folder, is dead.

    Labs of another runtime folder (KEYROLL_RUNTIME_DIR) are left alone. A missing folder may only be invisible here, as
    that of another CI job that shares Docker's socket. So the lab counts as alive, unless it belongs to an earlier boot
    of this machine.
    """
    ours = made.folder.parent == folders.base_directory()
    return ours and not made.folder.exists() and made.host.is_over(docker.Host.present())
