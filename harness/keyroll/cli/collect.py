"""`keyroll collect`: what two routers show of their protected sessions, as a bundle for a support case."""

from __future__ import annotations

from pathlib import Path

import click

from keyroll.cli import shared_options
from keyroll.errors import ExitCode
from keyroll.watch.collect import collect
from keyroll.watch.inventory import read_inventory
from keyroll.watch.login import targets


@click.command(name="collect")
@click.argument("inventory", type=click.Path(path_type=Path), metavar="ROUTERS.yml")
@click.option("-o", "output", required=True, type=click.Path(path_type=Path), help="The bundle to write (.tgz).")
@click.option("--hide-names", is_flag=True, help="Replace names of routers, hosts and users too.")
@click.option("--capture", type=click.Path(path_type=Path), help="Add the verdicts on this capture of the sessions.")
@shared_options.accept_new_host_keys
def collect_command(
    inventory: Path, *, output: Path, hide_names: bool, capture: Path | None, accept_new_host_keys: bool
) -> ExitCode:
    """Collect evidence about TCP-AO sessions for a support case.

    The bundle has chains, show output, versions and logs, and no secret.

    The routers are read as by `keyroll watch` (docs/watch.md); nothing is changed on them. Look into the bundle before
    you send it.
    """
    read = read_inventory(inventory)
    found = collect(read, targets(read, accept_new=accept_new_host_keys), hide_names=hide_names, capture=capture)
    found.write(output)
    for path, text in found.files.items():
        click.echo(f"  {len(text):>8}  {path}")
    click.echo(f"{output}: {len(found.files)} files, without secrets")
    return ExitCode.OK
