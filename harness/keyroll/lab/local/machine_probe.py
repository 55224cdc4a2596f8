"""Check the requirements of an embedded lab on this machine, with a remedy for each missing one."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
from pathlib import Path

from keyroll.lab.protocol import LabUnfitError

FRR_DIRECTORIES = (Path("/usr/lib/frr"), Path("/usr/libexec/frr"))
"""Folders of FRR's daemons in the common distributions."""
TRY_SECONDS = 10.0
"""Seconds for one probe in a child process, which takes milliseconds; more means that the machine hangs."""
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
    """Test in a child process whether this user may create the namespaces that a lab without root needs.

    Raises:
        LabUnfitError: the host does not allow it.
    """
    command = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "true"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TRY_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabUnfitError(f"`unshare` cannot be tried: {error}", remedy="run with sudo") from error
    if result.returncode:
        words = (result.stderr.strip().splitlines() or ["refused"])[0]
        raise LabUnfitError(f"only root may create namespaces on this host ({words})", remedy=USER_NAMESPACES)


def require_fit() -> None:
    """Check quickly the requirements of every embedded lab.

    Raises:
        LabUnfitError: for the first missing one, with the remedy.
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
    """Whether this machine's kernel has netem, by a test in a temporary namespace."""
    command = ["unshare", "--net", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=TRY_SECONDS).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def kernel_has_tcp_ao() -> bool:
    """Set TCP_AO_ADD_KEY with a value that is too short: kernels with TCP-AO refuse the value, others the option."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.setsockopt(socket.IPPROTO_TCP, _TCP_AO_ADD_KEY, bytes(4))
        except OSError as error:
            return error.errno != errno.ENOPROTOOPT
    return True
