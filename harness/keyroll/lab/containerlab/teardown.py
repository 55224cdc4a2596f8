"""How a lab of containers ends: its logs are kept, nothing of it is left. Used by its owner, its guard, and the reaper.

containerlab's `destroy` is not believed: what is left is looked for by label and removed (docs/containerlab.md).
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
"""Where containerlab keeps a copy of each topology file that it deployed, for ever."""
_HOSTS = Path("/etc/hosts")
_HOSTS_LOCK = Path("/run/lock/clab-hosts.lock")


def folder_of_locks() -> Path:
    """Return the folder of the lock that all labs of this user share."""
    return folders.base_directory().parent


def keep_logs(folder: Path, name: str, nodes: Mapping[str, str], evidence: Path) -> None:
    """Copy what the containers said and what they logged into `evidence`; `nodes` is router to container."""
    for router, container in nodes.items():
        with contextlib.suppress(LabError, OSError):  # evidence of a lab that broke: what there is
            (evidence / f"{router}-router.log").write_text(docker.log_of(container), encoding="utf-8")
            for path in sorted((folder / f"clab-{name}" / router / "log").rglob("*.log")):
                name_of_its_own = path.name if path.name.startswith(f"{router}-") else f"{router}-{path.name}"
                shutil.copyfile(path, evidence / name_of_its_own)


def tear_down(program: Program, folder: Path, name: str) -> None:
    """Destroy a lab, and look whether it is gone; call it any number of times.

    Raises:
        LabError: something of it cannot be removed; names what.
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
    """Remove what containerlab wrote about a lab outside its folder, where a killed call has left it."""
    with contextlib.suppress(OSError):
        (_SSH / f"clab-{name}.conf").unlink(missing_ok=True)
        for copy in _BACKUPS.glob(f"*_{glob.escape(name)}.clab.yml"):
            copy.unlink(missing_ok=True)
        for link in _NAMESPACES.glob(f"clab-{glob.escape(name)}-*"):
            if not link.exists():  # its container is gone; the others are of labs whose names begin like this one's
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
    """Remove the containers of labs of which nothing else lives, and what else is left of them; return their names.

    Some were killed before they had containers: their folders have a topology file all the same.

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
    """Whether nothing else of a lab lives, of which there are containers and, as far as can be seen, no folder.

    Labs of another folder for run-time files (KEYROLL_RUNTIME_DIR) are none of ours. A folder that is not there may be
    out of sight, as that of another CI job is which shares Docker's socket: then the lab counts as alive, unless its
    machine is this one and has booted since.
    """
    ours = made.folder.parent == folders.base_directory()
    return ours and not made.folder.exists() and made.host.is_over(docker.Host.present())
