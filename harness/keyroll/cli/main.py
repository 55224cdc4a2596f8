"""The command `keyroll`: one group, a sub-command a module."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass

import click

from keyroll import __version__
from keyroll.errors import ExitCode, KeyrollError


@dataclass(frozen=True, slots=True)
class Entry:
    """A sub-command that is not imported yet: `module:function`, and the first words of its help."""

    target: str
    help: str


COMMANDS: Mapping[str, Entry] = {
    "doctor": Entry("keyroll.cli.doctor:doctor", "Say what this machine can do, with the remedy where it cannot."),
    "keychain": Entry("keyroll.cli.keychain:keychain", "Plan the keychains of a rollover, and judge planned ones."),
    "keys": Entry(
        "keyroll.cli.keys:keys_command",
        "Write the keys of a run as a keys file for `keyroll verify CAPTURE --keys FILE`.",
    ),
    "lab": Entry("keyroll.cli.lab:lab", "Keep labs up, look into them, take them down."),
    "list": Entry(
        "keyroll.cli.scenarios:list_command",
        "List scenarios: id, title, source, marks, requirements, mutations (PATH: files or folders; the library).",
    ),
    "report": Entry("keyroll.cli.report:report_command", "Make one HTML page of a run folder."),
    "run": Entry("keyroll.cli.run:run_command", "Play scenario files and say whether what they expect holds."),
    "schema": Entry("keyroll.cli.scenarios:schema_command", "Print the JSON schema of scenario files, for editors."),
    "verify": Entry("keyroll.cli.verify:verify", "Judge every TCP segment of CAPTURE..."),
}
"""The sub-commands; imported only when they are used, so that `keyroll --help` is instant."""
_AGAIN_SECONDS = 0.02
"""From a Ctrl-C that Python lost to the next one."""
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
        command = getattr(__import__(module, fromlist=[attribute]), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.target} is not a click command")
        return command

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


def heed_signals() -> None:
    """Have SIGINT and SIGTERM end what the main thread does with KeyboardInterrupt, whatever that is at the moment.

    A shell starts background jobs of scripts with SIGINT ignored, and a CI runner cancels with SIGTERM: both are to end
    a run as Ctrl-C does, with the lab taken down and the result written.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    sys.unraisablehook = _send_again


def _send_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Send a Ctrl-C again that came in a place whose exceptions Python ignores (a callback of an import, `__del__`)."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)
        return
    # From a thread and a moment later: the main one has to be out of that place by then.
    again = threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT))
    again.daemon = True
    again.start()


def main() -> None:
    """Run the command line; every `KeyrollError` ends as one sentence on stderr and its exit code.

    Whatever else goes wrong ends with 2: the interpreter's own 1 would say that what was judged is bad.
    """
    heed_signals()
    try:
        code = keyroll.main(standalone_mode=False)
    except KeyrollError as error:
        click.echo(f"keyroll: {error}", err=True)
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        click.echo("keyroll: interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.UNFIT)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except SystemExit:  # click's own way out when the reader of a pipe has gone
        sys.exit(ExitCode.UNFIT)
    except OSError as error:
        # Files that people name have their own errors; what is left is output that cannot be written.
        click.echo(f"keyroll: {error.filename or 'the output'}: {error.strerror or error}", err=True)
        _drop_output()
        sys.exit(ExitCode.UNFIT)
    except Exception:  # noqa: BLE001 -- the outermost place: a defect of keyroll's own must not end as "bad"
        traceback.print_exc()
        click.echo("keyroll: this is a defect of keyroll itself; please report it with the lines above", err=True)
        sys.exit(ExitCode.UNFIT)
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _drop_output() -> None:
    """Let what could not be written go, or the interpreter would try again, fail, and change the exit code."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 -- os.devnull is no path to compose
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
