"""The command `keyroll`: one group, a sub-command a module."""

from __future__ import annotations

import os
import signal
import sys
import traceback

import click

from harness import __version__
from harness.errors import ExitCode, KeyrollError

COMMANDS: dict[str, str] = {
    "doctor": "harness.cli.doctor:doctor",
    "keychain": "harness.cli.keychain:keychain",
    "keys": "harness.cli.keys:keys_command",
    "lab": "harness.cli.lab:lab",
    "list": "harness.cli.run:list_command",
    "run": "harness.cli.run:run_command",
    "schema": "harness.cli.run:schema_command",
    "verify": "harness.cli.verify:verify",
}
"""Sub-command to `module:function`; imported only when asked for, so that `keyroll --help` is instant."""


class _LazyGroup(click.Group):
    """A click group that imports a sub-command's module when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all sub-commands, sorted."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the sub-command of that name, or None."""
        target = COMMANDS.get(cmd_name)
        if target is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = target.partition(":")
        command = getattr(__import__(module, fromlist=[attribute]), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{target} is not a click command")
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="keyroll")
def keyroll() -> None:
    """Prove that a TCP-AO key rollover between Junos routers is hitless before it is done in production."""


def main() -> None:
    """Run the command line; every `KeyrollError` ends as one sentence on stderr and its exit code.

    Whatever else goes wrong ends with 2: the interpreter's own 1 would say that what was judged is bad.
    """
    # A shell starts background jobs of scripts with SIGINT ignored, and a CI runner cancels with SIGTERM: both are to
    # end a run as Ctrl-C does, with the lab taken down and the result written.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
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
