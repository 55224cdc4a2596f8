"""Saves the commits of a router in a file, and reads them back after a reboot."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from keyroll.emulator.junos.commit.candidate import Candidate
from keyroll.emulator.junos.commit.datastore import Commit
from keyroll.emulator.junos.commit.load import load_curly
from keyroll.emulator.junos.configuration.faults import JunosFault, SyntaxFault
from keyroll.emulator.junos.configuration.render import curly
from keyroll.emulator.junos.configuration.schema import Statement
from keyroll.emulator.junos.configuration.values import EntryContext

VERSION = 2
"""Version of the file's format; `load` refuses any other one."""


def save(path: Path, commits: Sequence[Commit]) -> None:
    """Write the commits, the running configuration first. The file is replaced atomically; only its owner can read it.

    Raises OSError.
    """
    data = {
        "version": VERSION,
        "commits": [
            {
                "when": commit.when.isoformat(),
                "user": commit.user,
                "via": commit.via,
                "comment": commit.comment,
                "text": "\n".join(curly(commit.tree)),
            }
            for commit in commits
        ],
    }
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(data, file)
    fresh.replace(path)


def load(path: Path, root: Statement) -> list[Commit]:
    """Return the commits that `save` wrote, the latest first. Raises JunosFault when the file cannot be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != VERSION:
            raise JunosFault(f"saved configuration has version {data['version']}, not {VERSION}")
        return [_commit(entry, root) for entry in data["commits"]]
    except (OSError, ValueError, KeyError, TypeError, SyntaxFault) as error:
        raise JunosFault(f"saved configuration cannot be read: {type(error).__name__}") from error


def _commit(entry: dict[str, Any], root: Statement) -> Commit:
    when = datetime.fromisoformat(entry["when"])
    read = Candidate(root)
    report = load_curly(read, entry["text"], (), EntryContext(lambda: when), override=False)
    if report.mistakes:
        # Only the line number: the text may contain a secret.
        raise JunosFault(f"saved configuration cannot be read: line {report.mistakes[0].line}")
    return Commit(read.candidate, when, entry["user"], entry["via"], entry["comment"])
