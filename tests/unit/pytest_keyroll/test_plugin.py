"""The pytest plugin: which files are collected, its options, and what a run reports."""

import os
import sys
from pathlib import Path

import pytest

# Modules that a run imports on demand are imported here: pytester removes every module that its run imported.
import keyroll.lab.topology
import keyroll.scenario.labs.pool  # noqa: F401
import pytest_keyroll.items
import pytest_keyroll.settings
from keyroll.scenario import engine
from pytest_keyroll.plugin import RENAMED

pytest_plugins = ["pytester"]

FAKE_ENGINE = """\
import pytest_keyroll.items
from keyroll.scenario.record import result as r
from datetime import timedelta, datetime, UTC

def run(case, options):
    red = r.Check("wire", passed=False, expected="key 1", observed="key 0", step=4, router="R2", keys={"R1": "key 1"})
    broken = "broken" in case.name
    named = case.scenario.mutations[options.mutate].turns_red if options.mutate else ()
    checks = (red,) if broken or options.mutate else ()
    verdict = r.Verdict.FAILED if checks else r.Verdict.PASSED
    receipt = r.receipt_of(options.mutate, named, checks, verdict) if options.mutate else None
    t0, folder = datetime(2030, 1, 1, tzinfo=UTC), options.runs / "somewhere"
    return r.Result(case.name, case.scenario.title, None, case.path, options.seed, t0, verdict, checks, None, folder,
                    "keyroll run again", (), timedelta(), {}, receipt)

pytest_keyroll.items.run = run
"""
OTHER = "name: lab\nkeyroll: 1\n"


class Suite:
    """A folder of scenario files on which pytest runs: within this process, or as a separate command."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.folder, self._pytester = pytester.path, pytester

    def __call__(self, *words: str) -> pytest.RunResult:
        return self._pytester.runpytest_inprocess(*self._arguments(words))

    def as_command(self, *words: str) -> pytest.RunResult:
        return self._pytester.run(sys.executable, "-m", "pytest", *self._arguments(words), timeout=300)

    def _arguments(self, words: tuple[str, ...]) -> tuple[str | Path, ...]:
        return ("-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", self.folder, self.folder, *words)


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, two_keys: str) -> Suite:
    monkeypatch.setattr(pytest_keyroll.items, "run", engine.run)  # restores what the conftest.py below replaces
    monkeypatch.setenv(
        pytest_keyroll.settings._SEED_VARIABLE, os.environ.get(pytest_keyroll.settings._SEED_VARIABLE, "1")
    )
    (pytester.path / "conftest.py").write_text(FAKE_ENGINE)
    (pytester.path / "good.yaml").write_text(two_keys)
    (pytester.path / "other.yaml").write_text(OTHER)
    (pytester.path / "notes.yml").write_text("- a\n")
    return Suite(pytester)


@pytest.fixture
def two_keys() -> str:
    return (
        "keyroll: 1\nid: two-keys\ntitle: Two keys\nkeychain:\n  keys:\n"
        "    - {id: 0, start: 0m}\n    - {id: 1, start: 30m}\n"
        "steps:\n  - apply:\n  - expect: {bgp: Established}\n  - advance: {to: 30m}\n  - expect: {wire: {R2: 1}}\n"
        "mutations:\n"
        "  caught: {kind: key-missing, key: 1, turns-red: wire@4}\n"
        "  uncaught: {kind: key-missing, key: 1, turns-red: bgp@2}\n"
    )


def test_files_that_begin_with_keyroll_are_collected_and_no_others(suite: Suite) -> None:
    """pytest runs as a command, so that it finds the plugin by its entry point."""
    done = suite.as_command("--collect-only", "-q")
    assert [line for line in done.outlines if "::" in line] == ["good.yaml::two-keys"]
    assert done.ret == 0


def test_parameters_give_items_that_the_option_k_selects(suite: Suite, two_keys: str) -> None:
    text = two_keys.replace("start: 30m}", "start: 30m, algorithm: '${a}'}")
    (suite.folder / "many.yaml").write_text(text + "parametrize:\n  a: {sha1: hmac-sha-1-96, cmac: aes-128-cmac-96}\n")
    done = suite("--collect-only", "-q", "-k", "cmac")
    assert "many.yaml::two-keys[cmac]" in done.stdout.str()
    assert "sha1" not in done.stdout.str()


def test_a_red_run_fails_with_its_evidence_and_no_traceback(suite: Suite, two_keys: str) -> None:
    (suite.folder / "bad.yaml").write_text(two_keys.replace("id: two-keys", "id: broken"))
    done = suite("--keyroll-run-dir", "put-here")
    assert done.ret == 1
    for words in ("RED wire@4 R2", "expected: key 1", "observed: key 0", "put-here/somewhere", "again: keyroll run"):
        assert words in done.stdout.str()
    assert "Traceback" not in done.stdout.str()
    assert "1 failed, 1 passed" in done.stdout.str()


def test_a_file_with_a_mistake_is_a_collection_error_that_names_the_line(suite: Suite, two_keys: str) -> None:
    (suite.folder / "wrong.yaml").write_text(two_keys.replace("wire: {R2: 1}", "wire: {R3: 1}"))
    done = suite()
    assert "wrong.yaml:12:" in done.stdout.str()
    assert "mapping by router" in done.stdout.str()
    assert done.ret == 2


def test_receipts_pass_when_the_named_check_is_red_and_fail_when_another_is(suite: Suite) -> None:
    done = suite("--keyroll-receipts")
    assert "1 failed, 2 passed" in done.stdout.str()
    assert "mutation uncaught: SURVIVED" in done.stdout.str()


def test_the_seed_is_in_the_header_and_a_wrong_one_is_a_usage_error(suite: Suite) -> None:
    assert "keyroll: seed 42" in suite("--keyroll-seed", "42").stdout.str()
    done = suite("--keyroll-seed", "a b")
    assert done.ret == 4
    assert "invalid seed" in done.stderr.str()


def test_options_all_begin_with_keyroll(suite: Suite) -> None:
    group = suite("--help").stdout.str().partition("scenarios and labs (keyroll):")[2].partition("\n\n")[0]
    found = [line.split()[0].partition("=")[0] for line in group.splitlines() if line.strip().startswith("-")]
    assert all(name.startswith("--keyroll-") for name in found)
    assert {f"--keyroll-{name}" for name in RENAMED} < set(found)


@pytest.mark.parametrize("words", [("--receipts",), ("--seed", "7"), ("--lab=crpd",), ("--wait-scale=2", "--t0", "x")])
def test_an_old_option_is_refused_with_the_name_of_the_new_one(suite: Suite, words: tuple[str, ...]) -> None:
    done = suite(*words)
    assert done.ret == 4
    name = words[0].partition("=")[0].removeprefix("--")
    assert f"invalid option --{name}: use --keyroll-{name}" in done.stderr.str()


def test_an_old_option_that_a_project_defines_itself_is_not_refused(suite: Suite) -> None:
    with (suite.folder / "conftest.py").open("a") as stream:
        stream.write("def pytest_addoption(parser):\n    parser.addoption('--seed')\n")
    done = suite("--seed", "7", "--collect-only", "-q")
    assert done.ret == 0, done.stdout.str() + done.stderr.str()


def test_the_junit_report_contains_the_paths_of_the_evidence(suite: Suite) -> None:
    suite("--junitxml", "out.xml", "--keyroll-run-dir", "put-here")
    text = (suite.folder / "out.xml").read_text()
    assert 'name="evidence" value="put-here/somewhere"' in text
    assert 'name="again" value="keyroll run again"' in text


@pytest.mark.parametrize("workers", [(), pytest.param(("-p", "xdist", "-n", "1"), marks=pytest.mark.slow)])
def test_labs_that_were_not_used_again_are_reported_from_every_process(suite: Suite, workers: tuple[()]) -> None:
    with (suite.folder / "conftest.py").open("a") as stream:
        stream.write(
            "from pytest_keyroll.settings import pool_of\n"
            "def losing(case, options):\n"
            "    options.labs.retired.append('R1: a connection is still open after the reset')\n"
            "    return run(case, options)\n"
            "pytest_keyroll.items.run = losing\n"
        )
    done = suite(*workers)
    assert done.ret == 0, done.stdout.str() + done.stderr.str()
    reported = [line for line in done.outlines if "not used again" in line]
    assert reported == ["keyroll: a lab was not used again: R1: a connection is still open after the reset"]


BUSY = """
import dataclasses
tries = []
def busy(case, options):
    tries.append(case)
    done = run(case, options)
    if len(tries) > BUSY_FOR or done.verdict is r.Verdict.FAILED:
        return done
    return dataclasses.replace(done, verdict=r.Verdict.UNFIT, reason="R1 gave no sample for 2s", busy=True)
pytest_keyroll.items.run = busy
"""


@pytest.mark.parametrize(("tries", "code"), [(1, 0), (2, 1)])
def test_a_run_that_is_unfit_because_of_a_busy_machine_is_repeated_once_and_reported(
    suite: Suite, tries: int, code: int
) -> None:
    with (suite.folder / "conftest.py").open("a") as stream:
        stream.write(BUSY.replace("BUSY_FOR", str(tries)))
    done = suite()
    assert done.ret == code, done.stdout.str() + done.stderr.str()
    assert "keyroll: two-keys was played again: R1 gave no sample for 2s" in done.stdout.str()
