"""The wheel: two import packages and one version, from a clone, a shallow clone or a source archive."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TREE = Path(__file__).parents[3]
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.net", "-c", "init.defaultBranch=main")

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """Return the files of this tree that git tracks or would add; skip if the tree is not a git clone."""
    listed = subprocess.run(
        [*GIT, "-C", str(TREE), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    found = [Path(name.decode()) for name in listed.stdout.split(b"\0") if name]
    if not found:
        pytest.skip("this tree is not a git clone, so its files are not known")
    return [path for path in found if (TREE / path).is_file()]


@pytest.fixture
def clone(tmp_path: Path, files: list[Path]) -> Path:
    """Return a new repository of the files of this tree, with one commit and no tag."""
    folder = tmp_path / "clone"
    for path in files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TREE / path, target)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def git(folder: Path, *words: str) -> str:
    return subprocess.run([*GIT, "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "one")


def build(folder: Path, out: Path) -> Path:
    """Build the wheel of a tree, offline; return it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = out.glob("*.whl")
    return wheel


def version_in(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (module,) = [name for name in archive.namelist() if name == "keyroll/_version.py"]
        inside = archive.read(module).decode().partition('__version__ = "')[2].partition('"')[0]
    named = wheel.name.split("-")[1]
    assert inside == named
    return named


def test_without_a_tag_the_version_names_the_commit_and_two_packages_are_at_the_top(
    clone: Path, tmp_path: Path
) -> None:
    wheel = build(clone, tmp_path / "dist")
    assert version_in(wheel).endswith(git(clone, "rev-parse", "--short=9", "HEAD"))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"keyroll", "pytest_keyroll"}
    for name in ("library/rollover/two-keys.yaml", "topologies/two-router.clab.yml", "py.typed", "cli/main.py"):
        assert f"keyroll/{name}" in names


@pytest.mark.slow
def test_a_tag_is_the_version(clone: Path, tmp_path: Path) -> None:
    git(clone, "tag", "v3.1.4")
    assert version_in(build(clone, tmp_path / "dist")) == "3.1.4"


@pytest.mark.slow
def test_a_shallow_clone_without_the_tag_builds(clone: Path, tmp_path: Path) -> None:
    git(clone, "tag", "v3.1.4")
    commit(clone)
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", clone.as_uri(), str(shallow))
    assert git(shallow, "tag") == ""
    assert version_in(build(shallow, tmp_path / "dist")).endswith(git(clone, "rev-parse", "--short=9", "HEAD"))


@pytest.mark.slow
def test_a_source_archive_has_the_version_of_its_tag_or_0_0_without_one(clone: Path, tmp_path: Path) -> None:
    for tagged in (False, True):
        if tagged:
            git(clone, "tag", "v3.1.4")
        folder = tmp_path / f"archive-{tagged}"
        git(clone, "archive", "--format=zip", "--output", str(folder) + ".zip", "HEAD")
        with zipfile.ZipFile(str(folder) + ".zip") as archive:
            archive.extractall(folder)
        assert version_in(build(folder, folder / "dist")) == ("3.1.4" if tagged else "0.0")


@pytest.mark.slow
def test_a_source_distribution_builds_the_same_wheel_as_the_tree(clone: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=clone, capture_output=True, check=True)
    (packed,) = tmp_path.glob("*.tar.gz")
    shutil.unpack_archive(packed, tmp_path, filter="data")
    folder = tmp_path / packed.name.removesuffix(".tar.gz")
    ours, theirs = build(clone, tmp_path / "ours"), build(folder, tmp_path / "theirs")
    assert ours.name == theirs.name
    names = [zipfile.ZipFile(wheel).namelist() for wheel in (ours, theirs)]
    assert sorted(names[0]) == sorted(names[1])


@pytest.mark.slow
def test_the_wheel_works_in_a_clean_environment(tmp_path: Path) -> None:
    asked = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(tmp_path), "fixtures"]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("no package index can be reached")
    done = subprocess.run([TREE / ".ci" / "wheel"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
