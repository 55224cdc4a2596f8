"""`keyroll report`: the page of a run, or of many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from keyroll.errors import InputError, KeyrollError, RunError, printable


@click.command("report")
@click.argument("runs", nargs=-1, metavar="RUN...", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write here.  [default: report.html in the folder]"
)
@click.option("--markdown", is_flag=True, help="Print Markdown for a ticket instead.")
@click.option("--index", type=click.Path(path_type=Path), help="Make one page of all runs below this folder.")
@click.option("--against", type=click.Path(path_type=Path), help="With --index: an earlier night to compare with.")
def report_command(
    runs: tuple[Path, ...], output: Path | None, index: Path | None, against: Path | None, *, markdown: bool
) -> None:
    """Write a run's verdict, timeline and evidence as one HTML page.

    RUN is the folder of a run, a rehearsal, a watch or a plan, or what `keyroll check --json` wrote (- is standard
    input). The page is one file, which loads nothing from the network.

    With --index DIR -o NIGHT the folder NIGHT gets index.html (all runs), a page for each run, and night.json, for
    --against of a later night. DIR has run folders, or such folders of several machines, at any depth.
    """
    if index is not None:
        if runs:
            raise InputError("--index takes no RUN", remedy="name the runs, or the folder that holds them")
        _night(index, output, against, markdown=markdown)
        return
    if against is not None:
        raise InputError("--against needs --index", remedy="add --index DIR")
    if not runs:
        raise InputError("no run is named", remedy="name run folders, or --index DIR for all below a folder")
    if output is not None and len(runs) > 1:
        raise InputError("--output is for the page of one run", remedy="name one run, or leave --output out")
    _runs(runs, output, markdown=markdown)


def report_line(folder: Path) -> str:
    """Write the page of a run that has ended; return a line that says where it is, or why it cannot be written."""
    from keyroll.report.page import write_run_page  # noqa: PLC0415 - only when a run has ended

    try:
        return f"report: {write_run_page(folder)}"
    except (KeyrollError, OSError) as error:
        return f"no report: {error}"


def _runs(runs: tuple[Path, ...], output: Path | None, *, markdown: bool) -> None:
    from keyroll.report.read import read_subject  # noqa: PLC0415 - keeps the start of other commands light

    for place in runs:
        subject = read_subject(place)
        if markdown:
            click.echo(subject.markdown(), nl=False)
            continue
        path = output or subject.place
        if path is None:
            raise InputError("the page of standard input needs a file name", remedy="give one with -o FILE")
        _write(path, subject.page())
        click.echo(printable(f"{subject.headline}\nreport: {path}"))


def _night(index: Path, output: Path | None, against: Path | None, *, markdown: bool) -> None:
    from keyroll.report.night import (  # noqa: PLC0415 - as above
        DAMAGED,
        Night,
        headline,
        night_markdown,
        night_page,
        read_night,
        stored,
    )
    from keyroll.report.page import run_page  # noqa: PLC0415 - as above
    from keyroll.report.run import load_run  # noqa: PLC0415 - as above

    night = read_night(index)
    before = read_night(against) if against is not None else None
    if markdown:
        click.echo(night_markdown(night, before), nl=False)
        return
    if output is None:
        raise InputError("--index needs a folder to write into", remedy="add -o NIGHT")
    links: dict[str, str] = {}
    cells = {}
    for key, cell in night.cells.items():
        folder, name = Path(cell.folder), ""
        if (folder / "run.json").is_file() and cell.verdict != DAMAGED:
            text = run_page(load_run(folder))
        else:
            text = Path(cell.page).read_text("utf-8") if cell.page else ""
        if text:
            name = _page_name(folder.name, {"index.html", *links.values()})
            _write(output / name, text)
            links[cell.folder] = name
        cells[key] = replace(cell, page=name)
    _write(output / "index.html", night_page(night, links, before))
    _write(output / "night.json", stored(Night(cells)))
    click.echo(f"{headline(night)}\nreport: {output / 'index.html'}")


def _page_name(run: str, taken: set[str]) -> str:
    """Return a file name for a run's page that is not taken: runs of two folders may have the same name."""
    names = (f"{run}.html", *(f"{run}-{number}.html" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}", remedy="give another path with -o") from error
