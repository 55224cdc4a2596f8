"""Writes the files of a plan: either all of them or none, also if Ctrl-C interrupts it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from keyroll.errors import InputError
from keyroll.plan.as_json import read_paths


def written_before(folder: Path) -> frozenset[str]:
    """Return the set files that an earlier plan in the folder wrote, read from its plan.json; empty if it has none."""
    try:
        return read_paths((folder / "plan.json").read_text("utf-8"))
    except (OSError, ValueError):
        return frozenset()


def write_together(folder: Path, texts: Mapping[str, str], *, force: bool) -> None:
    """Write files of mode 0600 below `folder`, by their paths there. Without `force` no existing file is replaced.

    They are written beside the folder first, so that an interrupted command leaves no part of them. With `force` the
    set files of the former plan are deleted, and no other file: somebody could apply one of its dates.

    Raises:
        InputError: a file already exists, or the folder cannot be written.
    """
    if not force:
        for path in texts:
            if os.path.lexists(folder / path):
                raise InputError(
                    f"{folder / path} already exists", remedy="--force replaces the plan, --output writes elsewhere"
                )
    stale = written_before(folder) - set(texts) if force else frozenset()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))  # 0700: it holds secrets
        try:
            _write(staged, texts)
            _put(staged, folder, texts)
            _remove(folder, stale)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}", remedy="--output writes elsewhere") from None


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    for path, text in texts.items():
        (folder / path).parent.mkdir(exist_ok=True)
        with os.fdopen(
            os.open(folder / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)


def _put(staged: Path, folder: Path, texts: Mapping[str, str]) -> None:
    """Move the written files into place: all at once if the folder does not exist yet, else file by file."""
    if not os.path.lexists(folder):
        staged.replace(folder)
        return
    for path in texts:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (staged / path).replace(folder / path)


def _remove(folder: Path, paths: Iterable[str]) -> None:
    """Remove files, and the date folders that are empty afterwards."""
    for path in paths:
        (folder / path).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something else is in it, or it is gone
            (folder / path).parent.rmdir()
