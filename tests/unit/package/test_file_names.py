"""The name of a file says what it contains in technical terms, so that things can be found with `git ls-files`."""

import re
import shutil
import subprocess
from pathlib import Path, PurePath

import pytest

TREE = Path(__file__).parents[3]
# Metaphors that file names used to contain, and the words that replaced them.
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
# Words that do not say what a file contains.
EMPTY = {"common", "helpers", "misc", "stuff", "util", "utils", "various"}
# Names longer than this leave `ls` no room for columns.
LONGEST = 48


@pytest.fixture(scope="module")
def files() -> list[PurePath]:
    if shutil.which("git") is None:
        pytest.skip("no git on this machine")
    listed = subprocess.run(["git", "-C", str(TREE), "ls-files", "-z"], capture_output=True, text=True, check=False)
    found = [PurePath(name) for name in listed.stdout.split("\0") if name]
    if not found:
        pytest.skip("this tree is not a git clone")
    return found


def words_of(path: PurePath) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", path.as_posix().lower()))


def test_no_file_is_named_by_a_metaphor(files: list[PurePath]) -> None:
    found = {str(path): METAPHORS[word] for path in files for word in words_of(path) & set(METAPHORS)}
    assert found == {}


def test_no_file_is_named_by_a_word_without_meaning(files: list[PurePath]) -> None:
    assert [str(path) for path in files if words_of(path) & EMPTY] == []


def test_names_are_short_enough_to_be_listed(files: list[PurePath]) -> None:
    assert [str(path) for path in files if len(path.name) > LONGEST] == []


def test_no_module_has_the_name_of_a_package_beside_it(files: list[PurePath]) -> None:
    """`step.py` beside `steps.py` is allowed. `step.py` beside `step/` is not: an import finds only the package."""
    modules = {path.with_suffix("") for path in files if path.suffix == ".py"}
    packages = {path.parent for path in files if path.name == "__init__.py"}
    assert modules & packages == set()
