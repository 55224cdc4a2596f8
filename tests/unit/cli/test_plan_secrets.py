"""Secrets in `keyroll plan`: drawn, taken from a command, or not known."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.cli.plan_pair import PATH, USUAL, append, findings, plan

from keyroll.cli.plan_secrets import drawing
from keyroll.errors import ExitCode, InputError
from keyroll.instants import SYSTEM, until


@pytest.mark.parametrize(("words", "code"), [((), ExitCode.UNFIT), (("--without-secrets",), ExitCode.OK)])
@pytest.mark.parametrize("asked", [USUAL, ("--at", "2026-12-01T00:00Z", "--emergency", "0")])
def test_redacted_configurations_are_planned_and_the_exit_code_says_that_secrets_are_not_known(
    configs: list[str], tmp_path: Path, words: tuple[str, ...], code: ExitCode, asked: tuple[str, ...]
) -> None:
    for path in configs:
        Path(path).write_text(Path(path).read_text().replace("sesame-sesame", "<REMOVED>"))
    result = plan(*configs, *asked, *words, "-o", str(tmp_path / "out"))
    assert result.return_value is code
    assert "the secrets of keys 0 are not known" in result.output
    assert (tmp_path / "out" / "plan.json").exists()


def test_a_plan_without_unknowns_exits_with_0(configs: list[str], tmp_path: Path) -> None:
    assert plan(*configs, *USUAL, "-o", str(tmp_path / "out")).return_value is ExitCode.OK


def test_secrets_come_from_a_command_that_is_run_without_a_shell(configs: list[str], tmp_path: Path) -> None:
    program = tmp_path / "vault.py"
    program.write_text("print('first-of-the-vault;$HOME'); print('second-of-the-vault', end='')")
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"), "--secret-command", f"{sys.executable} {program}")
    assert '"first-of-the-vault;$HOME"' in (tmp_path / "out" / "2027-01-23" / "lion.set").read_text()


ENDLESS = "import sys\nwhile True: sys.stdout.write('sesame' * 999)"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("print('sesame'); raise SystemExit(3)", "ended with exit code 3"),
        ("import sys; sys.exit('sesame')", "ended with exit code 1"),
        ("pass", "fewer secrets than the plan needs"),
        ("print('sesame-1')", "fewer secrets than the plan needs"),
        ("print('sesame-1'); print()", "line 2 is not a secret: it is empty"),
        ("print('sesame-1'); print('open sesame')", "line 2 is not a secret: it has a blank"),
        ("print('sesame-1\\tx')", "line 1 is not a secret: it has a blank"),
        ("print('sesame\\u2028sesame')", "line 1 is not a secret: it has a blank"),
        ("print('sesame\\x00')", "line 1 is not a secret: it has a control character"),
        ("print('sesame' * 30)", "line 1 is not a secret: it is longer than 126 octets"),
        ("print('sesame-1'); print('sesame-1')", "line 2 repeats line 1"),
        ("import sys; sys.stdout.buffer.write(b'sesame\\xff')", "not UTF-8"),
        (ENDLESS, "printed more than 1048576 octets"),
        ("print('sesame-sesame'); print('sesame-2')", "is the same as that of key 0 of lion"),
    ],
)
def test_a_command_that_prints_no_valid_secrets_is_refused_without_quoting_its_output(
    configs: list[str], tmp_path: Path, program: str, words: str
) -> None:
    (tmp_path / "vault.py").write_text(program)
    command = f"{sys.executable} {tmp_path / 'vault.py'}"
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "out"), "--secret-command", command, ok=False)
    assert isinstance(result.exception, InputError)
    assert words in str(result.exception)
    assert "sesame" not in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    child = tmp_path / "child"
    program = tmp_path / "vault.py"
    program.write_text(
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(child)!r}, 'w').write(str(child.pid))\n"
        "print('sesame-1')\n"
    )
    draw = drawing(None, 20, f"{sys.executable} {program}", within=timedelta(seconds=3))
    with pytest.raises(InputError, match="did not end within 3 s") as caught:
        draw("kc")
    assert "sesame" not in str(caught.value)
    status = Path(f"/proc/{child.read_text()}/status")

    def is_gone() -> bool:
        try:
            return "State:\tZ" in status.read_text()
        except OSError:
            return True

    killed = timedelta(seconds=60)  # nothing but the machine's load lies between a SIGKILL and the end
    assert until(SYSTEM, is_gone, deadline=SYSTEM.now() + killed, poll=timedelta(milliseconds=20))


@pytest.mark.parametrize("command", ["", "'", "/does/not/exist"])
def test_a_command_that_cannot_be_run_is_named(configs: list[str], tmp_path: Path, command: str) -> None:
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "out"), "--secret-command", command, ok=False)
    assert isinstance(result.exception, InputError)
    assert "--secret-command" in str(result.exception)


def test_plan_json_lists_unknown_secrets(configs: list[str], tmp_path: Path) -> None:
    append(configs[0], f"set {PATH} key 0 secret <REMOVED>\n")
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"))
    (finding,) = [one for one in findings(tmp_path / "out") if one["about"] == "secrets-unknown"]
    assert (finding["router"], finding["keys"], finding["severity"]) == ("lion", [0], "unknown")


def test_the_plan_lists_unknown_secrets(configs: list[str], tmp_path: Path) -> None:
    path = Path(configs[0])
    path.write_text(path.read_text().replace("sesame-sesame", "<REMOVED>"))
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "out"))
    said = "lion: the secrets of keys 0 are not known"
    assert said in result.output
    assert said in (tmp_path / "out" / "plan.md").read_text()
