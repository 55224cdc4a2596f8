"""`keyroll check` as a person uses it: exit codes, the table, JSON, Markdown, planned changes, the rules."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
from tests.unit.known import known
from tests.unit.protected_pair import CHAIN, router

from keyroll.check.judge import Question, judge
from keyroll.check.rules import RULES
from keyroll.cli.check_text import markdown_of, text_of
from keyroll.configuration import read

DOCS = Path(__file__).parents[3] / "docs"
AT = ("--at", "2030-01-01T00:05Z")


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    def write(**r2: str) -> tuple[Path, Path]:
        paths = (tmp_path / "R1.conf", tmp_path / "R2.conf")
        paths[0].write_text(router("R1", "10.0.0.1", "10.0.0.2"))
        paths[1].write_text(router("R2", "10.0.0.2", "10.0.0.1", **r2))
        return paths

    return write


@pytest.fixture
def keyroll(command_line: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, str, str]]:
    """Run `keyroll check …`; gives exit code, stdout, stderr."""
    return partial(command_line, "check")


def test_two_matching_configurations_are_hitless_with_exit_code_0(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]]
) -> None:
    code, out, _ = keyroll(*files(), *AT)
    assert code == 0
    assert "hitless under all 16 mixes" in out
    assert "hitless skew (R2's clock minus R1's): from -600 s to +600 s" in out
    assert "1 protected session: 1 ok" in out


def test_what_is_printed_fits_100_columns_and_has_no_colours_in_a_pipe(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]]
) -> None:
    _, out, _ = keyroll(*files(start="2030-1-1.00:45:00 +0000"), *AT)
    lines = [line for line in out.splitlines() if not re.match(r" {4}\S*\.conf:\d+$", line)]
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in out


def test_a_narrow_terminal_gets_lines_that_fit_it(files: Callable[..., tuple[Path, Path]]) -> None:
    late = [read(path.read_text(), path.name) for path in files(start="2030-1-1.00:45:00 +0000")]
    report = judge(late, Question(datetime(2030, 1, 1, 0, 5, tzinfo=UTC)))
    for width in (72, 80, 100):
        lines = [click.unstyle(line) for line in text_of(report, width)]
        assert max(map(len, lines)) <= width
        assert " ".join(" ".join(lines).split()) == " ".join(" ".join(map(click.unstyle, text_of(report))).split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((".",), "this is a directory (give its files: ./*)"),
        (("missing.conf",), "cannot be read: No such file or directory"),
        (("-", "-"), "standard input can be read only once"),
        (("empty.conf",), "this is empty"),
        (("R1.conf", "--json", "--markdown"), "use one of them"),
        ((), "no configuration is given"),
    ],
)
def test_a_request_that_cannot_be_answered_is_a_one_line_error_with_exit_code_2(
    keyroll: Callable[..., tuple[int, str, str]],
    files: Callable[..., tuple[Path, Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    said: str,
) -> None:
    files()
    (tmp_path / "empty.conf").write_text("\n")
    monkeypatch.chdir(tmp_path)
    code, out, err = keyroll(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_rollover_that_is_not_hitless_exits_with_1(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]]
) -> None:
    code, out, _ = keyroll(*files(start="2030-1-1.00:45:00 +0000"), *AT)
    assert code == 1
    assert "not hitless under 7 of 16 mixes" in out
    assert "from +300 s to +1500 s" in out


def test_removed_secrets_exit_with_2_unless_without_secrets_is_given(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]]
) -> None:
    paths = files(secret="<REMOVED>")
    code, out, _ = keyroll(*paths, *AT)
    assert code == 2
    assert "hitless under all 16 mixes, if the secrets of keys 0, 1 match" in out
    assert keyroll(*paths, *AT, "--without-secrets")[0] == 0


def test_configurations_without_a_protected_session_exit_with_2(
    keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "R1.conf"
    path.write_text("set system host-name R1\n")
    code, out, _ = keyroll(path)
    assert code == 2
    assert "No session is protected with TCP-AO." in out


def test_json_has_the_verdict_of_each_session(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]]
) -> None:
    code, out, _ = keyroll(*files(), *AT, "--json", "--policies", "default")
    data = json.loads(out)
    assert code == 0
    assert [session["verdict"] for session in data["sessions"]] == ["ok"]
    assert data["mixes"] == ["clock+tolerance/clock+tolerance"]


def test_markdown_is_a_table_without_colours(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]]
) -> None:
    _, out, _ = keyroll(*files(), *AT, "--markdown")
    assert "| BGP R1 10.0.0.1 - R2 10.0.0.2 | KC | ok |" in out
    assert "\x1b" not in out


def planned(
    keyroll: Callable[..., tuple[int, str, str]], paths: tuple[Path, Path], change: Path, *words: str
) -> tuple[int, list[dict[str, Any]]]:
    code, out, _ = keyroll(*paths, *AT, "--planned", f"R1={change}", "--planned", f"R2={change}", "--json", *words)
    return code, json.loads(out)["states"]


def test_a_planned_change_is_judged_before_between_and_after(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    paths, change = files(), tmp_path / "change.set"
    change.write_text(f"delete {CHAIN.removeprefix('set ')} key 1\n")
    code, states = planned(keyroll, paths, change)
    assert [state["state"] for state in states] == [
        "before", "between: R1 changed", "between: R2 changed", "after",
    ]  # fmt: skip
    # The key starts 25 minutes from then: within the hour that the change may take.
    assert [state["verdicts"]["bad"] for state in states] == [0, 1, 1, 0]
    assert code == 1


@pytest.mark.parametrize("first", [0, 1])
def test_a_key_may_be_added_on_either_router_first(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]], tmp_path: Path, first: int
) -> None:
    paths = files()
    words = []
    for name, (send, recv) in (("R1", (5, 6)), ("R2", (6, 5))):
        change = tmp_path / f"{name}.set"
        key = f"{CHAIN} key 2"
        change.write_text(
            f'{key} secret later\n{key} start-time "2030-2-1.00:00:00 +0000"\n{key} algorithm ao\n'
            f"{key} ao-attribute send-id {send}\n{key} ao-attribute recv-id {recv}\n"
            f"{key} ao-attribute tcp-ao-option enabled\n"
        )
        words += [f"--planned={name}={change}"]
    ordered = (paths[::-1], words[::-1]) if first else (paths, words)
    code, out, _ = keyroll(*ordered[0], *AT, *ordered[1], "--json")
    states = json.loads(out)["states"]
    assert [state["verdicts"]["ok"] for state in states] == [1, 1, 1, 1]
    between = [finding for state in states[1:3] for finding in state["sessions"][0]["findings"]]
    assert {finding["severity"] for finding in between} == {"advice"}
    assert code == 0


def test_a_rollover_that_begins_after_the_change_may_be_deleted_on_both_sides(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    paths, change = files(), tmp_path / "change.set"
    change.write_text(f"delete {CHAIN.removeprefix('set ')} key 1\n")
    code, states = planned(keyroll, paths, change, "--change-within", "20m")
    assert [state["verdicts"] for state in states] == [{"ok": 1, "bad": 0, "unknown": 0}] * 4
    assert code == 0


def test_a_change_that_fixes_a_later_rollover_is_green_and_one_that_breaks_it_is_not(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    wrong, right = tmp_path / "wrong.set", tmp_path / "right.set"
    wrong.write_text(f'set {CHAIN.removeprefix("set ")} key 1 start-time "2030-1-1.05:00:00 +0000"\n')
    right.write_text(f'set {CHAIN.removeprefix("set ")} key 1 start-time "2030-1-1.02:00:00 +0000"\n')
    paths = files(start="2030-1-1.05:00:00 +0000")
    paths[0].write_text(paths[0].read_text().replace("2030-1-1.00:30", "2030-1-1.02:00"))
    code, out, _ = keyroll(*paths, *AT, "--planned", f"R2={right}")
    assert code == 0
    assert "not hitless in this state, but the planned change ends it before" in out
    paths[1].write_text(paths[1].read_text().replace("2030-1-1.05:00", "2030-1-1.02:00"))
    assert keyroll(*paths, *AT, "--planned", f"R2={wrong}")[0] == 1


def test_a_planned_change_may_turn_on_tcp_ao(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    paths = files()
    whole = [path.read_text() for path in paths]
    options = []
    for name, path, text in zip(("R1", "R2"), paths, whole, strict=True):
        bare = [line for line in text.splitlines() if "authentication" not in line]
        bare.append(f"set protocols bgp group g neighbor 10.0.0.{2 if name == 'R1' else 1}")
        path.write_text("".join(f"{line}\n" for line in bare))
        after = tmp_path / f"{name}.after"
        after.write_text(text)
        options += ["--planned", f"{name}={after}"]
    _, out, _ = keyroll(*paths, *AT, *options, "--json")
    states = json.loads(out)["states"]
    # Nothing is protected before the change; between the commits, only one end is.
    assert [state["verdicts"]["bad"] for state in states] == [0, 1, 1, 0]
    assert [len(state["sessions"]) for state in states] == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "no configuration is given"),
        (("--skew", "soon"), "invalid length 'soon'"),
        (("--planned", "R9=x"), "no router is named R9"),
        (("--planned", "R1"), "use ROUTER=FILE"),
    ],
)
def test_wrong_arguments_exit_with_2_and_a_remedy(
    keyroll: Callable[..., tuple[int, str, str]],
    files: Callable[..., tuple[Path, Path]],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    code, _, err = keyroll(*(files() if arguments else ()), *arguments)
    assert code == 2
    assert says in err


def test_every_rule_is_listed_and_documented_with_an_example(keyroll: Callable[..., tuple[int, str, str]]) -> None:
    _, out, _ = keyroll("--rules")
    page = (DOCS / "check.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert f"{rule.id} ({rule.severity.value})" in out
        row = next(line for line in page.splitlines() if line.startswith(f"| `{rule.id}` |"))
        _, _, severity, sentence, example, _ = row.split("|")
        assert (severity.strip(), sentence.strip()) == (rule.severity.value, rule.sentence)
        assert len(example.strip()) > 5


def test_check_loads_no_client_and_no_lab() -> None:
    look = (
        "import sys, keyroll.cli.check, keyroll.check.judge, keyroll.check.as_json, keyroll.cli.check_text;"
        "print([name for name in ('netmiko', 'paramiko', 'asyncssh', 'scapy', 'textfsm', 'pytest', 'pydantic')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_line_that_may_be_a_protected_session_is_never_green(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]]
) -> None:
    paths = files()
    with paths[0].open("a") as file:
        file.write("set protocols bgp group other neighbro 10.0.0.6 authentication-key-chain KC\n")
    code, out, _ = keyroll(*paths, *AT)
    assert code == 2
    assert "unknown: may hide a protected session" in out
    assert out.count("[not-understood]") == 1
    assert "1 protected session: 1 ok" in out


def test_a_damaged_line_of_another_chain_leaves_the_verdict_as_it_is(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]]
) -> None:
    paths = files()
    with paths[0].open("a") as file:
        file.write("set security authentication-key-chains key-chain ISIS key 1 frobnicate\n")
    code, out, _ = keyroll(*paths, *AT)
    assert code == 0
    assert "note: affects no protected session" in out


@pytest.mark.parametrize("words", [("--until", "2029-12-31T00:00Z"), ("--until", "2030-01-01T00:05Z")])
def test_an_empty_time_range_is_refused(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]], words: tuple[str, str]
) -> None:
    code, _, err = keyroll(*files(), *AT, *words)
    assert code == 2
    assert "--until is not after --at" in err


def test_instants_at_the_end_of_the_calendar_are_refused(
    keyroll: Callable[..., tuple[int, str, str]], files: Callable[..., tuple[Path, Path]]
) -> None:
    code, _, err = keyroll(*files(), "--at", "9999-12-31T23:59Z")
    assert code == 2
    assert "too near the year 9999" in err


def test_the_exit_code_is_the_verdict_also_when_the_output_pipe_is_closed(
    files: Callable[..., tuple[Path, Path]],
) -> None:
    command = "import sys; from keyroll.cli.main import main; sys.argv[0] = 'keyroll'; main()"
    paths = files(start="2030-1-1.05:00:00 +0000")
    process = subprocess.Popen([sys.executable, "-c", command, "check", *map(str, paths), *AT], stdout=subprocess.PIPE)
    known(process.stdout).close()
    assert process.wait(timeout=60) == 1


def test_control_characters_in_a_name_reach_neither_the_terminal_nor_markdown(
    files: Callable[..., tuple[Path, Path]],
) -> None:

    hostile = "R2\x1b[2J<b>"
    one, other = (path.read_text() for path in files(start="2030-1-1.05:00:00 +0000"))
    other = other.replace("host-name R2", f'host-name "{hostile}"')
    report = judge([read(one, "R1"), read(other, "R2")], Question(at=datetime(2030, 1, 1, tzinfo=UTC)))
    assert hostile in report.routers
    text = "".join(text_of(report))
    assert "\x1b[2J" not in text
    assert "R2\\x1b[2J<b>" in text
    ticket = "".join(line for line in markdown_of(report) if line.startswith(("#", "|")))
    assert "<b>" not in ticket
