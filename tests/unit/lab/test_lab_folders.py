from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyroll.lab.local import dead_labs, folders
from keyroll.lab.protocol import LabError, LabUnfitError


@pytest.fixture
def base() -> Iterator[Path]:
    # The path of a socket has at most 107 octets; those of pytest's folders are too long.
    with tempfile.TemporaryDirectory(prefix="kr") as folder:
        yield Path(folder) / "keyroll"


def test_a_lab_has_a_locked_folder_of_its_own_that_only_its_user_can_enter(base: Path) -> None:
    run = folders.RunDirectory.create("one", base)
    assert run.path.stat().st_mode & 0o777 == 0o700
    assert folders.is_alive(run.path)
    run.remove()
    assert not base.exists()


def test_two_labs_cannot_have_the_same_name(base: Path) -> None:
    run = folders.RunDirectory.create("one", base)
    with pytest.raises(LabError, match="'one' exists already"):
        folders.RunDirectory.create("one", base)
    run.remove()


def test_random_names_differ(base: Path) -> None:
    runs = [folders.RunDirectory.create(None, base) for _ in range(3)]
    assert len({run.id for run in runs}) == 3
    for run in runs:
        run.remove()


def test_a_name_too_long_for_sockets_is_refused(base: Path) -> None:
    with pytest.raises(LabUnfitError, match="too long"):
        folders.RunDirectory.create("x" * 100, base)


def test_labs_with_a_running_owner_are_kept_and_others_removed(base: Path) -> None:
    running = folders.RunDirectory.create("running", base)
    code = "import sys, os; from pathlib import Path; from keyroll.lab.local import folders\n"
    code += "folders.RunDirectory.create('dead', Path(sys.argv[1])); os._exit(9)"
    subprocess.run([sys.executable, "-c", code, str(base)], check=False)
    assert {path.name for path in folders.labs(base)} == {"dead", "running"}
    assert dead_labs.reap(base) == ["dead"]
    assert folders.labs(base) == [running.path]
    running.remove()


def test_an_inherited_lock_keeps_a_lab_alive_after_its_owner(base: Path) -> None:
    run = folders.RunDirectory.create("one", base)
    ours, theirs = os.pipe()
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=ours, pass_fds=(run.lock_fd,)
    )
    os.close(ours)
    os.close(run.lock_fd)
    assert dead_labs.reap(base) == []
    os.close(theirs)
    holder.wait()
    assert dead_labs.reap(base) == ["one"]
    assert not base.exists()


def test_state_is_read_back_as_written_and_its_password_is_not_shown(base: Path) -> None:
    run = folders.RunDirectory.create("one", base)
    entry = folders.RouterEntry("R1", "127.0.0.1", 2222, "admin", "hush-hush")
    state = folders.LabState(
        "one", kept=True, owner=1, topology="t.yml", evidence="/e", created="now", routers=(entry,)
    )
    run.write_state(state)
    assert folders.read_state(run.path) == state
    assert (run.path / folders.STATE).stat().st_mode & 0o777 == 0o600
    assert "hush" not in repr(state)
    run.remove()


def test_a_lab_without_a_state_file_has_none_and_a_broken_one_is_an_error(base: Path) -> None:
    run = folders.RunDirectory.create("one", base)
    assert folders.read_state(run.path) is None
    for text in ("{", "[]", '{"v": 99}', '{"v": 1}'):
        (run.path / folders.STATE).write_text(text, encoding="utf-8")
        with pytest.raises(LabError):
            folders.read_state(run.path)
    run.remove()


def test_without_a_folder_for_run_time_files_the_error_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(LabUnfitError, match="XDG_RUNTIME_DIR"):
        folders.base_directory()


@pytest.mark.parametrize("removable", [True, False])
@pytest.mark.parametrize("how", ["removed", "reaped"])
def test_a_labs_own_evidence_is_removed_with_it_and_other_evidence_is_kept(
    base: Path, tmp_path: Path, removable: bool, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = folders.RunDirectory.create("one", base)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    evidence = folders.new_evidence()
    evidence.mkdir(mode=0o700)
    (evidence / "R1.pcap").touch()
    run.write_state(
        folders.LabState(
            "one", kept=False, owner=1, topology="t", evidence=str(evidence), created="", evidence_goes=removable
        )
    )
    if how == "removed":
        run.remove()
    else:
        os.close(run.lock_fd)
        assert dead_labs.reap(base) == ["one"]
    assert evidence.exists() is not removable


def test_with_an_unknown_state_file_only_the_labs_folder_is_removed(base: Path, tmp_path: Path) -> None:
    run = folders.RunDirectory.create("one", base)
    (run.path / folders.STATE).write_text(f'{{"v": 99, "evidence": "{tmp_path}", "evidence_goes": true}}')
    run.remove()
    assert tmp_path.exists()
    assert not base.exists()


@pytest.mark.parametrize("name", ["evidence", "keyroll-lab-", "keyroll-lab-0123456789zz", "keyroll-lab-0123456789ab"])
def test_evidence_is_removed_only_if_it_is_a_folder_that_keyroll_made(base: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "home"
    target.mkdir()
    (target / "letters").touch()
    evidence = tmp_path / name
    evidence.symlink_to(target)  # another name than keyroll uses, or a symbolic link
    run = folders.RunDirectory.create("one", base)
    run.write_state(
        folders.LabState(
            "one", kept=False, owner=1, topology="t", evidence=str(evidence), created="", evidence_goes=True
        )
    )
    os.close(run.lock_fd)
    assert dead_labs.reap(base) == ["one"]
    assert (target / "letters").exists()


def test_a_folder_that_is_not_a_lab_is_neither_listed_nor_removed(base: Path) -> None:
    base.mkdir(mode=0o700)
    (base / "letters").mkdir()
    (base / "letters" / "dear").touch()
    (base / "packages").mkdir()
    (base / "packages" / "lock").write_text("12345")
    (base / "linked").symlink_to(base / "packages")
    (base / "shared").mkdir()
    (base / "shared").chmod(0o777)
    run = folders.RunDirectory.create("one", base)
    os.close(run.lock_fd)
    before = sorted(path.name for path in base.iterdir())
    assert folders.labs(base) == [run.path]
    assert dead_labs.reap(base) == ["one"]
    assert sorted(path.name for path in base.iterdir()) == [name for name in before if name != "one"]


@pytest.mark.parametrize("made", ["folder", "lock"])
def test_leftovers_of_a_deploy_that_was_killed_are_removed(base: Path, made: str) -> None:
    (base / "half").mkdir(parents=True, mode=0o700)
    if made == "lock":
        (base / "half" / folders.LOCK).touch()
    assert dead_labs.reap(base) == ["half"]
    assert not base.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("labs", "not an absolute path"),
        ("/nowhere/labs", "there is no folder /nowhere"),
        ("/etc/passwd", "is not a folder"),
    ],
)
def test_a_named_folder_that_cannot_be_used_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setenv("KEYROLL_RUNTIME_DIR", value)
    with pytest.raises(LabUnfitError, match=message):
        folders.base_directory()


def test_a_folder_that_others_own_or_may_write_to_is_refused(monkeypatch: pytest.MonkeyPatch, base: Path) -> None:
    base.mkdir(mode=0o700)
    monkeypatch.setenv("KEYROLL_RUNTIME_DIR", str(base))
    assert folders.base_directory() == base
    for mode in (0o770, 0o702):
        base.chmod(mode)
        with pytest.raises(LabUnfitError, match="others may write"):
            folders.base_directory()
        with pytest.raises(LabUnfitError, match="others may write"):  # changed by somebody after the check
            folders.RunDirectory.create("one", base)
    base.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(LabUnfitError, match="belongs to user"):
        folders.base_directory()


def test_a_labs_programs_do_not_get_the_callers_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI_JOB_TOKEN", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "DOCKER_AUTH_CONFIG", "TWINE_PASSWORD"):
        monkeypatch.setenv(name, "hush-hush")
    monkeypatch.setenv("DOCKER_HOST", "tcp://docker:2375")
    found = folders.environment("lab-1")
    assert "hush-hush" not in found.values()
    assert found["DOCKER_HOST"] == "tcp://docker:2375"
    assert (found["PATH"], found[folders.LAB_TAG]) == (os.environ["PATH"], "lab-1")
