"""`keyroll doctor`: what this machine can do, and how to fix what it cannot."""

from __future__ import annotations

import json
import os
import tarfile
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from keyroll import __version__
from keyroll.emulator.junos.configuration.statements import without_effect
from keyroll.errors import ExitCode
from keyroll.lab.doctor import Finding, State, examine

_MARKS = {State.GOOD: "ok", State.MISSING: "no", State.OPTIONAL: "-"}


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--image", metavar="NAME", help="Try a router image: start two routers, test what keyroll needs.")
@click.option(
    "--lab", "kind", metavar="KIND", help="With --image: the kind of lab, if the image's name does not show it."
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("keyroll-image.tar.gz"),
    show_default=True,
    help="With --image: the file for the results.",
)
def doctor(*, as_json: bool, image: str | None, kind: str | None, out: Path) -> int:
    """Say what this machine can do, and how to fix what it cannot.

    Exit code 0: an embedded lab can run here. 2: it cannot. With --image, 2: a test of the image failed.
    """
    findings = examine()
    if image is not None:
        return _try_image(image, kind, out, findings)
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


def _try_image(image: str, kind: str | None, out: Path, findings: list[Finding]) -> int:
    """Play the first steps of docs/containerlab.md, "The first night on a real image"."""
    from keyroll.scenario.labs import image_check  # noqa: PLC0415 - plain doctor needs no SSH client
    from keyroll.scenario.labs.make import lab_maker  # noqa: PLC0415 - as above

    lab, platform = image_check.kind_of(image) if kind is None else (kind, image_check.platform_of_lab(kind))
    os.environ[platform.image_variable] = image  # the topology file names the image by it
    with tempfile.TemporaryDirectory(prefix="keyroll-image-") as place:
        folder = Path(place) / "keyroll-image"
        evidence = folder / "lab"
        evidence.mkdir(parents=True)
        steps = []
        for step in image_check.check(lab_maker(lab)(evidence, {}), folder):
            steps.append(step)
            click.echo(f"{'ok' if step.good else 'no':<3} {step.name}: {step.said}")
        report = {
            "v": 1,
            "image": image,
            "lab": lab,
            "keyroll": __version__,
            "steps": [asdict(step) for step in steps],
            "findings": [_entry(finding) for finding in findings],
        }
        (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
        with tarfile.open(out, "w:gz") as bundle:
            bundle.add(folder, arcname=folder.name)
    click.echo(f"\n{out} has all results; docs/containerlab.md says what to do next, and what to send back")
    return ExitCode.OK if all(step.good for step in steps) else ExitCode.UNFIT


def _entry(finding: Finding) -> dict[str, str | None]:
    return {
        "name": finding.name,
        "state": finding.state.value,
        "found": finding.found,
        "remedy": finding.remedy,
        "for": finding.needed_for,
    }
