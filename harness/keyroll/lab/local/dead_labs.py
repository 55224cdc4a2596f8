"""Removal of what is left of killed labs (`kill -9`): the next command finds their folders by the free locks.

The processes of such a lab have ended with their pid namespace (`keyroll.lab.embedded.monitor`), or are containers,
which `keyroll.lab.containerlab.teardown` removes. This module removes the lab's folder and its temporary evidence.
"""

from __future__ import annotations

from pathlib import Path

from keyroll.lab.local import folders


def reap(base: Path | None = None, *, containers_too: bool = False) -> list[str]:
    """Remove the folders of dead labs; return their ids.

    The folder of a container lab holds the topology file that is needed to remove its containers. It stays for
    `keyroll.lab.containerlab.teardown.reap`, unless `containers_too` (this machine has no containers).
    """
    base = base or folders.base_directory()
    if not base.exists():
        return []
    reaped = []
    try:
        with folders.locked_base(base, create=False):
            for path in folders.labs(base):
                if not folders.is_alive(path) and (containers_too or not folders.topology_of(path).exists()):
                    folders.remove_one(path)
                    reaped.append(path.name)
            base.rmdir()
    except OSError:
        return reaped  # the base folder has other labs, or the last lab removed it
    return reaped
