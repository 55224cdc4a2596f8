"""The command `keyroll`: one group, with a module for each sub-command."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import click

from keyroll import __version__
from keyroll.cli.output import (
    drop_output_that_cannot_be_written,
    flush_standard_streams,
    open_standard_streams,
    say,
    why_not_written,
)
from keyroll.errors import ExitCode, KeyrollError
from keyroll.suggest import did_you_mean


@dataclass(frozen=True, slots=True)
class Entry:
    """A sub-command that is not imported yet: `module:function`, and the first words of its help."""

    target: str
    help: str


COMMANDS: Mapping[str, Entry] = {
    "check": Entry("keyroll.cli.check:check", "Predict from configurations whether rollovers are hitless."),
    "collect": Entry(
        "keyroll.cli.collect:collect_command",
        "Collect evidence about TCP-AO sessions for a support case.",
    ),
    "doctor": Entry("keyroll.cli.doctor:doctor", "Say what this machine can do, and how to fix what it cannot."),
    "keychain": Entry("keyroll.cli.keychain:keychain", "Generate keychains, and check keychains against the rules."),
    "keys": Entry(
        "keyroll.cli.keys:keys_command",
        "Write the keys of a run as a keys file for `keyroll verify`.",
    ),
    "lab": Entry("keyroll.cli.lab:lab", "Bring labs up, inspect them, and take them down."),
    "list": Entry(
        "keyroll.cli.scenarios:list_command",
        "List scenarios with their titles, sources and mutations.",
    ),
    "import": Entry(
        "keyroll.cli.rehearse:import_command",
        "Write a scenario file from two saved configurations.",
    ),
    "rehearse": Entry(
        "keyroll.cli.rehearse:rehearse_command", "Play the key rollovers of two saved configurations in a lab."
    ),
    "plan": Entry(
        "keyroll.cli.plan:plan_command",
        "Plan which keys to add and to delete on each change date.",
    ),
    "report": Entry(
        "keyroll.cli.report:report_command",
        "Write a run's verdict, timeline and evidence as one HTML page.",
    ),
    "run": Entry("keyroll.cli.run:run_command", "Play scenario files and judge what they expect."),
    "schema": Entry("keyroll.cli.scenarios:schema_command", "Print the JSON schema of scenario files, for editors."),
    "watch": Entry(
        "keyroll.cli.watch:watch_command",
        "Watch a key rollover on two real routers, read-only.",
    ),
    "verify": Entry("keyroll.cli.verify:verify", "Judge every TCP segment of a capture that TCP-AO must protect."),
}
"""The sub-commands; imported only when they are used, so that `keyroll --help` is instant."""
_AGAIN_SECONDS = 0.02
"""Seconds from a Ctrl-C that Python lost to the one that is sent again."""
_FRAME = 6
"""Columns that click leaves beside a command's name and its help."""


class _LazyGroup(click.Group):
    """A click group that imports a sub-command's module when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all sub-commands, sorted."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the sub-command of that name, or None."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = entry.target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.target} is not a click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the sub-command as click does; for a mistyped one suggest a name, as click does for options."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            remedy = did_you_mean(args[0], self.list_commands(ctx)) if args else None
            if remedy is None:
                raise
            raise click.UsageError(f"{error.message} {remedy[0].upper()}{remedy[1:]}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of sub-commands as click does, but import none of them for it."""
        names = self.list_commands(ctx)
        room = formatter.width - _FRAME - max(map(len, names))
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._named(name).get_short_help_str(room)) for name in names])

    def _named(self, name: str) -> click.Command:
        entry = COMMANDS.get(name)
        return self.commands[name] if entry is None else click.Command(name, help=entry.help)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="keyroll")
def keyroll() -> None:
    """Prove that a TCP-AO key rollover between Junos routers is hitless before it is done in production."""


def handle_signals() -> None:
    """Make SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread.

    A shell starts background jobs of scripts with SIGINT ignored, a CI runner cancels with SIGTERM, and a terminal that
    is closed sends SIGHUP: all must end a run as Ctrl-C does, with the lab taken down and the result written. If SIGHUP
    is ignored, it stays so: that is how `nohup` keeps a command running.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    sys.unraisablehook = _send_again


def _send_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Send a Ctrl-C again that arrived where Python ignores exceptions (a callback of an import, `__del__`)."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)
        return
    seconds = _AGAIN_SECONDS
    while True:
        try:
            # From a thread and a moment later, when the main thread is no longer there.
            again = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
            again.daemon = True
            again.start()
        except KeyboardInterrupt:  # on a busy machine it is sent before this function returns, and would be lost again
            seconds *= 2
            continue
        return


def main() -> None:
    """Run the command line. A `KeyrollError` is printed as one sentence on stderr, and sets the exit code.

    Any other exception exits with 2: Python's own exit code 1 would mean that something judged is bad.
    """
    open_standard_streams()
    drop_output_that_cannot_be_written()
    handle_signals()
    code = _run()
    problem = why_not_written()
    if problem is not None:
        say(f"keyroll: the output: {problem.strerror or problem}")
        code = code or ExitCode.UNFIT  # what is judged bad stays bad
    flush_standard_streams()
    sys.exit(code)


_NO_CHOICE = re.compile(r"'(?P<word>[^']*)' is not one of (?P<known>'.*')\.")


def _with_word(error: click.ClickException) -> click.ClickException:
    """Return click's error about a wrong choice with a suggestion; other errors unchanged."""
    found = _NO_CHOICE.search(error.message) if isinstance(error, click.BadParameter) else None
    remedy = did_you_mean(found["word"], re.findall(r"'([^']*)'", found["known"])) if found else None
    if remedy is None or not isinstance(error, click.BadParameter):
        return error
    message = f"{error.message} {remedy[0].upper()}{remedy[1:]}"
    return click.BadParameter(message, error.ctx, error.param, error.param_hint)


def _run() -> int:
    try:
        code = keyroll.main(standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyrollError as error:
        say(f"keyroll: {error}")
        code = error.exit_code
    except click.exceptions.Abort:
        say("keyroll: interrupted")
        code = ExitCode.INTERRUPTED
    except click.ClickException as error:
        with contextlib.suppress(OSError, ValueError):
            _with_word(error).show()
        code = ExitCode.UNFIT
    except click.exceptions.Exit as error:
        code = error.exit_code
    except SystemExit:  # click's own way out when the reader of a pipe has gone
        code = ExitCode.UNFIT
    except OSError as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # click could not end the line that shows ^C
            return ExitCode.INTERRUPTED
        # Files that people name raise their own errors, so this is output that cannot be written.
        say(f"keyroll: {error.filename or 'the output'}: {error.strerror or error}")
        code = ExitCode.UNFIT
    except Exception:  # noqa: BLE001 -- the outermost place: a defect of keyroll's own must not end as "bad"
        import traceback  # noqa: PLC0415 - only a defect needs it, and `keyroll --help` is to be instant

        say(traceback.format_exc().rstrip())
        say("keyroll: this is a defect of keyroll itself; please report it with the lines above")
        code = ExitCode.UNFIT
    return code if isinstance(code, int) else ExitCode.OK
