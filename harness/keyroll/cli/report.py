"""`keyroll report`: the page of a run, or of many."""

from __future__ import annotations

from pathlib import Path

import click

from keyroll.errors import InputError, RunError


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write here (default: report.html in the folder)."
)
@click.option("--markdown", is_flag=True, help="Print Markdown for a ticket instead.")
def report_command(runs: tuple[Path, ...], output: Path | None, *, markdown: bool) -> None:
    """Make one HTML page of a run folder: verdict, timeline, checks with their evidence.

    The page needs nothing but itself and asks for nothing from the network.
    """
    from keyroll.report.markdown import run_markdown  # noqa: PLC0415 - keeps the start of other commands light
    from keyroll.report.page import run_page  # noqa: PLC0415 - as above
    from keyroll.report.run import load_run  # noqa: PLC0415 - as above

    if output is not None and len(runs) > 1:
        raise InputError("--output takes the page of one run", remedy="name one run, or leave --output out")
    for folder in runs:
        record = load_run(folder)
        if markdown:
            click.echo(run_markdown(record), nl=False)
            continue
        path = output or folder / "report.html"
        try:
            path.write_text(run_page(record), encoding="utf-8")
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}", remedy="name another file with -o") from error
        click.echo(f"{record.headline}\nreport: {path}")
