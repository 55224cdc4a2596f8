"""`keyroll plan`: writes set files that add and delete a keychain's keys, for each change date."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import click

from keyroll.check.judge import Question
from keyroll.check.unknown_zones import names_no_known_zone
from keyroll.cli import shared_options
from keyroll.cli.arguments import instant_of, read_zone
from keyroll.cli.output import until_the_reader_closes
from keyroll.cli.plan_files import write_together
from keyroll.cli.plan_secrets import drawing
from keyroll.configuration import Chain, Configuration, Kind, Node, in_own_zone, read
from keyroll.durations import format_duration, parse_duration
from keyroll.errors import ExitCode, InputError, Where, printable
from keyroll.instants import SYSTEM
from keyroll.keychain.generate import Ids
from keyroll.keychain.junostext import Encoding
from keyroll.keychain.model import Keychain
from keyroll.names import Algorithm
from keyroll.plan.as_json import read_history
from keyroll.plan.build import plan
from keyroll.plan.emergency import emergency as plan_emergency
from keyroll.plan.files import files
from keyroll.plan.markdown import markdown
from keyroll.plan.model import (
    COMMIT_DEFAULT,
    LEAD_DEFAULT,
    PAUSE_DEFAULT,
    SKEW_DEFAULT,
    SPACING_DEFAULT,
    PlanRefusedError,
    Request,
    Retired,
    Router,
)
from keyroll.plan.notes import About, Checked, Note, Remark
from keyroll.plan.sessions import Judged, judged, keys_of_groups, protected

_FILE_NAME = re.compile(r"\w[\w.-]*")
"""Valid router names: files are named after them, and they may come from somebody else's configuration."""


class _Length(click.ParamType[timedelta]):
    """A duration such as 90d, 12h, 30m."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            length = parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if length < timedelta():
            self.fail("should not be negative", param, ctx)
        return length


def _shown(length: timedelta) -> str:
    return f"  [default: {format_duration(length)}]"


@click.command("plan")
@click.argument("configs", nargs=-1, metavar="CONFIG...", type=click.Path(path_type=Path))
@click.option("--new", "names", help="Plan a new chain for these routers instead: R1,R2.")
@click.option("--chain", "chain_name", help="The key-chain to plan (needed where a configuration has several).")
@click.option("--until", metavar="DATE", help="Plan until this day: 2028-12-31.")
@click.option("--every", type=_Length(), help="Time from one start-time to the next: 90d.")
@click.option("--at", metavar="INSTANT", help="Plan from this instant on.  [default: now]")
@click.option("--max-age", type=_Length(), help="How long a key may be active at most (a STIG requires 180d).")
@click.option(
    "--ahead", type=click.IntRange(1, 60), default=1, show_default=True, help="How many future keys a chain has."
)
@click.option(
    "--spacing",
    type=_Length(),
    default=SPACING_DEFAULT,
    help=f"Refuse keys whose start-times are closer than this.{_shown(SPACING_DEFAULT)}",
)
@click.option(
    "--quarantine",
    type=_Length(),
    default=timedelta(),
    help="No id or key number is reused for this long after its deletion.",
)
@click.option(
    "--history",
    type=click.Path(path_type=Path),
    help="plan.json of the last plan, for --quarantine: it has the deleted ids.",
)
@click.option(
    "--ids",
    type=click.Choice([Ids.REVERSED.value, Ids.EQUAL.value]),
    help="How send-id and recv-id are chosen.  [default: as the chain has them]",
)
@click.option(
    "--algorithm", "algorithms", multiple=True, metavar="[DATE=]NAME", help="Algorithm of new keys, from a date on."
)
@click.option(
    "--zone",
    "zones",
    multiple=True,
    metavar="[ROUTER=]ZONE",
    help="Zone to write a router's start-times in.  [default: its own time-zone, or UTC]",
)
@click.option(
    "--skew", type=_Length(), default=SKEW_DEFAULT, help=f"How far the clocks may be apart.{_shown(SKEW_DEFAULT)}"
)
@click.option(
    "--lead",
    type=_Length(),
    default=LEAD_DEFAULT,
    help=f"Change this long before a key takes over.{_shown(LEAD_DEFAULT)}",
)
@click.option(
    "--pause", type=_Length(), default=PAUSE_DEFAULT, help=f"Time between two routers' commits.{_shown(PAUSE_DEFAULT)}"
)
@click.option(
    "--commit-time", type=_Length(), default=COMMIT_DEFAULT, help=f"How long a commit may take.{_shown(COMMIT_DEFAULT)}"
)
@click.option("--seed", help="Draw secrets from this; keep it as secret as they are.  [default: random, not shown]")
@shared_options.secret_length
@click.option(
    "--secret-command", help="A program that prints one secret per line, run without a shell: 'vault-client get keys'."
)
@shared_options.without_secrets
@shared_options.encoded
@click.option(
    "--emergency", type=int, metavar="KEY", help="The secret of this key (its number on the first router) has leaked."
)
@click.option(
    "--unreachable", "away", multiple=True, metavar="ROUTER", help="With --emergency: a router that cannot be changed."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("plan"),
    show_default=True,
    help="Folder for the files.",
)
@click.option("--force", is_flag=True, help="Replace an existing plan in the folder.")
def plan_command(
    *,
    configs: tuple[Path, ...],
    names: str | None,
    chain_name: str | None,
    until: str | None,
    every: timedelta | None,
    at: str | None,
    max_age: timedelta | None,
    ahead: int,
    spacing: timedelta,
    quarantine: timedelta,
    history: Path | None,
    ids: str | None,
    algorithms: tuple[str, ...],
    zones: tuple[str, ...],
    skew: timedelta,
    lead: timedelta,
    pause: timedelta,
    commit_time: timedelta,
    seed: str | None,
    secret_length: int,
    secret_command: str | None,
    without_secrets: bool,
    encoded: bool,
    emergency: int | None,
    away: tuple[str, ...],
    output: Path,
    force: bool,
) -> ExitCode:
    """Plan which keys to add and to delete on each change date.

    CONFIG... are the configurations of the routers that share the chain, in any form. The folder gets, for each change
    date, ROUTER.set and ROUTER.rollback.set (mode 0600: they hold secrets), and plan.md and plan.json without secrets.
    Each state in between is judged under every mix of key policies. A plan that is not hitless is refused, and the
    message says what to change.

    Exit code 0: every state of the plan is hitless. 1: with --emergency, `keyroll check` finds errors, which the plan
    lists. 2: the plan is refused; or it is written, but something that matters to it is not known.
    """
    now = SYSTEM.wall().moment if at is None else instant_of("--at", at, UTC)
    given = _given(
        configs, names, chain_name or "new_auth_key" if names else chain_name, _zones(zones), frozenset(away)
    )
    routers = given.routers
    question = Question(at=now, skew=skew, without_secrets=True)  # the plan lists unknown secrets by router and key
    looked = judged(given.configurations, {router.name: router.chain.name for router in routers}, question)
    if looked.errors and emergency is None:
        raise _refused_for_errors(looked)
    unknown: tuple[Note, ...] = (*given.unknown, *(Checked(finding) for finding in looked.unknown))
    secrets_unknown = tuple(_unknown_secrets(routers))
    if emergency is None and (until is None or every is None):
        raise InputError("a plan needs --until and --every", remedy="use them as in --until 2028-12-31 --every 90d")
    if away and emergency is None:
        raise InputError(
            "--unreachable is for --emergency",
            remedy="leave it out: the plan says how much later one router may be changed",
        )
    request = Request(
        routers=routers,
        at=now,
        until=now if until is None else instant_of("--until", until, UTC),
        every=every or timedelta(days=1),
        draw=drawing(seed, secret_length, secret_command),
        max_age=max_age,
        ahead=ahead,
        spacing=spacing,
        quarantine=quarantine,
        ids=None if ids is None else Ids(ids),
        algorithms=tuple(sorted((_algorithm(text) for text in algorithms), key=lambda item: item[0])),
        skew=skew,
        lead=lead,
        pause=pause,
        commit=commit_time,
        history=() if history is None else _history(history),
        notes=(
            *(Checked(finding) for finding in looked.errors),
            *unknown,
            *secrets_unknown,
            *_without_sessions(given, looked),
        ),
    )
    try:
        found = plan_emergency(request, emergency) if emergency is not None else plan(request)
    except OverflowError:  # datetime ends with the year 9999
        raise InputError("the plan runs beyond the year 9999", remedy="use an earlier --at or --until") from None
    encoding = Encoding.TYPE9 if encoded else Encoding.CLEAR
    write_together(output, {file.path: file.text for file in files(found, request, encoding)}, force=force)
    with until_the_reader_closes():
        click.echo(markdown(found, request), nl=False)
        click.echo(f"\nfiles: {output} (the .set files hold secrets)")
    if looked.errors:
        return ExitCode.BAD
    return ExitCode.UNFIT if unknown or (secrets_unknown and not without_secrets) else ExitCode.OK


@dataclass(frozen=True, slots=True)
class _Given:
    """The routers of a plan, the configurations that they are from (none with --new), and what is not known."""

    routers: tuple[Router, ...]
    configurations: tuple[Configuration, ...] = ()
    unknown: tuple[Remark, ...] = ()


_ERRORS_SHOWN = 3
"""Errors that a refusal quotes: it is one sentence, and `keyroll check` lists them all."""


def _refused_for_errors(looked: Judged) -> PlanRefusedError:
    shown = "; ".join(str(finding) for finding in looked.errors[:_ERRORS_SHOWN])
    more = len(looked.errors) - _ERRORS_SHOWN
    return PlanRefusedError(
        f"sessions of the chain have errors: {shown}" + (f"; and {more} more" if more > 0 else ""),
        remedy="correct them first; `keyroll check` of these configurations lists everything",
    )


def _without_sessions(given: _Given, looked: Judged) -> Iterator[Remark]:
    if given.configurations and not looked.sessions:
        yield Remark(About.NO_SESSION, "no session in the configurations uses the chain: only the chains are judged")


def _given(
    configs: Sequence[Path], names: str | None, chain_name: str | None, zones: dict[str, tzinfo], away: frozenset[str]
) -> _Given:
    if names is not None:
        if configs:
            raise InputError("--new takes no CONFIG", remedy="leave out the configurations or --new")
        listed = [name.strip() for name in names.split(",") if name.strip()]
        chain = Keychain(chain_name or "new_auth_key")
        _refuse_strange(listed, zones, away)
        return _Given(tuple(_router(name, chain, zones, away) for name in listed))
    if not configs:
        raise InputError("no configuration is given", remedy="give the routers' configurations, or --new R1,R2")
    found = [in_own_zone(_read(path, zones)) for path in configs]
    chains = [_chain(one, chain_name) for one in found]
    routers = tuple(
        replace(_router(_name(one), chain.keychain, zones, away, one.zone), deactivated=_deactivated(one, chain))
        for one, chain in zip(found, chains, strict=True)
    )
    _refuse_strange([router.name for router in routers], zones, away)
    expanded = (
        Remark(
            About.GROUPS_EXPANDED,
            f"{one.name}: groups are expanded in this text, so it does not show which keys come from a group; use "
            "`show configuration` without `display inheritance`",
            _name(one),
            unknown=True,
        )
        for one in found
        if one.inherited
    )
    return _Given(routers, tuple(found), tuple(expanded))


def _refuse_strange(names: Sequence[str], zones: dict[str, tzinfo], away: frozenset[str]) -> None:
    """Refuse a name that two routers have, and a name in an option that no router has."""
    if len(set(names)) < len(names):
        raise InputError(f"two routers are named {max(names, key=names.count)}", remedy="give each a different name")
    shared = next((name for name in names if f"{name}.rollback" in names), None)
    if shared is not None:
        raise InputError(
            f"routers {shared} and {shared}.rollback would share the file {shared}.rollback.set",
            remedy="plan them in two runs, or rename one",
        )
    strange = (set(zones) | away) - {*names, ""}
    if strange:
        raise InputError(f"no router is named {min(strange)}", remedy=f"routers are: {', '.join(names)}")


def _unknown_secrets(routers: Sequence[Router]) -> Iterator[Remark]:
    for router in routers:
        unknown = tuple(key.id for key in router.chain.keys if key.secret is not None and not key.secret.known)
        if unknown:
            yield Remark(
                About.SECRETS_UNKNOWN,
                f"{router.name}: the secrets of keys {', '.join(map(str, unknown))} are not known: they are assumed to "
                f"match, and {router.name}.rollback.set cannot restore these keys",
                router.name,
                unknown,
                unknown=True,
            )


def _router(name: str, chain: Keychain, zones: dict[str, tzinfo], away: frozenset[str], own: tzinfo = UTC) -> Router:
    if _FILE_NAME.fullmatch(name) is None:
        raise InputError(
            f"router {printable(name)!r} cannot name a file", remedy="a name has letters, digits, '.', '-' and '_'"
        )
    return Router(name, chain, zones.get(name, zones.get("", own)), name not in away)


def _read(path: Path, zones: dict[str, tzinfo]) -> Configuration:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=Where.of(path)) from None
    except UnicodeDecodeError:
        raise InputError("this is not a text file in UTF-8", where=Where.of(path)) from None
    configuration = read(text, path.name)
    return replace(configuration, zone=zones.get(_name(configuration), zones.get("", UTC)))


def _deactivated(configuration: Configuration, chain: Chain) -> frozenset[int]:
    """Return the numbers of a chain's deactivated keys."""
    keys = _statement(configuration, (*chain.path, "key"))
    return frozenset(int(number) for number, key in keys.items() if key.inactive and number.isdecimal())


def _statement(configuration: Configuration, path: Sequence[str]) -> Node:
    node = configuration.tree
    for word in path:
        node = node.get(word, Node())
    return node


def _name(configuration: Configuration) -> str:
    return (
        Path(configuration.main.name).stem if configuration.main.name == configuration.name else configuration.main.name
    )


def _chain(configuration: Configuration, name: str | None) -> Chain:
    """Return the chain that is planned. Raises InputError if anything about it, except its secrets, is unknown."""
    chains = [chain for chain in configuration.main.chains if (chain.name == name if name else chain.means_ao)]
    if len(chains) != 1:
        listed = ", ".join(chain.name for chain in configuration.main.chains) or "none"
        raise InputError(
            f"{configuration.name}: which key-chain is to be planned? It has: {listed}", remedy="name it with --chain"
        )
    (chain,) = chains
    unknown = [finding for finding in chain.doubts if finding.kind is not Kind.SECRET_UNKNOWN]
    if unknown:
        raise InputError(f"key-chain {chain.name} is not understood: {unknown[0].message}", where=unknown[0].where)
    if names_no_known_zone(configuration, chain):
        raise InputError(
            f"{configuration.name}: start-times of key-chain {chain.name} name no zone, and the router's time-zone is "
            "not known here",
            remedy="write the zone into the start-times, as Junos shows them",
        )
    foreign = keys_of_groups(configuration, chain)
    if foreign:
        raise InputError(
            f"{configuration.name}: key {foreign[0]} of key-chain {chain.name} comes from a group, so a set file "
            "cannot delete it",
            remedy="move the chain out of the group first",
        )
    kept = protected(configuration, chain)
    if kept is not None:
        raise InputError(
            f"{configuration.name}: {kept} is protected, so Junos refuses to change it",
            remedy=f"`unprotect {kept}` first",
        )
    return chain


def _zones(texts: Sequence[str]) -> dict[str, tzinfo]:
    """Read `ROUTER=ZONE`; a ZONE without a router is for all others."""
    found: dict[str, tzinfo] = {}
    for text in texts:
        router, equals, zone = text.rpartition("=")
        found[router if equals else ""] = read_zone(zone)
    return found


def _algorithm(text: str) -> tuple[datetime, Algorithm]:
    since, _, name = text.rpartition("=")
    try:
        algorithm = Algorithm(name)
    except ValueError:
        known = ", ".join(one.value for one in Algorithm)
        raise InputError(f"invalid --algorithm '{name}': use one of {known}") from None
    return (instant_of("--algorithm", since, UTC) if since else datetime.min.replace(tzinfo=UTC)), algorithm


def _history(path: Path) -> tuple[Retired, ...]:
    try:
        return read_history(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=Where.of(path)) from None
    except ValueError as error:
        raise InputError(str(error), where=Where.of(path)) from None
