"""The folder of each lab under `/run/keyroll`: its lock, its state file, and the removal of dead labs.

A lab's folder is `<base>/<id>/` (0700) and holds

    lock          held (flock) by the lab's owner, its monitor and its keeper as long as any of them runs; one line of
                  text in it marks the folder as a lab's
    state.json    what the lab is and how its routers are reached (0600: it holds the lab's own SSH password)
    keeper.ctl    the keeper's control socket; <router>.ctl: the routers' (docs/control.md)

A free lock means that no process of that lab is running: the kernel releases it with the last holder, and the keeper's
death ends every process of the lab. So the removal of dead labs needs no process ids: it removes folders whose lock it
can take. It touches only folders that are provably keyroll's and this user's, because `base` may be a folder that a
person chose (KEYROLL_RUNTIME_DIR), with other files in it. `base` itself is removed with the last lab.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import shutil
import stat
import string
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keyroll
from keyroll.lab.protocol import LabError, LabUnfitError

LAB_TAG = "KEYROLL_LAB"
"""Environment variable with the lab's id, set in every process of a lab."""
LOCK = "lock"
STATE = "state.json"
KEEPER_SOCKET = "keeper.ctl"
STATE_VERSION = 1
RUNTIME_VARIABLE = "KEYROLL_RUNTIME_DIR"
_MARK = b"a lab of keyroll; held while it lives\n"
_EVIDENCE = "keyroll-lab-"
_EVIDENCE_RANDOM = 6
"""Random octets in a folder's name, so that nobody can guess it and create it first where all users may write."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_SOCKET_PATH_MAX = 107
"""Octets of a Unix socket's path (sun_path, and a zero octet)."""
_NAME_ROOM = 40
"""Octets for the longest socket name: a slash, a router's name of 32, `.ctl`."""


_ENVIRONMENT = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "LD_LIBRARY_PATH"),
        *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"),
        "DOCKER_API_VERSION",
    }
)
_ENVIRONMENT_PREFIXES = ("KEYROLL_", "LC_", "PYTHON", "COVERAGE_")
"""Variables passed on to a lab's programs: those that locate and configure programs, Python and Docker. All others
(such as tokens of a CI job) are left out, because they would be readable in every `environ` of the lab."""


def environment(lab: str) -> dict[str, str]:
    """Return the environment of a lab's programs: a part of this process's, the lab's id, and this package's path."""
    home = str(Path(keyroll.__file__).resolve().parent.parent)
    path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    known = {
        name: value
        for name, value in os.environ.items()
        if name in _ENVIRONMENT or name.startswith(_ENVIRONMENT_PREFIXES)
    }
    return {**known, "PYTHONPATH": path, LAB_TAG: lab}


@dataclass(frozen=True, slots=True)
class RouterEntry:
    """A router in a lab's state file: how it is reached."""

    name: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LabState:
    """A lab's state file. `kept`: the lab stays up after the command that deployed it."""

    id: str
    kept: bool
    owner: int
    """The owner's process id when the lab was made; only for display, no decision depends on it."""
    topology: str
    evidence: str
    created: str
    """When it was made: UTC, ISO 8601."""
    routers: tuple[RouterEntry, ...] = ()
    evidence_goes: bool = False
    """Whether the evidence folder is temporary and is removed with the lab."""


def base_directory() -> Path:
    """Return the folder of the labs' folders: `/run/keyroll` for root, else `$XDG_RUNTIME_DIR/keyroll`.

    `$KEYROLL_RUNTIME_DIR` names another folder; labs there are separate from all others.

    Raises:
        LabUnfitError: there is no usable folder, or another user could change its content.
    """
    base = _chosen_base()
    _require_own(base)
    return base


def _chosen_base() -> Path:
    apart = os.environ.get(RUNTIME_VARIABLE)
    if apart:
        return _named_base(Path(apart))
    if os.geteuid() == 0:
        return Path("/run/keyroll")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK | os.X_OK):
        return Path(runtime) / "keyroll"
    raise LabUnfitError(
        "there is no folder for run-time files",
        remedy="set XDG_RUNTIME_DIR to a folder that you own, on a tmpfs, as a login session does",
    )


def _named_base(base: Path) -> Path:
    """Check the folder that a person chose; the first lab creates it. Raises LabUnfitError."""
    if not base.is_absolute():
        raise LabUnfitError(
            f"{RUNTIME_VARIABLE} is '{base}', which is not an absolute path",
            remedy=f"{RUNTIME_VARIABLE}={base.absolute()}",
        )
    if not base.parent.is_dir():
        raise LabUnfitError(
            f"{RUNTIME_VARIABLE} is '{base}', and there is no folder {base.parent}", remedy=f"mkdir -p {base.parent}"
        )
    return base


def _require_own(base: Path) -> None:
    """Refuse a folder to which another user could write, because keyroll removes folders there.

    Raises:
        LabUnfitError: it belongs to another user, others may write to it, or it is not a folder.
    """
    try:
        _judge_base(base, base.stat())
    except FileNotFoundError:
        return  # this user's first lab creates it, and checks it again
    except OSError as error:
        raise LabUnfitError(f"the run-time folder {base} cannot be used: {error.strerror}") from error


def _judge_base(base: Path, found: os.stat_result) -> None:
    other = f"set {RUNTIME_VARIABLE} to a folder that you own (`mkdir -m 700`)"
    if not stat.S_ISDIR(found.st_mode):
        raise LabUnfitError(f"the run-time folder {base} is not a folder", remedy=other)
    if found.st_uid != os.geteuid():
        raise LabUnfitError(f"the run-time folder {base} belongs to user {found.st_uid}, not to you", remedy=other)
    if found.st_mode & _OTHERS_WRITE:
        raise LabUnfitError(f"others may write to the run-time folder {base}", remedy=f"chmod go-w {base}; or {other}")


class RunDirectory:
    """A lab's own folder, locked by this process (and by those that inherit `lock_fd`)."""

    def __init__(self, path: Path, lock_fd: int) -> None:
        self.path = path
        self.lock_fd = lock_fd

    @property
    def id(self) -> str:
        """The lab's id: the folder's name."""
        return self.path.name

    @classmethod
    def create(cls, name: str | None = None, base: Path | None = None) -> RunDirectory:
        """Create and lock a new folder, called `name` or a random name.

        Raises:
            LabError: a lab of that name exists, or the folder cannot be created.
            LabUnfitError: there is no usable place for it.
        """
        base = base or base_directory()
        path = base / (name or f"lab-{secrets.token_hex(4)}")
        if len(os.fsencode(path)) + _NAME_ROOM > _SOCKET_PATH_MAX:
            raise LabUnfitError(
                f"invalid lab name: {path} is too long for the sockets in it", remedy="choose a shorter one"
            )
        try:
            with locked_base(base, create=True):
                path.mkdir(mode=0o700)
                lock_fd = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.write(lock_fd, _MARK)
        except FileExistsError:
            raise LabError(
                f"a lab '{path.name}' exists already", remedy=f"take another name, or `keyroll lab down {path.name}`"
            ) from None
        except OSError as error:
            raise LabUnfitError(
                f"cannot make {path}: {error.strerror}", remedy="run as root, or set XDG_RUNTIME_DIR"
            ) from error
        return cls(path, lock_fd)

    def write_state(self, state: LabState) -> None:
        """Replace the state file atomically (0600)."""
        write_state(self.path, state)

    def leave(self) -> None:
        """Release the lock and leave the folder to the next command that finds the lock free. Can be called twice."""
        if self.lock_fd >= 0:
            descriptor, self.lock_fd = self.lock_fd, -1
            os.close(descriptor)

    def remove(self) -> None:
        """Remove the folder and release the lock. Can be called twice."""
        if self.lock_fd >= 0:
            remove(self.path)
            self.leave()


def write_state(path: Path, state: LabState) -> None:
    """Replace the state file in the lab's folder `path` atomically (0600)."""
    text = json.dumps({"v": STATE_VERSION, **asdict(state)}, indent=1)
    new = path / f".{STATE}.{os.getpid()}"
    with naming(path / STATE):
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        new.replace(path / STATE)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the file's name to an error of write(2), for example on a full disk.

    Raises:
        LabUnfitError: `path` cannot be written.
    """
    try:
        yield
    except OSError as error:
        remedy = f"make room on the file system of {path.parent}" if error.errno in _NO_ROOM else None
        raise LabUnfitError(f"{path} cannot be written: {error.strerror}", remedy=remedy) from error


def read_state(path: Path) -> LabState | None:
    """Read a lab's state file; None if there is none (the lab is being deployed, or the deploy failed).

    Raises:
        LabError: the file exists but is invalid.
    """
    try:
        data: dict[str, Any] = json.loads((path / STATE).read_text(encoding="utf-8"))
        version = data.pop("v")
        if version != STATE_VERSION:
            raise LabError(
                f"{path / STATE}: version {version} is not {STATE_VERSION}", remedy="use the keyroll that made it"
            )
        routers = tuple(RouterEntry(**entry) for entry in data.pop("routers"))
        return LabState(**data, routers=routers)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LabError(
            f"{path / STATE} cannot be read: {type(error).__name__}", remedy="`keyroll lab clean`"
        ) from error


def remove(path: Path) -> None:
    """Remove a lab's folder, and the folder around it when it was the last."""
    remove_one(path)
    try:
        with locked_base(path.parent, create=False):
            path.parent.rmdir()
    except OSError:
        return  # it holds other labs, or is removed already


def remove_one(path: Path) -> None:
    """Remove a lab's temporary evidence, then its folder: in this order, because the folder names the evidence."""
    try:
        state = read_state(path)
    except LabError:
        state = None  # an invalid state file does not tell what else to remove
    if state is not None and state.evidence_goes and _is_own_evidence(Path(state.evidence)):
        shutil.rmtree(state.evidence, ignore_errors=True)
    shutil.rmtree(path, ignore_errors=True)


def new_evidence() -> Path:
    """Return the path of a new temporary evidence folder, not yet created."""
    return Path(tempfile.gettempdir()) / f"{_EVIDENCE}{secrets.token_hex(_EVIDENCE_RANDOM)}"


def _is_own_evidence(path: Path) -> bool:
    """Whether `new_evidence` named this folder: keyroll does not remove a folder only because a state file names it."""
    name = path.name.removeprefix(_EVIDENCE)
    shape = path.is_absolute() and len(name) == 2 * _EVIDENCE_RANDOM and not set(name) - set(string.hexdigits)
    return shape and path.name.startswith(_EVIDENCE) and _is_own_folder(path)


def _is_own_folder(path: Path) -> bool:
    """Whether it is a folder (not a link) that this user owns and nobody else may write to."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & _OTHERS_WRITE


def _is_lab(path: Path) -> bool:
    """Whether a folder belongs to a lab, by the mark in its lock.

    A command may be killed before it has created the lock or written the mark; then the folder holds nothing else.
    """
    if not _is_own_folder(path):
        return False
    try:
        names = {entry.name for entry in path.iterdir()}
        # The file may be anything: do not follow a link, and do not block on a pipe.
        fd = os.open(path / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK) if LOCK in names else -1
    except OSError:
        return False
    if fd < 0:
        return not names
    try:
        text = os.read(fd, len(_MARK) + 1)
    except OSError:
        return False
    finally:
        os.close(fd)
    return text == _MARK or (not text and names == {LOCK})


def topology_of(path: Path) -> Path:
    """Return the path of a container lab's topology file; it has the lab's name, which also identifies its copies."""
    return path / f"{path.name}.clab.yml"


def is_alive(path: Path) -> bool:
    """Whether a process of the lab in this folder is running: whether its lock is held."""
    try:
        fd = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def labs(base: Path | None = None) -> list[Path]:
    """Return the folders of all labs of this user, dead ones too; other files there are ignored."""
    base = base or base_directory()
    try:
        return sorted(path for path in base.iterdir() if _is_lab(path))
    except FileNotFoundError:
        return []


@contextmanager
def locked_base(base: Path, *, create: bool) -> Iterator[None]:
    """Hold the lock of the base folder, so that no lab's folder is removed between its mkdir and its flock."""
    while True:
        if create:
            base.mkdir(mode=0o700, exist_ok=True)
        try:
            fd = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            if create:
                continue  # the last lab removed it between the two calls
            raise
        try:
            _judge_base(base, os.fstat(fd))
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink > 0:
                yield
                return
        finally:
            os.close(fd)
        if not create:
            raise FileNotFoundError(str(base))
