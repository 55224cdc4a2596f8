"""`keyroll lab …`: labs that a person brings up, inspects and takes down."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import click

from keyroll import linux
from keyroll.errors import InputError
from keyroll.lab.local import dead_labs, find, folders
from keyroll.lab.local import recorder as capturing
from keyroll.lab.local.find import how_it_ended
from keyroll.lab.protocol import Impairment, LabError, Phase
from keyroll.scenario.labs.make import EMBEDDED, LABS, default_topology, new_lab

_NAMED = click.option("--name", "lab_name", metavar="NAME", help="The lab's name; not needed if only one lab is kept.")
_Command = TypeVar("_Command", bound=Callable[..., object])


def _refuse_lab(_context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError(f"--lab names a kind of lab; to name this lab use --name {value}")


# Until 0.1 `--lab` named the lab here. The message that names the new option stays for one release (docs/upgrade.md).
_WAS_NAMED = click.option("--lab", hidden=True, expose_value=False, callback=_refuse_lab)


def which(command: _Command) -> _Command:
    """Give a command the option `--name`, which it takes as `lab_name`."""
    return _NAMED(_WAS_NAMED(command))


@click.group(name="lab")
def lab() -> None:
    """Bring labs up, inspect them, and take them down."""


@lab.command()
@click.argument("topology", required=False, type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(LABS), default=EMBEDDED, show_default=True, help="Where the routers run.")
@click.option("--name", help="Lab name (random if omitted).")
@click.option(
    "--evidence",
    type=click.Path(path_type=Path),
    help="Folder for captures and logs. By default they are in a temporary folder, which is removed with the lab.",
)
@click.option("--wait-scale", default=1.0, show_default=True, help="Multiply all deadlines by this, for slow machines.")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="ROUTER:SENDING:RECEIVING",
    help="Key policy of an emulated router, such as R1:rnext:any (clock or rnext, tolerance or any).",
)
def up(
    topology: Path | None,
    *,
    kind: str,
    name: str | None,
    evidence: Path | None,
    wait_scale: float,
    policies: tuple[str, ...],
) -> None:
    """Bring up a lab that stays up until it is taken down.

    TOPOLOGY is a file in containerlab's format; by default two routers.
    """
    from keyroll.lab.topology import read_topology  # noqa: PLC0415 - the other commands need none, and loading it is slow

    plan = read_topology(topology or default_topology(kind))
    settings = dict(_policy(text, [node.name for node in plan.nodes]) for text in policies)
    made = new_lab(
        kind, plan, evidence=evidence, name=name, wait_scale=wait_scale, settings=settings, on_phase=_show_phase
    )
    try:
        made.deploy()
    except LabError as error:
        if evidence is not None:
            raise
        keeps = "`--evidence FOLDER` keeps the logs and captures of a lab that does not come up"
        raise LabError(error.message, remedy="; ".join(filter(None, [error.remedy, keeps]))) from error
    with contextlib.ExitStack() as undo:
        undo.callback(made.destroy)
        made.keep()
        undo.pop_all()
    temporary = ", which is removed with the lab" if evidence is None else ""
    click.echo(f"\nlab {made.name} is up; captures and logs are in {made.evidence}{temporary}")
    for router in made.routers.values():
        click.echo(f"  {router.name}: ssh -p {router.port} {router.user}@{router.host}   password: {router.password}")
    click.echo(f"take it down with: keyroll lab down {made.name}")


def _show_phase(phase: Phase) -> None:
    click.echo(f"  {phase.took.total_seconds():6.3f} s  {phase.name}")


def _policy(text: str, routers: list[str]) -> tuple[str, dict[str, str]]:
    parts = text.split(":")
    shape = "ROUTER:SENDING:RECEIVING, SENDING clock or rnext, RECEIVING tolerance or any"
    if len(parts) != 3 or parts[1] not in {"clock", "rnext"} or parts[2] not in {"tolerance", "any"}:  # noqa: PLR2004 - three parts
        raise InputError(f"invalid --policy '{text}': use {shape}")
    if parts[0] not in routers:
        raise InputError(f"invalid --policy '{text}': use one of the routers {', '.join(routers)}")
    return parts[0], {"sending": parts[1], "receiving": parts[2]}


@lab.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_labs(*, as_json: bool) -> None:
    """List the labs of this machine."""
    entries = [
        {
            "name": one.name,
            "alive": one.alive,
            "kept": one.kept,
            "created": one.state.created if one.state else None,
            "topology": one.state.topology if one.state else None,
            "evidence": one.state.evidence if one.state else None,
            "routers": {entry.name: f"{entry.host}:{entry.port}" for entry in one.state.routers} if one.state else {},
        }
        for one in find.all_labs()
    ]
    if as_json:
        click.echo(json.dumps({"v": 1, "labs": entries}, indent=1))
        return
    for entry in entries:
        state = "dead: `keyroll lab clean` removes it" if not entry["alive"] else "kept" if entry["kept"] else "running"
        click.echo(f"{entry['name']:<20} {state:<8} {entry['topology']}")
    if not entries:
        click.echo("there is no lab; `keyroll lab up` brings one up")


@lab.command()
@click.argument("name", required=False)
@which
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def status(name: str | None, lab_name: str | None, *, as_json: bool) -> None:
    """Show routers, sessions, keys on the wire, and what was dropped."""
    found = find.find(_one_name(name, lab_name))
    routers = found.state.routers if found.state else ()
    keeper = found.ask_keeper("ping")[0]
    answers = dict(_asked(found, [entry.name for entry in routers], dead=bool(keeper.get("deaths"))))
    if as_json:
        parts = {"deaths": keeper.get("deaths", []), "silent": keeper.get("silent", [])}
        click.echo(json.dumps({"v": 1, "lab": found.name, **parts, "routers": answers}, indent=1))
    else:
        click.echo(f"lab {found.name}")
        for entry in routers:
            if entry.name not in answers:
                continue  # that its process ended is reported below
            click.echo(f"\n{entry.name}  ssh -p {entry.port} {entry.user}@{entry.host}")
            for line in _status_lines(answers[entry.name]):
                click.echo("  " + line)
    dead = [f"{death['what']} {how_it_ended(death['code'])}" for death in keeper.get("deaths", [])]
    dead += [f"{part} does not answer" for part in keeper.get("silent", [])]
    dead += [f"{name}'s {death['sentence']}" for name, answer in answers.items() for death in answer["deaths"]]
    if dead:
        raise LabError(
            f"lab {found.name} is broken: {'; '.join(dead)}",
            remedy=f"its logs are in {found.state.evidence if found.state else ''}; `keyroll lab down {found.name}`",
        )


def _asked(found: find.FoundLab, routers: list[str], *, dead: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the routers' answers. A router that does not answer is left out if the keeper reports an ended process."""
    for router in routers:
        try:
            yield router, found.ask_router(router, "status")[0]
        except LabError:
            if not dead:
                raise


def _one_name(name: str | None, lab_name: str | None) -> str | None:
    """Return the lab's name, which may be an argument or follow --name. Raises InputError when the two differ."""
    if name is not None and lab_name is not None and name != lab_name:
        raise InputError(f"two labs are named, '{name}' and '{lab_name}'", remedy="name one")
    return name or lab_name


def _status_lines(answer: dict[str, Any]) -> Iterator[str]:
    yield f"clock {answer['now']}   processes {', '.join(sorted(answer['processes']))}"
    yield from _trouble_lines(answer)
    for word in ("bgp", "ldp"):
        for one in answer[word] or ():
            since = "" if one["since_seconds"] is None else f" for {one['since_seconds']} s"
            yield f"{word.upper()} {one['neighbor']}: {one['state']}{since}, {one['flaps']} flaps"
    if answer["bgp"] == answer["ldp"] == []:
        yield "no session is configured"
    if answer["wire"] is not None:
        yield from _wire_lines(answer["wire"])


def _trouble_lines(answer: dict[str, Any]) -> Iterator[str]:
    """Yield the processes that ended, with their last log lines, what replaced them, and what cannot be read now."""
    for one in answer["deaths"]:
        yield f"DEAD: {one['sentence']}; the end of {one['log']}:"
        yield from (f"  | {line}" for line in one["last_lines"])
    for one in answer["restarts"]:
        yield f"at {one['at']} {one['sentence']}; see {one['log']}"
    for what, why in answer["unreadable"].items():
        yield f"{what.upper()} cannot be read: {why}"


def _wire_lines(wire: dict[str, Any]) -> Iterator[str]:
    for one in wire["connections"]:
        if one["phase"] == "closing":
            continue
        yield f"wire {one['local']} - {one['remote']} ({one['phase']})"
        for way in ("out", "in"):
            seen = one[way]
            ids = f"KeyID {seen['keyid']}, RNextKeyID {seen['rnextkeyid']}"
            rolled = "the key clock's" if seen["rolled"] else "not the key clock's"
            yield f"  {way:<3} key {seen['key']} ({rolled}), {ids}, {seen['segments']} segments"
    for reason, count in wire["drops"].items():
        yield f"dropped {reason}: {count}"


@lab.command()
@click.argument("name", required=False)
@which
def down(name: str | None, lab_name: str | None) -> None:
    """Take a lab down and leave nothing behind.

    It is no error if there is no lab of that name: then the existing labs are listed. Two commands may take down one
    lab at the same time.
    """
    wanted = _one_name(name, lab_name)
    labs = {one.name: one for one in find.all_labs()}
    if wanted is not None and wanted not in labs:
        existing = f"; existing labs: {', '.join(labs)}" if labs else ""
        click.echo(f"lab {wanted} is down: no lab has that name{existing}")
        return
    found = labs.get(wanted or "")
    if found is not None and not found.alive:
        _take_down_dead(found)
    else:
        found = found or find.find(None)
        found.stop()
    click.echo(f"lab {found.name} is down")


def _take_down_dead(found: find.FoundLab) -> None:
    """Remove what is left of a lab whose processes were all killed, its containers too."""
    if folders.topology_of(found.path).exists() and _containerlab_is_here():
        from keyroll.lab.containerlab.command import Program  # noqa: PLC0415 - as in `up`
        from keyroll.lab.containerlab.teardown import tear_down  # noqa: PLC0415 - as in `up`

        tear_down(Program(), found.path, found.name)
    folders.remove(found.path)


@lab.command()
def clean() -> None:
    """Remove what killed labs left behind.

    Labs that are up are not changed.
    """
    by_containerlab = _containerlab_is_here()
    reaped = [*(_reaped_containers() if by_containerlab else []), *dead_labs.reap(containers_too=not by_containerlab)]
    click.echo("\n".join(f"removed {name}" for name in reaped) or "nothing to remove")
    staying = [one.name for one in find.all_labs() if one.alive and one.kept]
    if staying:
        click.echo(f"kept: {', '.join(staying)}; `keyroll lab down NAME` takes one down")


def _reaped_containers() -> list[str]:
    """Remove the containers that killed labs left behind."""
    from keyroll.lab.containerlab.command import Program  # noqa: PLC0415 - as in `up`
    from keyroll.lab.containerlab.teardown import reap  # noqa: PLC0415 - as in `up`

    return reap(Program())


def _containerlab_is_here() -> bool:
    """Whether this machine can have made labs of containers."""
    from keyroll.lab.containerlab.command import NAME  # noqa: PLC0415 - as in `up`

    return shutil.which(NAME) is not None and shutil.which("docker") is not None


@lab.command(name="exec", context_settings={"ignore_unknown_options": True})
@which
@click.argument("router")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(lab_name: str | None, router: str, command: tuple[str, ...]) -> None:
    """Run a command in a router's network namespace.

    For example: `keyroll lab exec R1 -- ip address`.
    """
    _become(find.find(lab_name), router, command)


@lab.command()
@which
@click.argument("router")
def shell(lab_name: str | None, router: str) -> None:
    """Open a shell in a router's network namespace.

    It is a Linux shell. Reach the router's Junos command line by SSH.
    """
    _become(find.find(lab_name), router, (os.environ.get("SHELL", "/bin/sh"),))


def _become(found: find.FoundLab, router: str, command: tuple[str, ...]) -> None:
    _, descriptors = found.ask_router(router, "namespace")
    if os.geteuid() != 0:
        linux.enter_owner(descriptors[0])
    linux.setns(descriptors[0])
    try:
        os.execvp(command[0], list(command))  # noqa: S606 - running a command is what was asked for
    except OSError as error:
        raise InputError(f"{command[0]}: {error.strerror}") from error


@lab.command(name="capture")
@which
@click.argument("port", metavar="LINK")
@click.option("-w", "--write", "out", required=True, type=click.Path(path_type=Path), help="The pcap file to write.")
def capture_command(lab_name: str | None, port: str, out: Path) -> None:
    """Capture on a link until Ctrl-C.

    LINK is one end of a link (R2:eth1), or a link (R1:eth1-R2:eth1), which is captured at its first end.
    """
    router, colon, interface = port.partition("-")[0].partition(":")
    if not colon:
        raise InputError(f"invalid link '{port}': use one end of it, such as R1:eth1, or both: R1:eth1-R2:eth1")
    found = find.find(lab_name)
    found.router(router)
    _, descriptors = found.ask_keeper("namespace", router=router)
    try:
        if os.geteuid() != 0:
            linux.enter_owner(descriptors[0])
        with linux.inside(descriptors[0]):
            packet = capturing.open_socket(interface)
    except OSError as error:
        raise InputError(f"{port} cannot be captured: {error.strerror}") from error
    stop, ended = os.pipe()
    with _on_signals(ended), out.open("wb", buffering=0) as file, tempfile.TemporaryFile() as counters:
        file.write(capturing.file_header())
        click.echo(f"capturing {port} of lab {found.name} into {out}; Ctrl-C ends it", err=True)
        capturing.Capture(packet, file.fileno(), counters.fileno()).run(stop)
        written, lost = capturing.read_stats(counters.fileno())
    click.echo(f"{written} frames written, {lost} lost", err=True)


@contextlib.contextmanager
def _on_signals(ended: int) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM close `ended` within the block, so that the capture file ends with a complete frame."""

    def close(_number: int, _frame: FrameType | None) -> None:
        capturing.close_quietly(ended)

    before = {number: signal.signal(number, close) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@lab.group()
def link() -> None:
    """Cut, restore or impair a link."""


LINK = click.option("--link", "link_name", metavar="LINK", help="Which link, such as R1:eth1-R2:eth1.")


@link.command()
@which
@LINK
def cut(lab_name: str | None, link_name: str | None) -> None:
    """Cut a link: frames are lost, and both ports lose their carrier."""
    _order(lab_name, link_name, {"op": "cut"})


@link.command()
@which
@LINK
def restore(lab_name: str | None, link_name: str | None) -> None:
    """Restore a link that was cut."""
    _order(lab_name, link_name, {"op": "restore"})


@link.command()
@which
@LINK
@click.option("--towards", metavar="ROUTER", help="Only frames to this router; both directions by default.")
@click.option("--loss", default=0.0, help="Share of frames that are lost, 0 to 1.")
@click.option("--delay", default=0.0, help="Seconds by which each frame is delayed.")
@click.option("--jitter", default=0.0, help="Seconds of further delay at most, random for each frame.")
@click.option("--reorder", default=0.0, help="Share of frames that arrive after later ones, 0 to 1.")
@click.option("--damage", default=0.0, help="Share of frames in which one bit is inverted, 0 to 1.")
@click.option("--seed", default=0, help="Seed of the random choices.")
def impair(lab_name: str | None, link_name: str | None, towards: str | None, **values: float) -> None:
    """Lose, delay, reorder or damage frames.

    The options replace those of the last call; without options the impairment ends.
    """
    found = find.find(lab_name)
    name = _link_name(found, link_name)
    sides = [end.partition(":")[0] for end in name.split("-", 1)]
    if towards is not None and towards not in sides:
        raise InputError(f"invalid --towards '{towards}': use {' or '.join(sides)}, the ends of link {name}")
    Impairment(**values)  # type: ignore[arg-type]  # raises for an invalid value
    for side, router in enumerate(sides):
        if towards in (None, router):
            found.ask_keeper(
                "link", link=name, order={"op": "impair", "towards": side, "impairment": {"hold": 0.01, **values}}
            )


def _order(lab_name: str | None, link_name: str | None, order: dict[str, object]) -> None:
    found = find.find(lab_name)
    found.ask_keeper("link", link=_link_name(found, link_name), order=order)


def _link_name(found: find.FoundLab, name: str | None) -> str:
    names = found.ask_keeper("ping")[0]["links"]
    if name is None and len(names) == 1:
        return str(names[0])
    if name not in names:
        raise InputError(f"no link '{name}'" if name else "which link?", remedy=f"--link one of: {', '.join(names)}")
    return str(name)
