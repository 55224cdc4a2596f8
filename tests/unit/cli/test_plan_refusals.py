"""What `keyroll plan` refuses, and how it says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.cli.plan_pair import PATH, USUAL, append, plan

from keyroll.errors import ExitCode, InputError


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--until", "2027-06-30"), "needs --until and --every"),
        ((*USUAL, "--chain", "other"), "which key-chain is to be planned"),
        ((*USUAL, "--zone", "nobody=UTC"), "no router is named nobody"),
        ((*USUAL, "--algorithm", "rot13"), "invalid --algorithm 'rot13': use one of hmac-sha-1-96"),
    ],
)
def test_wrong_input_is_named(configs: list[str], words: tuple[str, ...], message: str) -> None:
    result = plan(*configs, *words, ok=False)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)


def test_a_key_that_comes_from_a_group_is_refused_because_no_set_file_can_delete_it(
    configs: list[str], tmp_path: Path
) -> None:
    path = Path(configs[0])
    path.write_text(path.read_text().replace("set security", "set groups KEYS security") + "set apply-groups KEYS\n")
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert "key 0 of key-chain kc comes from a group" in str(result.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--new", "a,a", *USUAL), "two routers are named a"),
        (("--new", "a,b", *USUAL, "--zone", "c=Europe/Berlin"), "no router is named c"),
        (("--new", "a,b", *USUAL, "--unreachable", "b"), "--unreachable is for --emergency"),
        (("--new", "a,b", *USUAL[:2], "--until", "2020-01-01", "--every", "90d"), "before it begins"),
        (("--new", "a,b", *USUAL[:2], "--until", "9999-12-31", "--every", "3650d"), "beyond the year 9999"),
    ],
)
def test_a_request_without_a_possible_plan_is_refused_with_the_reason(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    result = plan(*words, "-o", str(tmp_path / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert said in str(result.exception)
    assert not (tmp_path / "out").exists()


RETIRED = """\
{"format": 1, "retired": [
  {"router": "a", "key": 1, "send-id": 5, "recv-id": 6, "deleted": "2026-11-30T00:00Z"}]}
"""


def test_a_valid_history_is_accepted(configs: list[str], tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(RETIRED)
    plan(*configs, *USUAL, "--history", str(path), "-o", str(tmp_path / "out"))


@pytest.mark.parametrize(
    "history",
    [
        "set system host-name lion",
        "[" * 100_000,
        '{"format": 1, "retired": [1]}',
        RETIRED.replace('"send-id": 5', '"send-id": "5"'),
        RETIRED.replace("00Z", "00"),
    ],
)
def test_a_file_that_is_not_a_history_is_refused(history: str, configs: list[str], tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(history)
    result = plan(*configs, *USUAL, "--history", str(path), "-o", str(tmp_path / "out"), ok=False)
    assert isinstance(result.exception, InputError)


@pytest.mark.parametrize("where", ["security", PATH, f"{PATH} key 0", f"{PATH} key 0 secret"])
def test_a_protected_chain_is_refused_because_junos_refuses_to_change_it(
    configs: list[str], tmp_path: Path, where: str
) -> None:
    append(configs[0], f"protect {where}\n")
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert f"{where} is protected" in str(result.exception)
    append(configs[0], f"unprotect {where}\n")
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"))


def test_a_key_in_the_configuration_and_in_a_group_is_refused(configs: list[str], tmp_path: Path) -> None:
    append(configs[0], f"set groups KEYS {PATH} key 0 secret other\nset apply-groups KEYS\n")
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert "key 0 of key-chain kc comes from a group" in str(result.exception)


def test_a_group_that_gives_all_keys_a_statement_brings_no_key(configs: list[str], tmp_path: Path) -> None:
    every = f"{PATH} key <*>"
    for path in configs:
        append(path, f"set groups ALL {every} algorithm ao\nset apply-groups ALL\n")
    assert plan(*configs, *USUAL, "-o", str(tmp_path / "out")).return_value is ExitCode.OK
