"""Parts of a test run: each test is in exactly one, and known durations balance them."""

from pathlib import Path

import pytest

from keyroll.errors import InputError
from pytest_keyroll.shard import Shard, chosen, key_of, read_durations, read_shard

pytest_plugins = ["pytester"]

TESTS = [f"tests/scenarios/a.yaml::case[{number}]" for number in range(200)]


def parts(count: int, durations: dict[str, float] | None = None, tests: list[str] = TESTS) -> list[frozenset[str]]:
    return [chosen(tests, Shard(number, count), durations or {}) for number in range(1, count + 1)]


@pytest.mark.parametrize("count", [1, 2, 8])
def test_the_parts_contain_every_test_once(count: int) -> None:
    assert sorted(test for part in parts(count) for test in part) == sorted(TESTS)


def test_an_added_test_moves_no_other_test() -> None:
    before, after = parts(8), parts(8, tests=[*TESTS, "tests/new.py::test_new"])
    assert [new - {"tests/new.py::test_new"} for new in after] == before


def test_the_parts_have_about_the_same_size() -> None:
    sizes = sorted(len(part) for part in parts(4))
    assert sizes[0] > 30
    assert sizes[-1] < 70


def test_known_durations_balance_the_parts() -> None:
    durations = {key_of(test): float(number) for number, test in enumerate(TESTS)}
    loads = [sum(durations[key_of(test)] for test in part) for part in parts(4, durations)]
    assert max(loads) - min(loads) <= 2
    assert sum(len(part) for part in parts(4, durations)) == len(TESTS)


@pytest.mark.parametrize("text", ["0/8", "9/8", "3", "3/", "a/b", "-1/8", "3/8/9", "1/0"])
def test_an_invalid_part_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="use NUMBER/COUNT"):
        read_shard(text)


def test_an_invalid_report_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "report.xml"
    with pytest.raises(InputError, match="No such file"):
        read_durations(file)
    file.write_text("<testsuites")
    with pytest.raises(InputError, match="not a JUnit report"):
        read_durations(file)


def test_a_report_of_pytest_is_read_and_the_option_runs_one_part(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_one="import pytest\n@pytest.mark.parametrize('n', range(20))\ndef test_n(n): pass")
    plain = ("-c", "/dev/null", "--rootdir", pytester.path, "-p", "no:cacheprovider")
    pytester.runpytest_inprocess(*plain, "--junit-xml", "report.xml")
    known = read_durations(pytester.path / "report.xml")
    assert {key_of(f"test_one.py::test_n[{number}]") for number in range(20)} == set(known)
    played = [
        pytester.runpytest_inprocess(*plain, "--keyroll-shard", f"{number}/2", "--keyroll-durations", "report.xml")
        for number in (1, 2)
    ]
    assert sum(done.parseoutcomes()["passed"] for done in played) == 20
    assert all(done.parseoutcomes()["deselected"] for done in played)
    wrong = pytester.runpytest_inprocess(*plain, "--keyroll-shard", "3/2")
    assert wrong.ret == 4
    assert "invalid shard '3/2'" in wrong.stderr.str()
