"""The configurations of a router in a file, so that they survive its reboot."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from keyroll.emulator.junos.commit.datastore import Commit
from keyroll.emulator.junos.configuration.faults import JunosFault, SyntaxFault
from keyroll.emulator.junos.configuration.paths import Purpose, parse
from keyroll.emulator.junos.configuration.render import set_lines
from keyroll.emulator.junos.configuration.schema import Statement
from keyroll.emulator.junos.configuration.tokens import split
from keyroll.emulator.junos.configuration.tree import Node
from keyroll.emulator.junos.configuration.values import EntryContext

VERSION = 1
"""Of the file's format: another one is refused."""


def save(path: Path, commits: Sequence[Commit]) -> None:
    """Write the configurations, the running one first; whole or not at all, readable by the owner only."""
    data = {
        "version": VERSION,
        "commits": [
            {
                "when": commit.when.isoformat(),
                "user": commit.user,
                "via": commit.via,
                "comment": commit.comment,
                "set": set_lines(commit.tree),
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
    """Read what `save` wrote. Raises JunosFault when it cannot be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != VERSION:
            raise JunosFault(f"saved configuration has version {data['version']}, not {VERSION}")
        return [_commit(entry, root) for entry in data["commits"]]
    except (OSError, ValueError, KeyError, TypeError, SyntaxFault) as error:
        raise JunosFault(f"saved configuration cannot be read: {type(error).__name__}") from error


def _commit(entry: dict[str, Any], root: Statement) -> Commit:
    tree = Node(root)
    when = datetime.fromisoformat(entry["when"])
    context = EntryContext(lambda: when)
    for line in entry["set"]:
        verb, *words = split(line)
        purpose = Purpose.SET if verb.text == "set" else Purpose.NAME
        for found in parse(root, (), words, purpose, context, end=len(line)):
            if purpose is Purpose.SET:
                tree.ensure(found)
            elif (node := tree.at(found)) is not None:
                node.inactive = True
    return Commit(tree, when, entry["user"], entry["via"], entry["comment"])
