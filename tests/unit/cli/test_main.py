"""The command line: one sentence on stderr and an exit code, never a traceback."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import click
import pytest
from click.testing import CliRunner

from keyroll.cli import main as cli
from keyroll.cli.printer import Printer
from keyroll.errors import ExitCode, InputError, Where


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Restore pytest's signal handlers, which `main` replaces."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    hook = sys.unraisablehook
    yield
    sys.unraisablehook = hook
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Add a sub-command `act` that raises an error or returns an exit code, and run `keyroll act`."""

    def run(error: BaseException | None, *, ends_with: ExitCode | None = None) -> int:
        @click.command("act")
        def act() -> ExitCode | None:
            if error is not None:
                raise error
            return ends_with

        monkeypatch.setitem(cli.keyroll.commands, "act", act)
        monkeypatch.setattr("sys.argv", ["keyroll", "act"])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return int(caught.value.code or 0)

    return run


def test_success_exits_with_0(command: Callable[..., int]) -> None:
    assert command(None) == 0


def test_invalid_input_exits_with_2_and_names_its_place(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(InputError("wrong", where=Where("a.yaml", 3, 7), remedy="mend it")) == 2
    assert capsys.readouterr().err == "keyroll: a.yaml:3:7: wrong (mend it)\n"


def test_a_bad_verdict_exits_with_1(command: Callable[..., int]) -> None:
    assert command(None, ends_with=ExitCode.BAD) == 1


def test_ctrl_c_exits_with_130(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err.strip() == "keyroll: interrupted"


def test_an_internal_error_exits_with_2(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(ZeroDivisionError("oops")) == 2
    assert "defect of keyroll itself" in capsys.readouterr().err


def test_a_closed_output_pipe_exits_with_2(command: Callable[..., int]) -> None:
    assert command(BrokenPipeError(32, "Broken pipe")) == 2


def test_an_unknown_command_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["keyroll", "nonsense"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert "No such command 'nonsense'" in capsys.readouterr().err


def test_every_listed_command_can_be_imported() -> None:
    context = click.Context(cli.keyroll)
    for name in cli.keyroll.list_commands(context):
        assert cli.keyroll.get_command(context, name) is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_also_where_a_script_had_it_ignored(number: int) -> None:
    program = (
        "import click, os, signal\n"
        f"signal.signal({int(number)}, signal.SIG_IGN)\n"
        "from keyroll.cli import main as cli\n"
        f"act = click.command('act')(lambda: os.kill(os.getpid(), {int(number)}))\n"
        "cli.keyroll.add_command(act)\n"
        "import sys; sys.argv = ['keyroll', 'act']\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.strip()) == (130, "keyroll: interrupted")


def test_a_terminal_that_is_closed_interrupts_unless_nohup_has_it_ignored() -> None:
    program = (
        "import click, os, signal, sys\n"
        # If these tests run under nohup, the child process inherits SIG_IGN.
        "signal.signal(signal.SIGHUP, signal.SIG_IGN if sys.argv[1:] else signal.SIG_DFL)\n"
        "from keyroll.cli import main as cli\n"
        "cli.keyroll.add_command(click.command('act')(lambda: os.kill(os.getpid(), signal.SIGHUP)))\n"
        "sys.argv = ['keyroll', 'act']\n"
        "cli.main()\n"
    )
    for words, code in (((), 130), (("nohup",), 0)):
        done = subprocess.run([sys.executable, "-c", program, *words], check=False, timeout=60, capture_output=True)
        assert done.returncode == code


ENDS = {
    "good": ("pass", 0),
    "bad": ("return ExitCode.BAD", 1),
    "unfit": ("raise InputError('wrong')", 2),
    "usage": ("raise click.UsageError('wrong')", 2),
    "defect": ("raise ZeroDivisionError", 2),
    "interrupted": ("raise KeyboardInterrupt", 130),
}


@pytest.mark.parametrize(
    ("end", "redirection"),
    [
        *(pytest.param(end, "2>/dev/full", marks=() if end == "unfit" else pytest.mark.slow) for end in ENDS),
        pytest.param("bad", "2>&-", marks=pytest.mark.slow),
        ("bad", "<&- >&- 2>&-"),
    ],
)
def test_the_exit_code_holds_where_stderr_cannot_be_written(end: str, redirection: str) -> None:
    line, code = ENDS[end]
    assert ended(f"def act():\n    {line}\n", redirection) == code


@pytest.mark.parametrize("redirection", [pytest.param(">/dev/full", marks=pytest.mark.slow), ">/dev/full 2>/dev/full"])
def test_output_that_cannot_be_written_exits_with_2(redirection: str) -> None:
    assert ended("def act():\n    click.echo('all that was asked for')\n", redirection) == 2
    assert ended("def act():\n    sys.stdout.write('x' * 100_000)\n", redirection) == 2


def test_a_bad_verdict_exits_with_1_although_its_output_cannot_be_written() -> None:
    act = "def act():\n    for _ in range(9_999): click.echo('x' * 99)\n    return ExitCode.BAD\n"
    assert ended(act, ">/dev/full") == 1
    assert ended(act, ">&-") == 1


@pytest.mark.parametrize(
    "end", [pytest.param(end, marks=() if end in ("bad", "interrupted") else pytest.mark.slow) for end in ENDS]
)
def test_a_reader_that_closes_the_pipe_early_changes_no_exit_code_and_causes_no_error_message(
    end: str, tmp_path: Path
) -> None:
    line, code = ENDS[end]
    act = f"def act():\n    for _ in range(9_999): click.echo('x' * 99)\n    {line}\n"
    assert ended(act, f'2>"{tmp_path}/said"; echo $? >"{tmp_path}/code"; }} | {{ head -n 1 >/dev/null', "{ ") == 0
    assert int((tmp_path / "code").read_text()) == code
    assert "pipe" not in (tmp_path / "said").read_text().lower()


def test_no_file_gets_the_descriptor_number_of_a_closed_standard_stream() -> None:
    act = "def act():\n    assert open('/dev/null').fileno() > 2\n    os.write(1, b'into nothing')\n"
    assert ended(act, "<&- >&- 2>&-") == 0


def ended(act: str, redirection: str, before: str = "") -> int:
    program = (
        "import click, os, sys\n"
        "from keyroll.cli import main as cli\n"
        "from keyroll.errors import *\n"
        f"{act}"
        "cli.keyroll.add_command(click.command('act')(act))\n"
        "sys.argv = ['keyroll', 'act']\n"
        "cli.main()\n"
    )
    shell = ["sh", "-c", f'{before}"$1" -c "$2" {redirection}{"; }" if before else ""}', "sh", sys.executable, program]
    return subprocess.run(shell, check=False, timeout=60).returncode


def test_a_closed_output_pipe_ends_printing_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with contextlib.suppress(BrokenPipeError), os.fdopen(writing, "w", buffering=1) as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        printer = Printer()
        for _ in range(3):
            printer.line("a line")
    assert capsys.readouterr().err == ""


def test_a_full_disk_ends_printing_and_is_reported_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.suppress(OSError), open("/dev/full", "w", buffering=1) as full:  # noqa: PTH123
        monkeypatch.setattr("sys.stdout", full)
        printer = Printer()
        for _ in range(3):
            printer.line("a line")
    assert capsys.readouterr().err == "keyroll: the output cannot be written: No space left on device\n"


def test_control_characters_in_the_output_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    Printer().line("\x1b]0;title\x07\x9b31mred\rover\ttab\u202e", style="bold")
    assert capsys.readouterr().out == "\\x1b]0;title\\x07\\x9b31mred\\x0dover      tab\\u202e\n"


def test_an_interrupt_in_a_place_whose_exceptions_python_ignores_is_not_lost() -> None:
    program = (
        "import click, os, signal, sys, time\n"
        "from keyroll.cli import main as cli\n"
        "class Ending:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        print('the end of an object is interrupted')\n"
        "def act():\n"
        "    Ending()\n"
        "    print('and goes on', flush=True)\n"
        "    time.sleep(60)\n"
        "cli.keyroll.add_command(click.command('act')(act))\n"
        "sys.argv = ['keyroll', 'act']\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=50)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "and goes on\n", "keyroll: interrupted")


def test_an_interrupt_that_is_sent_again_too_early_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    class Timer(threading.Timer):
        def start(self) -> None:
            started.append(len(started))
            if len(started) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(threading, "Timer", Timer)
    cli._send_again(cast("sys.UnraisableHookArgs", SimpleNamespace(exc_type=KeyboardInterrupt)))
    assert started == [0, 1]


def test_the_list_of_commands_has_the_help_of_each_command() -> None:
    context = click.Context(cli.keyroll)
    for name, entry in cli.COMMANDS.items():
        command = cli.keyroll.get_command(context, name)
        assert command is not None
        assert entry.help == command.get_short_help_str(limit=1000)


@pytest.mark.parametrize("group", [[], ["lab"], ["lab", "link"], ["keychain"]], ids="-".join)
def test_no_line_of_a_list_of_commands_is_cut_at_80_columns(group: list[str]) -> None:
    told = CliRunner(env={"COLUMNS": "80"}).invoke(cli.keyroll, [*group, "--help"]).output
    assert [line for line in told.partition("Commands:")[2].splitlines() if "..." in line] == []


def test_help_of_keyroll_and_of_lab_imports_no_client() -> None:
    look = (
        "import sys\nfrom keyroll.cli.main import keyroll\n"
        "keyroll.main(['--help'], standalone_mode=False)\n"
        "assert not {'keyroll.cli.run', 'rich', 'pydantic'} & set(sys.modules), sorted(sys.modules)\n"
        "keyroll.main(['lab', '--help'], standalone_mode=False)\n"
        "assert 'netmiko' not in sys.modules and 'pydantic' not in sys.modules\n"
    )
    result = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "Bring labs up, inspect them, and take them down." in result.stdout


def test_ctrl_c_while_the_command_is_imported_ends_it_without_a_traceback() -> None:
    code = """
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from keyroll.cli.entry import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
