"""docs/extend.md: its diffs fit the files that they change, and what they add works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
CHANGES = [
    (old, new, lines)
    for block in re.findall(r"^```diff\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for old, new, lines in re.findall(r"^--- (\S+)\n\+\+\+ b/(\S+)\n((?:(?!^--- ).*\n)*)", block, re.MULTILINE)
]


@pytest.mark.parametrize(
    ("old", "new", "lines"), CHANGES, ids=[f"{new} {place}" for place, (_, new, _) in enumerate(CHANGES)]
)
def test_a_diff_fits_the_file_that_it_changes(old: str, new: str, lines: str) -> None:
    if old == "/dev/null":
        assert not (ROOT / new).exists()
        assert (ROOT / new).parent.is_dir()
        return
    assert old == f"a/{new}"
    text = (ROOT / new).read_text(encoding="utf-8").splitlines()
    there = [line[1:] for line in lines.splitlines() if line[:1] in (" ", "-")]
    there += [line.removeprefix("@@ ") for line in lines.splitlines() if line.startswith("@@ ")]
    assert [line for line in there if line not in text] == []


def test_every_kind_of_change_is_shown() -> None:
    assert re.findall(r"^## (.*)$", PAGE, re.MULTILINE) == [
        "A step",
        "A check",
        "From a package of your own",
        "An invariant",
        "A platform",
        "A statement of the emulated router",
        "A show command",
        "A rule of `keyroll check`",
        "A capture format",
    ]


def applied(text: str, lines: list[str]) -> str:
    """Return a file after one diff of the page: context is searched in order; lines without context are appended."""
    result, position = text.splitlines(), 0
    shown = [line for line in lines if line]
    for number, line in enumerate(shown):
        if line.startswith("@@ "):
            position = result.index(line.removeprefix("@@ "), position) + 1
        elif line[0] == "+":
            follows = next((one[1:] for one in shown[number:] if one[0] in " -"), None)
            begins = not any(one[0] in " -@" for one in shown[:number])
            if begins:
                position = len(result) if follows is None else result.index(follows, position)
            result.insert(position, line[1:])
            shown[number] = " " + line[1:]  # the next line is inserted below it
            position += 1
        else:
            position = result.index(line[1:], position)
            if line[0] == "-":
                del result[position]
            else:
                position += 1
    return "\n".join(result) + "\n"


LOOK = """
import struct
from datetime import UTC, datetime
from dataclasses import fields
from pathlib import Path
from keyroll.capture.formats.reader import read_packets
from keyroll.emulator.contract.model import BgpNeighbor
from keyroll.emulator.junos.configuration.emulated import page
from keyroll.emulator.junos.configuration.statements import ROOT, without_effect
from keyroll.emulator.frr.render import render  # of the changed neighbour
from keyroll.emulator.junos.effect.intent import build
from keyroll.emulator.junos.shell.commands.showing import users
from keyroll.junos.output import parse
from keyroll.junos.records import Commits
from keyroll.keychain.generate import generate
from keyroll.keychain.lint import Subject, lint
from keyroll.keychain.rules import RULES
from keyroll.lab.platforms import PLATFORMS
from keyroll.names import Invariant
from keyroll.scenario.judge.invariants import INVARIANTS
kept = without_effect()
assert "protocols bgp graceful-shutdown" in kept
assert "protocols bgp enforce-first-as" not in kept
assert "enforce-first-as" in page()
assert "enforce_first_as" in {field.name for field in fields(BgpNeighbor)}
assert "vqfx" in PLATFORMS
assert Invariant.ONE_CONNECTION in INVARIANTS
shown = open(SAMPLE).read()
assert parse("show system commit", shown, router="R1") == Commits(("admin", "admin"))
short = generate(1, name="c", count=1, first=datetime(2030, 1, 1, tzinfo=UTC), secret_length=11)
assert "short-secret" in {rule.id for rule in RULES}
assert "short-secret" in {finding.rule.id for finding in lint(Subject.bare(short, "R1"))}
frame = bytes(60)
record = struct.pack(">IIIIII", 64, 60, 84, 0, 1, 2) + frame
snoop = Path(SAMPLE).with_name("capture.snoop")
snoop.write_bytes(struct.pack(">8sII", b"snoop", 2, 4) + record * 2)
one, other = read_packets(snoop, piece=17)
assert (one.data, one.length, one.link, one.time_ns, other.number) == (frame, 64, 1, 1_000_002_000, 2)
"""


@pytest.mark.slow
def test_a_tree_with_all_changes_has_what_they_add(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "harness", tmp_path / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    for old, new, lines in CHANGES:
        path = tmp_path / new
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "" if old == "/dev/null" else path.read_text(encoding="utf-8")
        path.write_text(applied(text, lines.splitlines()), encoding="utf-8")
    sample = tmp_path / "tests" / "unit" / "junos" / "golden" / "assumed" / "system_commit.raw"
    done = subprocess.run(
        [sys.executable, "-c", f"SAMPLE = {str(sample)!r}\n{LOOK}"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "harness")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
