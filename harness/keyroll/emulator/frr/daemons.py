"""How FRR's daemons are started: their folder, their command lines, and the paths of their sockets."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

from keyroll import linux
from keyroll.emulator.contract.errors import ProcessError
from keyroll.emulator.frr.config import Daemon

DIRECTORIES = (Path("/usr/lib/frr"), Path("/usr/libexec/frr"))
USER = "frr"


def find() -> Path:
    """Return the folder of FRR's daemons.

    Raises:
        ProcessError: FRR is not installed.
    """
    for path in DIRECTORIES:
        if (path / Daemon.ZEBRA.value).exists():
            return path
    raise ProcessError("FRR's daemons are not on this machine", remedy="apt-get install frr")


def has_mgmtd() -> bool:
    """Whether this FRR has mgmtd (10 and newer): zebra and staticd are then configured through it.

    Raises:
        ProcessError: FRR is not installed.
    """
    return (find() / Daemon.MGMTD.value).exists()


def prepare(folder: Path) -> None:
    """Make the folder for sockets and pid files of one router, owned by FRR's user.

    Raises:
        ProcessError: there is no such user, or the folder cannot be made.
    """
    try:
        user = pwd.getpwnam(USER).pw_uid
        group = grp.getgrnam(USER).gr_gid
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        os.chown(folder, user, group)
    except KeyError:
        raise ProcessError(f"there is no user '{USER}'", remedy="apt-get install frr creates it") from None
    except OSError as error:
        raise ProcessError(f"{folder} cannot be made: {error.strerror}") from error


PLACES = {"/etc/frr": "0755", "/run/frr": "0775", "/var/lib/frr": "0775"}
"""Folders that FRR uses regardless of its options, with their modes."""


def isolate() -> None:
    """Give this process and its children empty folders in place of FRR's fixed ones, in their own mounts.

    Otherwise routers on one machine would share them (mgmtd's sockets), and read the host's own configuration.

    Raises:
        ProcessError: the mounts cannot be made.
    """
    try:
        user, group = pwd.getpwnam(USER).pw_uid, grp.getgrnam(USER).gr_gid
        linux.unshare(linux.CLONE_NEWNS)
        linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
        for place, mode in PLACES.items():
            if place.startswith("/run/"):
                Path(place).mkdir(exist_ok=True)
            if Path(place).is_dir():
                options = f"mode={mode},uid={user},gid={group}"
                linux.mount("keyroll", place, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)
    except KeyError:
        raise ProcessError(f"there is no user '{USER}'", remedy="apt-get install frr creates it") from None
    except OSError as error:
        raise ProcessError(
            f"cannot mount over FRR's folders: {error}", remedy="the router needs CAP_SYS_ADMIN"
        ) from error


def vty_socket(daemon: Daemon, folder: Path) -> Path:
    """Return the path of the daemon's vty socket, which exists once the daemon is ready."""
    return folder / f"{daemon.value}.vty"


def command(daemon: Daemon, folder: Path) -> list[str]:
    """Return the daemon's command line: in the foreground, no TCP vty, an empty configuration, log on stdout.

    The log level admits debug messages, but only ldpd's events are switched on (see `suite`).

    `--vty_socket` and ldpd's `--ctl_socket` are folders, `-z` is a file (measured with FRR 8.4).
    """
    # mgmtd and staticd take no configuration file: they are configured only through mgmtd.
    file = [] if has_mgmtd() and daemon in {Daemon.MGMTD, Daemon.STATICD} else ["-f", "/dev/null"]
    argv = [
        str(find() / daemon.value),
        *file,
        *("-i", str(folder / f"{daemon.value}.pid")),
        *("-z", str(zserv_socket(folder))),
        *("--vty_socket", str(folder)),
        *("-A", "127.0.0.1", "-P", "0"),
        *("-u", USER, "-g", USER),
        *("--log", "stdout", "--log-level", "debugging"),
    ]
    if daemon is Daemon.LDPD:
        argv += ["--ctl_socket", str(folder)]
    return argv


def zserv_socket(folder: Path) -> Path:
    """Return zebra's own socket. Other daemons start after it exists: without it they retry only after 10 s."""
    return folder / "zserv.api"
