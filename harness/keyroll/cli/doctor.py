"""`keyroll doctor`: what this machine can do, and what would help where it cannot."""

from __future__ import annotations

import json

import click

from keyroll.emulator.junos.configuration.statements import without_effect
from keyroll.errors import ExitCode
from keyroll.lab.doctor import Finding, State, examine

_MARKS = {State.GOOD: "ok", State.MISSING: "no", State.OPTIONAL: "-"}


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def doctor(*, as_json: bool) -> int:
    """Say what this machine can do, with the remedy where it cannot. Ends with 2 when an embedded lab cannot run."""
    findings = examine()
    fit = all(finding.state is not State.MISSING for finding in findings)
    if as_json:
        report = {
            "v": 1,
            "fit": fit,
            "findings": [_entry(finding) for finding in findings],
            "without_effect": without_effect(),
        }
        click.echo(json.dumps(report, indent=1))
    else:
        for finding in findings:
            click.echo(f"{_MARKS[finding.state]:<3} {finding.name:<22} {finding.found}")
            if finding.remedy and finding.state is not State.GOOD:
                click.echo(f"{'':<26} {finding.remedy}")
        kept = len(without_effect())
        click.echo(f"\nemulated routers keep and show {kept} statements without effect: docs/emulated.md lists them")
        click.echo("\nan embedded lab can run here" if fit else "\nan embedded lab cannot run here: see `no` above")
    return ExitCode.OK if fit else ExitCode.UNFIT


def _entry(finding: Finding) -> dict[str, str | None]:
    return {
        "name": finding.name,
        "state": finding.state.value,
        "found": finding.found,
        "remedy": finding.remedy,
        "for": finding.needed_for,
    }
