"""A file's name says what is inside, in the field's own words: a stranger finds things from `git ls-files` alone."""

import re
import shutil
import subprocess
from pathlib import Path, PurePath

import pytest

TREE = Path(__file__).parents[3]
# Images that stood for something else here once, and what the files are called now.
METAPHORS = {
    "bearings": "addressing",
    "chance": "unsteered, seed",
    "crowd": "many",
    "express": "fast_path",
    "fleet": "pool",
    "genuine": "recent_frames",
    "handover": "key_changes",
    "inuse": "keys_in_use",
    "knocks": "syn_listener",
    "lanes": "book",
    "lives": "monitor",
    "nursery": "fork_server",
    "opening": "bgp_opener",
    "people": "users",
    "sightings": "tcp_events",
    "stage": "context",
    "tally": "counts",
    "traps": "faults",
}
# Words that say nothing: a reader has to open the file to know.
EMPTY = {"common", "helpers", "misc", "stuff", "util", "utils", "various"}
# Longer than this, a name is a sentence that `ls` cannot show in columns.
LONGEST = 48


@pytest.fixture(scope="module")
def files() -> list[PurePath]:
    if shutil.which("git") is None:
        pytest.skip("no git on this machine")
    listed = subprocess.run(["git", "-C", str(TREE), "ls-files", "-z"], capture_output=True, text=True, check=False)
    found = [PurePath(name) for name in listed.stdout.split("\0") if name]
    if not found:
        pytest.skip("this tree is no clone")
    return found


def words_of(path: PurePath) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", path.as_posix().lower()))


def test_no_file_is_named_by_a_metaphor(files: list[PurePath]) -> None:
    found = {str(path): METAPHORS[word] for path in files for word in words_of(path) & set(METAPHORS)}
    assert found == {}


def test_no_file_is_named_by_a_word_that_says_nothing(files: list[PurePath]) -> None:
    assert [str(path) for path in files if words_of(path) & EMPTY] == []


def test_names_are_short_enough_to_be_listed(files: list[PurePath]) -> None:
    assert [str(path) for path in files if len(path.name) > LONGEST] == []


def test_a_module_and_a_package_of_one_folder_differ_in_more_than_a_plural(files: list[PurePath]) -> None:
    """`step.py` beside `steps.py` may be meant; `step.py` beside `step/` hides one behind the other at import."""
    modules = {path.with_suffix("") for path in files if path.suffix == ".py"}
    packages = {path.parent for path in files if path.name == "__init__.py"}
    assert modules & packages == set()
