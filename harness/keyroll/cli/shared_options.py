"""Options that several commands have: each is written once, as a decorator."""

from __future__ import annotations

from pathlib import Path

import click

from keyroll.keychain.generate import SECRET_LENGTH_DEFAULT
from keyroll.keychain.model import SECRET_MAX
from keyroll.scenario.labs.make import EMBEDDED, LABS

lab = click.option("--lab", type=click.Choice(LABS), default=EMBEDDED, show_default=True, help="Where the routers run.")
topology = click.option("--topology", type=click.Path(path_type=Path), help="A containerlab topology file.")
run_dir = click.option(
    "--run-dir", type=click.Path(path_type=Path), help="Put the run folder here.  [default: runs/<time>-<id>-<seed>]"
)
no_report = click.option("--no-report", is_flag=True, help="Write no report.html into the run folder.")
plain = click.option("--plain", is_flag=True, help="Print only lines, without the live view.")
without_secrets = click.option(
    "--without-secrets", is_flag=True, help="Do not exit with 2 because the files do not show secrets."
)
encoded = click.option("--encoded", is_flag=True, help="Write secrets as $9$ instead of in clear.")
secret_length = click.option(
    "--secret-length",
    type=click.IntRange(1, SECRET_MAX),
    default=SECRET_LENGTH_DEFAULT,
    show_default=True,
    help="Letters and digits in a secret.",
)
accept_new_host_keys = click.option(
    "--accept-new-host-keys", is_flag=True, help="Accept unknown host keys, and add them to the file of known hosts."
)
