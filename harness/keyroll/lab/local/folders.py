"""The folder of each lab under `/run/keyroll`: its lock, its state file, and how orphans are reaped.

A lab's folder is `<base>/<id>/` (0700) and holds

    lock          held (flock) by the lab's owner, its monitor and its keeper for as long as any of them lives
    state.json    what the lab is and how its routers are reached (0600: it holds the lab's own SSH password)
    keeper.ctl    the keeper's control socket; <router>.ctl: the routers' (docs/control.md)

A lock that is free means that nothing of that lab lives any more: the kernel lets go of it with the last holder, and
the keeper's death ends every process of the lab. So reaping needs no process ids: it removes folders whose lock it
can take. `base` itself goes with the last lab.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keyroll
from keyroll.lab.protocol import LabError, LabUnfitError

LAB_TAG = "KEYROLL_LAB"
"""The variable that every process of a lab has in its environment: the lab's id."""
LOCK = "lock"
STATE = "state.json"
KEEPER_SOCKET = "keeper.ctl"
STATE_VERSION = 1
_SOCKET_PATH_MAX = 107
"""Octets of a Unix socket's path (sun_path, and a zero octet)."""
_NAME_ROOM = 40
"""Octets for the longest socket name: a slash, a router's name of 32, `.ctl`."""


def environment(lab: str) -> dict[str, str]:
    """Return the environment of a lab's programs: this process's, the lab's tag, and where they find this package."""
    home = str(Path(keyroll.__file__).resolve().parent.parent)
    path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, LAB_TAG: lab}


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
    """A lab's state file. `kept` says that the lab is meant to outlive the command that made it."""

    id: str
    kept: bool
    owner: int
    """The owner's process id when the lab was made; for people only, nothing is decided by it."""
    topology: str
    evidence: str
    created: str
    """When it was made: UTC, ISO 8601."""
    routers: tuple[RouterEntry, ...] = ()
    evidence_goes: bool = False
    """Whether the folder for evidence is the lab's own, and is removed with it."""


def base_directory() -> Path:
    """Return where the labs' folders lie: `/run/keyroll` for root, else `$XDG_RUNTIME_DIR/keyroll`.

    `$KEYROLL_RUNTIME_DIR` names another folder: labs there know nothing of the others, nor are they reaped with them.

    Raises:
        LabUnfitError: neither is there to be written to.
    """
    apart = os.environ.get("KEYROLL_RUNTIME_DIR")
    if apart:
        return Path(apart)
    if os.geteuid() == 0:
        return Path("/run/keyroll")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK | os.X_OK):
        return Path(runtime) / "keyroll"
    raise LabUnfitError(
        "there is no folder for run-time files",
        remedy="set XDG_RUNTIME_DIR to a folder of your own on a tmpfs, as a login session does",
    )


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
        """Make and lock a new folder, called `name` or by chance.

        Raises:
            LabError: a lab of that name is there already, or the folder cannot be made.
            LabUnfitError: there is nowhere to make it.
        """
        base = base or base_directory()
        path = base / (name or f"lab-{secrets.token_hex(4)}")
        if len(os.fsencode(path)) + _NAME_ROOM > _SOCKET_PATH_MAX:
            raise LabUnfitError(f"{path} is too long a name for the sockets in it", remedy="choose a shorter one")
        try:
            with _locked_base(base, create=True):
                path.mkdir(mode=0o700)
                lock_fd = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileExistsError:
            raise LabError(
                f"a lab '{path.name}' is there already", remedy=f"take another name, or `keyroll lab down {path.name}`"
            ) from None
        except OSError as error:
            raise LabUnfitError(
                f"cannot make {path}: {error.strerror}", remedy="run as root, or set XDG_RUNTIME_DIR"
            ) from error
        return cls(path, lock_fd)

    def write_state(self, state: LabState) -> None:
        """Write the state file whole (0600), replacing the former one."""
        write_state(self.path, state)

    def remove(self) -> None:
        """Remove the folder and let go of the lock. Can be called twice."""
        if self.lock_fd >= 0:
            remove(self.path)
            os.close(self.lock_fd)
            self.lock_fd = -1


def write_state(path: Path, state: LabState) -> None:
    """Write the state file of the lab's folder `path` whole (0600), replacing the former one."""
    text = json.dumps({"v": STATE_VERSION, **asdict(state)}, indent=1)
    new = path / f".{STATE}.{os.getpid()}"
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path / STATE)


def read_state(path: Path) -> LabState | None:
    """Read a lab's state file; None when it has none (it is still coming up, or came to nothing).

    Raises:
        LabError: the file is there and cannot be understood.
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
    _remove_one(path)
    try:
        with _locked_base(path.parent, create=False):
            path.parent.rmdir()
    except OSError:
        return  # other labs are still there, or it went already


def _remove_one(path: Path) -> None:
    """Remove a lab's folder, and before it, as it alone knows of that, the evidence that goes with the lab."""
    try:
        state = read_state(path)
    except LabError:
        state = None  # a file that nobody understands says nothing of what to remove
    if state is not None and state.evidence_goes:
        shutil.rmtree(state.evidence, ignore_errors=True)
    shutil.rmtree(path, ignore_errors=True)


def is_alive(path: Path) -> bool:
    """Whether anything of the lab in this folder lives: whether its lock is held."""
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
    """Return the folders of all labs of this user, dead ones too."""
    base = base or base_directory()
    try:
        return sorted(path for path in base.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []


def reap(base: Path | None = None) -> list[str]:
    """Remove the folders of labs of which nothing lives; return their ids."""
    base = base or base_directory()
    if not base.exists():
        return []
    reaped = []
    try:
        with _locked_base(base, create=False):
            for path in labs(base):
                if not is_alive(path):
                    _remove_one(path)
                    reaped.append(path.name)
            if not labs(base):
                base.rmdir()
    except FileNotFoundError:
        return reaped  # the last lab took the folder with it
    return reaped


@contextmanager
def _locked_base(base: Path, *, create: bool) -> Iterator[None]:
    """Hold the lock of the folder of all labs, so that none is reaped between its mkdir and its flock."""
    while True:
        if create:
            base.mkdir(mode=0o700, exist_ok=True)
        try:
            fd = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            if create:
                continue  # the last lab's end took it away between the two calls
            raise
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink > 0:
                yield
                return
        finally:
            os.close(fd)
        if not create:
            raise FileNotFoundError(str(base))
