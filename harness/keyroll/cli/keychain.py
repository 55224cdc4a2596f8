"""`keyroll keychain generate` and `keyroll keychain lint`: make keychains, and judge keychains that exist."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from pathlib import Path

import click

from keyroll.check.chain_judge import ChainQuestion, judge_chains
from keyroll.cli import shared_options
from keyroll.cli.arguments import STDIN, instant_of, length_of, read_text, read_zone, shown
from keyroll.cli.keychain_lint import finding_as_json, print_verdict, verdict_as_json
from keyroll.configuration import read
from keyroll.durations import parse_duration
from keyroll.errors import ExitCode, InputError
from keyroll.instants import SYSTEM
from keyroll.keychain.generate import Ids, generate
from keyroll.keychain.junostext import Encoding, set_lines
from keyroll.keychain.lint import Finding, Subject, lint
from keyroll.keychain.lint_pair import lint_course, lint_pair
from keyroll.keychain.model import AO_ID_MAX, KEYS_MAX, TOLERANCE_DEFAULT, TOLERANCE_MAX, Keychain
from keyroll.keychain.starttime import format_start_stored
from keyroll.names import Algorithm

ROUTERS = ("R1", "R2")
_JSON_VERSION = 1


@click.group()
def keychain() -> None:
    """Generate keychains, and check keychains against the rules."""


@keychain.command("generate")
@click.option(
    "--start",
    metavar="INSTANT",
    required=True,
    help="Start-time of the first key: 2026-11-24T10:00Z or 2026-11-24.10:00.",
)
@click.option("--name", metavar="NAME", default="new_auth_key", show_default=True, help="The key-chain's name.")
@click.option("--count", type=click.IntRange(1, KEYS_MAX), default=2, show_default=True, help="How many keys.")
@click.option(
    "--interval",
    metavar="DURATION",
    default="30m",
    show_default=True,
    help="Time from one start-time to the next: 90s, 30m, 1h30m.",
)
@click.option(
    "--algorithm",
    "algorithms",
    multiple=True,
    type=click.Choice([algorithm.value for algorithm in Algorithm]),
    help="Algorithm of the keys; if given several times, the keys use them in turn.  [default: hmac-sha-1-96]",
)
@click.option(
    "--ids",
    type=click.Choice([ids.value for ids in Ids]),
    default=Ids.REVERSED.value,
    show_default=True,
    help="send-id and recv-id of key n: 2n+1 and 2n+2 (reversed), both n (equal), or random (drawn).",
)
@shared_options.secret_length
@click.option(
    "--tolerance",
    type=click.IntRange(0, TOLERANCE_MAX),
    default=TOLERANCE_DEFAULT,
    show_default=True,
    help="Clock skew tolerance in seconds.",
)
@click.option(
    "--seed",
    metavar="TEXT",
    help="Seed of the secrets and of drawn ids; as secret as the secrets.  [default: drawn, not shown]",
)
@click.option(
    "--zone", metavar="ZONE", default="UTC", show_default=True, help="The routers' time zone, such as Europe/Berlin."
)
@shared_options.encoded
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path(), help="Folder for R1.set and R2.set.  [default: .]"
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@click.option("--json", "as_json", is_flag=True, help="Print the keychain as JSON, without secrets.")
def generate_command(
    *,
    start: str,
    name: str,
    count: int,
    interval: str,
    algorithms: tuple[str, ...],
    ids: str,
    secret_length: int,
    tolerance: int,
    seed: str | None,
    zone: str,
    encoded: bool,
    out: Path,
    force: bool,
    as_json: bool,
) -> ExitCode:
    """Write R1's and R2's keychains as set commands.

    The files R1.set and R2.set are for `load set` on each router. They hold secrets (mode 0600).
    """
    where = read_zone(zone)
    first = instant_of("--start", start, where)
    try:
        step = parse_duration(interval)
    except ValueError as error:
        raise InputError(f"--interval: {error}") from None
    chain = generate(
        secrets.token_hex(32) if seed is None else seed,
        name=name,
        count=count,
        first=first,
        interval=step,
        algorithms=tuple(Algorithm(value) for value in algorithms) or (Algorithm.HMAC_SHA_1_96,),
        ids=Ids(ids),
        secret_length=secret_length,
        tolerance=tolerance,
    )
    chains = dict(zip(ROUTERS, (chain, chain.mirrored()), strict=True))
    encoding = Encoding.TYPE9 if encoded else Encoding.CLEAR
    texts = {
        out / f"{router}.set": "".join(f"{line}\n" for line in set_lines(held, encoding, zone=where))
        for router, held in chains.items()
    }
    write_secret_files(texts, force=force)
    one, other = (Subject.bare(held, router) for router, held in chains.items())
    findings = [*lint(one), *lint_pair(one, other), *lint_course(one, other)]
    if as_json:
        click.echo(_json({**_plan(chain, where), "files": dict(zip(ROUTERS, map(str, texts), strict=True)),
                          "findings": [finding_as_json(finding) for finding in findings]}))  # fmt: skip
    else:
        _print_plan(chain, where, list(texts), findings)
    return ExitCode.OK


@keychain.command("lint")
@click.argument("one", type=click.Path(path_type=Path), metavar="R1")
@click.argument("other", type=click.Path(path_type=Path), metavar="[R2]", required=False)
@click.option(
    "--at",
    metavar="INSTANT",
    help="When the change is made, an instant or `now`: the first start-time must have passed by then.",
)
@click.option(
    "--chain", "names", metavar="NAME", multiple=True, help="Judge only this key-chain (given twice: R1's, then R2's)."
)
@click.option(
    "--max-age",
    metavar="DURATION",
    help="How long a key may be in use: 180d (STIG JUNI-RT-000050).  [default: any]",
)
@shared_options.without_secrets
@click.option(
    "--zone",
    metavar="ZONE",
    default="UTC",
    show_default=True,
    help="The routers' time zone, for start-times that name none.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def lint_command(
    one: Path,
    other: Path | None,
    *,
    at: str | None,
    names: tuple[str, ...],
    max_age: str | None,
    without_secrets: bool,
    zone: str,
    as_json: bool,
) -> ExitCode:
    """Judge the key-chains of one or two configurations.

    The rules cover the chains, how the sessions use them, and two routers' chains together.

    R1 and R2 are configurations, whole or in part, in any form that Junos shows: curly, set commands, XML, JSON, a log
    of a terminal; - is standard input.

    Exit code 0: no errors (there may be warnings and advice). 1: errors. 2: a file cannot be read, or something that
    matters to the chains is unknown: removed secrets, lines that are not understood.
    """
    where = read_zone(zone)
    now = SYSTEM.wall().moment
    instant = None if at is None else instant_of("--at", at, where, now=now)
    question = ChainQuestion(
        now if instant is None else instant,
        at=instant,
        max_age=None if max_age is None else length_of("--max-age", max_age),
        names=names,
        without_secrets=without_secrets,
    )
    paths = [one] if other is None else [one, other]
    if len(names) > len(paths):
        raise InputError(f"--chain is given {len(names)} times for {len(paths)} file(s)")
    if paths.count(STDIN) > 1:
        raise InputError("only one of R1 and R2 can be standard input")
    verdict = judge_chains([read(read_text(path), shown(path), zone=where) for path in paths], question)
    if as_json:
        click.echo(_json(verdict_as_json(verdict)))
    else:
        print_verdict(verdict)
    return verdict.exit_code


def write_secret_files(texts: Mapping[Path, str], *, force: bool) -> None:
    """Write files that hold secrets: mode 0600 from the first instant, none overwritten unless `force`."""
    if not force:
        for path in texts:
            if os.path.lexists(path):
                raise InputError(f"{path} already exists", remedy="--force overwrites it, --out writes elsewhere")
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if force:
                path.unlink(missing_ok=True)  # not written through: it may be a link, or readable by others
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}") from None


def _plan(chain: Keychain, zone: tzinfo) -> dict[str, object]:
    return {
        "version": _JSON_VERSION,
        "chain": chain.name,
        "tolerance": chain.tolerance,
        "keys": [
            {
                "id": key.id,
                "start": None if key.start is None else key.start.astimezone(zone).isoformat(),
                "send_id": key.send_id,
                "recv_id": key.recv_id,
                "algorithm": key.effective_algorithm.value,
            }
            for key in chain.keys
        ],
    }


def _print_plan(chain: Keychain, zone: tzinfo, paths: Sequence[Path], findings: Sequence[Finding]) -> None:
    click.echo(f"key-chain {chain.name}, tolerance {chain.tolerance} s (ids as R1 has them; R2's are reversed)")
    width = len(str(AO_ID_MAX))
    for key in chain.keys:
        start = "" if key.start is None else format_start_stored(key.start, zone)
        ids = f"send-id {key.send_id:>{width}}  recv-id {key.recv_id:>{width}}"
        click.echo(f"  key {key.id:>2}  {start:<25}  {ids}  {key.effective_algorithm.value}")
    for finding in findings:
        click.echo(f"{finding.severity.value}: {finding.message} [{finding.rule.id}]")
    click.echo("They hold secrets (mode 0600). On each router, in configuration mode: load set FILE, commit")
    for router, path in zip(ROUTERS, paths, strict=True):
        click.echo(f"  {router}: {path}")


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
