"""docs/extend.md: what its diffs show of files is in those files, and files that they add are not there yet."""

from __future__ import annotations

import re
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
def test_a_diff_fits_the_file_that_it_changes(old, new, lines):
    if old == "/dev/null":
        assert not (ROOT / new).exists()
        assert (ROOT / new).parent.is_dir()
        return
    assert old == f"a/{new}"
    text = (ROOT / new).read_text(encoding="utf-8").splitlines()
    there = [line[1:] for line in lines.splitlines() if line[:1] in (" ", "-")]
    there += [line.removeprefix("@@ ") for line in lines.splitlines() if line.startswith("@@ ")]
    assert [line for line in there if line not in text] == []


def test_every_kind_of_change_is_shown():
    assert re.findall(r"^## (.*)$", PAGE, re.MULTILINE) == [
        "A step",
        "A check",
        "From a package of your own",
        "An invariant",
        "A platform",
        "A statement of the emulated router",
        "A show command",
    ]
