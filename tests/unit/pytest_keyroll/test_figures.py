"""The figures of a test run: the slowest tests, and processor time by folder against its budget."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_keyroll.figures import Cost, Meter, budgets_in, figures, processor_seconds

pytest_plugins = ["pytester"]

COSTS = [Cost("tests/unit/a/test_x.py::test_one", 1.0, 0.5), Cost("tests/lab/test_y.py::test_two", 9.0, 2.0)]


def test_the_slowest_tests_come_first_up_to_the_requested_number() -> None:
    lines = list(figures(COSTS, {}, 1))
    assert lines[0] == "slowest 1 tests: seconds, processor seconds"
    assert lines[1].split() == ["9.0", "2.0", "tests/lab/test_y.py::test_two"]
    assert not any("test_one" in line for line in lines)


def test_a_test_counts_for_the_budget_of_the_nearest_folder() -> None:
    lines = list(figures(COSTS, {"tests": 10, "tests/unit/a": 0.4}, 0))
    assert "     0.5  tests/unit/a: of 0, OVER BUDGET" in lines
    assert "     2.0  tests: of 10" in lines
    assert lines[-1] == "     2.5  all"


def test_tests_without_a_budget_are_reported() -> None:
    assert "     2.5  other: no budget" in list(figures(COSTS, {}, 0))


def test_budgets_are_read_and_a_project_without_them_has_none(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    assert budgets_in(file) == {}
    file.write_text('[tool.keyroll.budgets]\n"tests/unit" = 7\n')
    assert budgets_in(file) == {"tests/unit": 7}


BUSY = "import time\nwhile time.process_time() < 0.3:\n    pass\nprint('done', flush=True)\ninput()\n"


@pytest.mark.skipif(
    not Path(f"/proc/self/task/{os.getpid()}/children").exists(), reason="the kernel lists no child processes"
)
def test_a_descendant_counts_while_it_runs_and_once_after_it_has_ended() -> None:
    before = processor_seconds()
    child = subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"done\n"
    alive = processor_seconds() - before
    child.communicate(b"\n")
    ended = processor_seconds() - before
    assert 0.25 < alive <= ended + 0.02  # a clock tick is 0.01 s
    assert ended < alive + 0.25


def test_a_brief_test_is_measured_without_its_descendants_which_count_for_the_next_longer_test() -> None:
    used = {"own": 1.0, "lab": 10.0}
    calls = []

    def everything() -> float:
        calls.append(used.copy())
        return used["own"] + used["lab"]

    meter = Meter(lambda: used["own"], everything)
    used["own"] += 5  # between two tests
    meter.begin()
    used["own"] += 0.25
    used["lab"] += 0.5
    assert meter.end(brief=True) == 0.25
    assert len(calls) == 1
    used["own"] += 5
    meter.begin()
    used["own"] += 1
    used["lab"] += 2
    assert meter.end(brief=False) == 3.5
    meter.begin()
    used["lab"] -= 20  # its routers have ended without being waited for, so their time is gone
    assert meter.end(brief=False) == 0
    meter.begin()
    used["own"] += 0.125
    assert meter.end(brief=False) == 0.125


@pytest.mark.parametrize("workers", [(), pytest.param(("-p", "xdist", "-n", "1"), marks=pytest.mark.slow)])
def test_the_figures_are_printed_only_on_request(pytester: pytest.Pytester, workers: tuple[()]) -> None:
    pytester.makepyfile(test_one="def test_one(): pass")
    plain = ("-c", "/dev/null", "--rootdir", pytester.path, "-p", "pytest_keyroll.figures", *workers)
    if not workers:
        assert "slowest" not in pytester.runpytest_inprocess(*plain).stdout.str()
    done = pytester.runpytest_inprocess(*plain, "--keyroll-figures", "5")
    done.stdout.fnmatch_lines(["slowest 1 tests: seconds, processor seconds", "*test_one.py::test_one", "*  all"])
