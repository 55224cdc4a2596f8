"""What this machine needs to have for an embedded lab, and what to do where it has not."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
from pathlib import Path

from keyroll.lab.protocol import LabUnfitError

FRR_DIRECTORIES = (Path("/usr/lib/frr"), Path("/usr/libexec/frr"))
"""Where distributions put FRR's daemons."""
TRY_SECONDS = 10.0
"""For one probe in a child process, which takes milliseconds; more means that the machine hangs."""
USER_NAMESPACES = (
    "run with sudo, or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1"
    " (Ubuntu 24.04: kernel.apparmor_restrict_unprivileged_userns=0)"
)
DAEMONS = ("zebra", "bgpd")
_TCP_AO_ADD_KEY = 38
"""Linux' socket option (include/uapi/linux/tcp.h), since 6.7."""


def frr_directory() -> Path | None:
    """Return the folder that holds FRR's daemons, or None."""
    return next((path for path in FRR_DIRECTORIES if (path / DAEMONS[0]).exists()), None)


def require_user_namespaces() -> None:
    """Try, in a child process, whether this user may make the namespaces that a lab without root needs.

    Raises:
        LabUnfitError: the host does not allow it; one sentence with the remedy.
    """
    command = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "true"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TRY_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabUnfitError(f"`unshare` cannot be tried: {error}", remedy="run with sudo") from error
    if result.returncode:
        words = (result.stderr.strip().splitlines() or ["refused"])[0]
        raise LabUnfitError(f"this host lets only root make namespaces ({words})", remedy=USER_NAMESPACES)


def require_fit() -> None:
    """Look quickly for what every embedded lab needs.

    Raises:
        LabUnfitError: for the first thing missing, with the remedy.
    """
    if os.geteuid() != 0:
        require_user_namespaces()
    folder = frr_directory()
    missing = [name for name in DAEMONS if folder is None or not (folder / name).exists()]
    if missing:
        raise LabUnfitError(f"FRR is missing ({', '.join(missing)})", remedy="apt-get install frr")
    if shutil.which("ip") is None:
        raise LabUnfitError("the command `ip` is missing", remedy="apt-get install iproute2")


def kernel_has_netem() -> bool:
    """Whether this machine's kernel has netem: tried in a namespace that is gone afterwards."""
    command = ["unshare", "--net", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=TRY_SECONDS).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def kernel_has_tcp_ao() -> bool:
    """Ask for TCP_AO_ADD_KEY with too short a value: a kernel that has it finds fault, others do not know it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.setsockopt(socket.IPPROTO_TCP, _TCP_AO_ADD_KEY, bytes(4))
        except OSError as error:
            return error.errno != errno.ENOPROTOOPT
    return True
