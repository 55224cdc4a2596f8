"""`keyroll import` and `keyroll rehearse`: a scenario from two saved configurations, written or played at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Any

import click

from keyroll.cli import shared_options
from keyroll.cli.imported import Asked, imported
from keyroll.errors import ExitCode, InputError, RunError

_OPTIONS = (
    click.argument("files", nargs=2, metavar="R1.conf R2.conf", type=click.Path(path_type=Path)),
    click.option("--at", metavar="INSTANT", help="Begin at this instant: 2027-03-28T00:00Z.  [default: now]"),
    click.option("--session", metavar="ADDRESS", help="Take only the session with this peer address of R1."),
    click.option(
        "--rollovers",
        type=click.IntRange(0, 63),
        default=3,
        show_default=True,
        help="How many coming rollovers are played.",
    ),
    click.option("--skew", metavar="DURATION", default="0s", show_default=True, help="R2's clock minus R1's."),
    click.option(
        "--change",
        "changes",
        multiple=True,
        metavar="R1=FILE",
        help="A planned commit (a configuration, or set and delete lines), played with either router first.",
    ),
    click.option("--pause", metavar="DURATION", help="Time between the commits of --change.  [default: 5s]"),
    click.option(
        "--capture",
        "captures",
        multiple=True,
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="A capture of the real link (pcap, pcapng): it is judged, and the scenario lists the keys in it.",
    ),
    click.option(
        "--zone",
        metavar="ZONE",
        default="UTC",
        show_default=True,
        help="Time zone of --at, and of routers without time-zone.",
    ),
)
"""The options of both commands: one for each field of `Asked`, by its name."""


def _with_asked(function: Callable[..., ExitCode]) -> Callable[..., ExitCode]:
    """Give a command the options of `Asked`, before its own; their values are its first argument."""

    @wraps(function)
    def command(**given: Any) -> ExitCode:  # noqa: ANN401 - values of options, of each its own type
        asked = Asked(**{field.name: given.pop(field.name) for field in fields(Asked)})
        return function(asked, **given)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("import")
@_with_asked
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write the scenario here.  [default: standard output]"
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.option("--keep-names", is_flag=True, help="Keep real ASes, and in comments real names, addresses and files.")
def import_command(
    asked: Asked,
    *,
    output: Path | None,
    force: bool,
    keep_names: bool,
) -> ExitCode:
    """Write a scenario file from two saved configurations.

    The scenario plays the key rollovers that the configurations schedule.

    The file holds no secret: equal secrets become equal labels. Comments at its top list what it does not play.

    Exit code 0: written. 1: with --capture, segments of the real link are wrong. 2: the configurations are not two
    ends of a session, or with --capture not all of it could be judged.
    """
    made = imported(asked, keep_names=keep_names)
    if output is None:
        click.echo(made.text, nl=False)
        return made.carried
    try:
        with output.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(made.text)
    except FileExistsError:
        raise InputError(f"{output} already exists", remedy="--force overwrites it") from None
    except OSError as error:
        raise RunError(f"cannot write {output}: {error.strerror}") from error
    click.echo(f"{output}: {made.summary}")
    for line in made.seen.lines() if made.seen is not None else ():
        click.echo(f"seen on the link: {line}")
    return made.carried


@click.command("rehearse")
@_with_asked
@shared_options.lab
@shared_options.topology
@click.option("--seed", help="Seed of all random values.  [default: drawn, and printed]")
@shared_options.run_dir
@shared_options.no_report
@shared_options.plain
@click.option(
    "--accept-left-out",
    is_flag=True,
    help="Do not exit with 2 because something that may change the verdict was left out.",
)
@shared_options.without_secrets
def rehearse_command(
    asked: Asked,
    *,
    lab: str,
    topology: Path | None,
    seed: str | None,
    run_dir: Path | None,
    accept_left_out: bool,
    without_secrets: bool,
    no_report: bool,
    plain: bool,
) -> ExitCode:
    """Play the key rollovers of two saved configurations in a lab.

    Exit code 0: every rollover was hitless, as predicted. 1: one was not. 2: nothing can be said: the lab is unfit,
    prediction and play disagree, or something that may change the verdict was left out (--accept-left-out).
    """
    from keyroll.cli.rehearsal import play  # noqa: PLC0415 - `--help` stays instant

    return play(
        imported(asked),
        lab=lab,
        topology=topology,
        seed=seed,
        run_dir=run_dir,
        accept_left_out=accept_left_out,
        without_secrets=without_secrets,
        no_report=no_report,
        plain=plain,
    )
