"""What this machine needs to have for an embedded lab, and what to do where it has not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from harness.lab.protocol import LabUnfitError

FRR_DIRECTORIES = (Path("/usr/lib/frr"), Path("/usr/libexec/frr"))
"""Where distributions put FRR's daemons."""
DAEMONS = ("zebra", "bgpd")


def frr_directory() -> Path | None:
    """Return the folder that holds FRR's daemons, or None."""
    return next((path for path in FRR_DIRECTORIES if (path / DAEMONS[0]).exists()), None)


def require_fit() -> None:
    """Look quickly for what every embedded lab needs.

    Raises:
        LabUnfitError: for the first thing missing, with the remedy.
    """
    if os.geteuid() != 0:
        raise LabUnfitError("an embedded lab needs root for its namespaces", remedy="run it with sudo")
    folder = frr_directory()
    missing = [name for name in DAEMONS if folder is None or not (folder / name).exists()]
    if missing:
        raise LabUnfitError(f"FRR is missing ({', '.join(missing)})", remedy="apt-get install frr")
    if shutil.which("ip") is None:
        raise LabUnfitError("the command `ip` is missing", remedy="apt-get install iproute2")
