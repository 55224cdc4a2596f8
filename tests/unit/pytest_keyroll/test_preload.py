"""Preloading: workers of pytest-xdist are forked from a process that has imported the tests.

Most of these tests are slow, because each starts several processes.
"""

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
    """Return a function that runs a module with two workers, and returns (outcomes, output, number of imports)."""

    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # otherwise each process would import all plugins

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


def test_two_workers_import_the_tests_once_and_leave_no_process_behind(
    play: Callable[..., tuple[dict[str, int], str, int]],
) -> None:
    before = children()
    # As an ordinary worker has them: these arguments, and an empty standard input.
    outcomes, _, imported = play(test="assert sys.argv == ['-c'] and os.read(0, 1) == b''")
    assert (outcomes, imported) == ({"passed": 6}, 1)
    assert children() == before


@pytest.mark.slow
def test_a_worker_that_exits_is_one_failure_and_is_replaced(
    play: Callable[..., tuple[dict[str, int], str, int]],
) -> None:
    outcomes, output, imported = play(test="os._exit(3) if number == 0 else None")
    assert (outcomes["failed"], outcomes["passed"], imported) == (1, 5, 1)
    assert "crashed while running" in output


@pytest.mark.slow
def test_each_worker_imports_the_tests_itself_if_an_import_starts_a_thread(
    play: Callable[..., tuple[dict[str, int], str, int]],
) -> None:
    """A process with more than one thread cannot be forked safely."""
    outcomes, _, imported = play(
        more="import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    assert (outcomes, imported) == ({"passed": 6}, 3)


@pytest.mark.slow
def test_an_import_error_is_reported_as_without_preloading(
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
    """The process that pytest-xdist started, and can kill, is the stand-in and not the worker."""
    pytester.makepyfile(test_it=KILLING_ITS_STAND_IN)
    words = ("-c", "/dev/null", "--rootdir", pytester.path, "-p", "pytest_keyroll.preload", "-p", "xdist", "-n", "1")
    done = pytester.runpytest_subprocess(*words, "--max-worker-restart", "0", timeout=300)
    assert done.parseoutcomes()["failed"] == 1
