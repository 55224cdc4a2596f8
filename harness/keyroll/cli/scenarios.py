"""`keyroll list` and `keyroll schema`: which scenarios there are, and what a scenario file may contain."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from keyroll.cli.catalogue import markdown, read_entries
from keyroll.errors import printable
from keyroll.scenario.file.library import find_scenarios
from keyroll.scenario.file.read import read_cases
from keyroll.scenario.file.scenario import Scenario

_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
"""Control characters that JSON leaves unescaped and terminals act on."""


@click.command(name="list")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH…]")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print as Markdown: the text of docs/scenarios.md.")
def list_command(paths: tuple[Path, ...], *, as_json: bool, as_markdown: bool) -> None:
    """List scenarios with their titles, sources and mutations.

    PATH... are files or folders; by default the scenario library.
    """
    files = list(find_scenarios(paths))
    if as_markdown:
        click.echo(markdown(read_entries(files), beside=Path("docs")), nl=False)
        return
    rows = [
        {
            "id": case.name,
            "title": case.scenario.title,
            "source": case.scenario.source,
            "marks": list(case.marks),
            "requires": list(case.scenario.requires),
            "mutations": list(case.scenario.mutations),
            "file": shown_path(case.path),
        }
        for path in files
        for case in read_cases(path)
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False).translate(_CONTROLS))
        return
    for row in rows:
        click.echo(printable(f"{row['id']}\n    {row['title']}"))
        for name in ("source", "marks", "requires", "mutations", "file"):
            value = row[name]
            if value:
                click.echo(printable(f"    {name}: {', '.join(value) if isinstance(value, list) else value}"))


def shown_path(path: Path) -> str:
    """Return a path as a person would type it: relative if it is below the current folder."""
    here = Path.cwd()
    return os.path.relpath(path) if path.is_absolute() and path.is_relative_to(here) else str(path)


@click.command(name="schema")
@click.option("--inventory", is_flag=True, help="Print the schema of `keyroll watch`'s inventory instead.")
def schema_command(*, inventory: bool) -> None:
    """Print the JSON schema of scenario files, for editors."""
    from keyroll.watch.inventory import schema as inventory_schema  # noqa: PLC0415 - only with --inventory

    schema = inventory_schema() if inventory else Scenario.model_json_schema(by_alias=True)
    click.echo(json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2))
