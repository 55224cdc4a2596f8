"""Files of a run: readable by their owner only, written completely or not at all, with errors that name the file.

`run.json` has the seed that the lab's keys are drawn from, so a run's folder and files are the owner's (0700, 0600)
whatever the caller's umask is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from keyroll.errors import RunError

# Only the owner: seed and t0, from which the secrets can be drawn again, are in a run folder.
FOLDER_MODE, FILE_MODE = 0o700, 0o600


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into a RunError that names the file."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}", remedy="make room there, or name another --run-dir"
        ) from error


def open_private(path: Path, mode: str = "w") -> IO[str]:
    """Open a text file for writing ("w") or appending ("a") that only its owner can read. Raises OSError."""
    # A path may have octets that are not UTF-8: they are written as escapes, so that no evidence is lost.
    return open(path, mode, encoding="utf-8", errors="backslashreplace", opener=_private)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, FILE_MODE)


def write_private(path: Path, text: str) -> None:
    """Write a file. Raises RunError."""
    with writing(path), open_private(path) as stream:
        stream.write(text)


def replace_whole(path: Path, text: str) -> None:
    """Write a second file and rename it to `path`, which so is complete at any time, old or new. Raises RunError."""
    beside = path.with_name(f".{path.name}.new")
    try:
        with writing(path):
            with open_private(beside) as stream:
                stream.write(text)
            beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def make_private(folder: Path) -> None:
    """Remove all access of group and others to a folder and its content, as far as this process may.

    Captures and logs need it: processes of the lab write them, with other modes.
    """
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            with contextlib.suppress(OSError):
                path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)
