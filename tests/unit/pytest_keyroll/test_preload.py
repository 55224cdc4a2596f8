"""Every worker is a process of its own and each of these tests starts several, so that most are slow."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

MODULE = """
import os
import sys
import pytest
with open({imported!r}, "a") as stream:
    stream.write("imported\\n")
{more}
@pytest.mark.parametrize("number", range(6))
def test_one(number):
    {test}
"""


@pytest.fixture
def play(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[dict[str, int], str, int]]:
    """Return a function that plays a module with two workers; it returns the outcomes, the output, and the imports."""

    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # each process would import them all

    def play(more: str = "", test: str = "pass") -> tuple[dict[str, int], str, int]:
        imported = tmp_path / "imported"
        pytester.makepyfile(test_it=MODULE.format(imported=str(imported), more=more, test=test))
        words = (
            "-c",
            "/dev/null",
            "--rootdir",
            pytester.path,
            "-p",
            "pytest_keyroll.preload",
            "-p",
            "xdist",
            "-n",
            "2",
        )
        done = pytester.runpytest_inprocess(*words)
        return done.parseoutcomes(), done.stdout.str(), len(imported.read_text().splitlines())

    return play


def children() -> str:
    return " ".join(file.read_text() for file in Path("/proc/self/task").glob("*/children"))


def test_two_workers_import_the_tests_once_have_what_others_have_and_nothing_stays_behind(
    play: Callable[..., tuple[dict[str, int], str, int]],
) -> None:
    before = children()
    # An ordinary worker has these words, and nothing to read.
    outcomes, _, imported = play(test="assert sys.argv == ['-c'] and os.read(0, 1) == b''")
    assert (outcomes, imported) == ({"passed": 6}, 1)
    assert children() == before


@pytest.mark.slow
def test_a_worker_that_dies_is_one_failure_and_another_takes_its_place(
    play: Callable[..., tuple[dict[str, int], str, int]],
) -> None:
    outcomes, output, imported = play(test="os._exit(3) if number == 0 else None")
    assert (outcomes["failed"], outcomes["passed"], imported) == (1, 5, 1)
    assert "crashed while running" in output


@pytest.mark.slow
def test_where_an_import_starts_a_thread_each_worker_imports_for_itself(
    play: Callable[..., tuple[dict[str, int], str, int]],
) -> None:
    outcomes, _, imported = play(
        more="import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    assert (outcomes, imported) == ({"passed": 6}, 3)


@pytest.mark.slow
def test_what_cannot_be_imported_is_reported_as_without_it(
    play: Callable[..., tuple[dict[str, int], str, int]],
) -> None:
    outcomes, output, _ = play(more="import no_such_module_of_ours")
    assert set(outcomes) == {"errors"}
    assert "No module named 'no_such_module_of_ours'" in output


KILLING_ITS_STAND_IN = """
import os, signal, threading
from pathlib import Path

def test_one():
    collecting = Path(f"/proc/{os.getppid()}/status").read_text()
    controller = int(collecting.split("PPid:")[1].split()[0])
    for child in Path(f"/proc/{controller}/task/{controller}/children").read_text().split():
        if b"stand_in.py" in Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(int(child), signal.SIGKILL)
    threading.Event().wait()
"""


@pytest.mark.slow
def test_a_worker_that_hangs_ends_when_its_stand_in_is_killed(pytester: pytest.Pytester) -> None:
    """The stand-in is all that pytest-xdist knows of it, and all that it can kill."""
    pytester.makepyfile(test_it=KILLING_ITS_STAND_IN)
    words = ("-c", "/dev/null", "--rootdir", pytester.path, "-p", "pytest_keyroll.preload", "-p", "xdist", "-n", "1")
    done = pytester.runpytest_subprocess(*words, "--max-worker-restart", "0", timeout=300)
    assert done.parseoutcomes()["failed"] == 1
