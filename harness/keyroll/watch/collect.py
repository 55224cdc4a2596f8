"""A bundle for a support case: what two routers show of the watched sessions, without secrets, and on request names."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from keyroll import __version__
from keyroll.check.as_json import as_data as check_as_data
from keyroll.configuration import Configuration
from keyroll.errors import InputError, KeyrollError, RunError, Where, printable
from keyroll.instants import SYSTEM, Clock
from keyroll.junos.errors import CommandError
from keyroll.junos.exchange import Exchange, Target
from keyroll.names import SessionKind
from keyroll.scenario.record.files import FILE_MODE
from keyroll.watch.commands import Command, Shape
from keyroll.watch.inventory import Inventory
from keyroll.watch.redacted import Redaction, lines_of
from keyroll.watch.router import Router
from keyroll.watch.sampling import Look, look
from keyroll.watch.situation import Situation, configuration_of, situation_of
from keyroll.watch.verdict import Seen
from keyroll.watch.wire import judge_wire

LOG_LINES = 2_000
"""Lines of each router's log: what happened around the time of the collection, at the rate that Junos logs."""
_NAME_MIN = 2
"""Letters of a name that is replaced: a name of one letter would be found in every word."""


@dataclass(frozen=True, slots=True)
class Collected:
    """The files of a bundle, by path."""

    files: Mapping[str, str]

    def write(self, path: Path) -> None:
        """Write them as a gzipped tar that only its owner can read. Raises InputError."""
        octets = io.BytesIO()
        with tarfile.open(fileobj=octets, mode="w:gz") as archive:
            for name, text in self.files.items():
                data = text.encode("utf-8", "backslashreplace")
                member = tarfile.TarInfo(f"keyroll-bundle/{name}")
                member.size, member.mode = len(data), FILE_MODE
                member.mtime = int(SYSTEM.wall().moment.timestamp())
                archive.addfile(member, io.BytesIO(data))
        try:
            path.touch(FILE_MODE)
            path.chmod(FILE_MODE)
            path.write_bytes(octets.getvalue())
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", where=Where.of(path)) from None


def collect(
    inventory: Inventory,
    targets: Sequence[Target],
    *,
    hide_names: bool = False,
    capture: Path | None = None,
    clock: Clock = SYSTEM,
) -> Collected:
    """Log in to both routers once, read what concerns the sessions, and return it without secrets.

    Raises:
        NotVisibleError: a login may not see the chains.
        SessionError, OutputError, …: something could not be read.
    """
    with ExitStack() as stack:
        routers = [Router(target, recorder=_discard, clock=clock) for target in targets]
        for router in routers:
            stack.callback(router.close)
        pool = stack.enter_context(ThreadPoolExecutor(len(routers), thread_name_prefix="router"))
        list(pool.map(Router.login, routers))
        texts = dict(zip(inventory.routers, pool.map(Router.configuration, routers), strict=True))
        configurations = {name: configuration_of(name, text) for name, text in texts.items()}
        redaction = Redaction(targets)
        redaction.learn(texts.values(), configurations)
        for router in routers:
            router.learn(redaction.secrets)  # an error of a look quotes the line that it did not understand
        found = situation_of(inventory, configurations, at=clock.now().moment, skew=timedelta(seconds=1))
        looks = list(pool.map(lambda one: look(one, found.sessions, found.zone(one.name)), routers))
        outputs = dict(zip(inventory.routers, pool.map(lambda one: _outputs(one, found), routers), strict=True))
    hide = _hiding(targets, configurations, inventory if hide_names else None, redaction)
    files = {
        "manifest.json": json.dumps(
            {"format": 1, "keyroll": __version__, "routers": list(inventory.routers)}, indent=2
        ),
        "check.json": json.dumps(check_as_data(found.report), indent=2, ensure_ascii=False),
    }
    for name, configuration in configurations.items():
        files[f"{name}/configuration.set"] = "\n".join(lines_of(configuration)) + "\n"
        files.update({f"{name}/{file}": text for file, text in outputs[name].items()})
    if capture is not None:
        files["capture.txt"] = _wire(capture, texts, found, looks)
    return Collected({hide(path): hide(text) for path, text in files.items()})


def _discard(_: Exchange) -> None:
    """Record nothing: the bundle holds only the outputs that `_outputs` chooses."""


def _outputs(router: Router, situation: Situation) -> dict[str, str]:
    """Return what a router prints, by file; of a list of all sessions, only the watched ones."""
    commands = {
        "version.txt": Command(Shape.VERSION),
        "uptime.txt": Command(Shape.CLOCK),
        "keychain.txt": Command(Shape.KEYCHAIN),
        "tcp.txt": Command(Shape.DROPS),
        "log.txt": Command(Shape.LOG),
    }
    for session in situation.sessions:
        peer = session.peers[router.name]
        if session.kind is SessionKind.BGP:
            commands[f"bgp-{peer}.txt"] = Command(Shape.NEIGHBOR, peer)
        else:
            commands["ldp.txt"] = Command(Shape.LDP)
    found = {file: _output(router, command) for file, command in commands.items()}
    peers = {str(one.peers[router.name]) for one in situation.sessions if one.kind is SessionKind.LDP}
    if "ldp.txt" in found:
        found["ldp.txt"] = "".join(_blocks(found["ldp.txt"], peers))
    found["log.txt"] = "".join(found["log.txt"].splitlines(keepends=True)[-LOG_LINES:])
    return found


def _output(router: Router, command: Command) -> str:
    try:
        return printable(router.show(command).raw) + "\n"
    except CommandError as error:
        return f"{error}\n"  # where the login may not read the log, the rest is still collected
    except RunError as error:
        raw = getattr(error, "raw", None)
        if raw is None:
            raise
        return printable(str(raw)) + "\n"  # output that does not parse is what support needs most


def _blocks(text: str, peers: set[str]) -> Iterator[str]:
    """Yield the blocks of `show ldp session detail` that are about these peers."""
    wanted = False
    for line in text.splitlines(keepends=True):
        if line.startswith("Address: "):
            wanted = line.removeprefix("Address: ").partition(",")[0] in peers
        if wanted:
            yield line


def _wire(path: Path, texts: Mapping[str, str], situation: Situation, looks: Sequence[Look]) -> str:
    """Return the verdicts on a capture as lines of text: on all of it, not only on the time of the looks."""
    seen = Seen(situation.sessions, None)
    for one in looks:
        seen.add(one)
    try:
        wire = judge_wire(path, texts, situation, seen, whole=True)
    except KeyrollError as error:
        return f"{error}\n"
    lines = [f"{'ok ' if check.passed else 'RED'} {check.sentence()}" for check in wire.checks]
    lines += [f"not judged: {words}" for words in (*wire.not_judged, *([wire.missing] if wire.missing else []))]
    return "\n".join(lines) + "\n"


def _hiding(
    targets: Sequence[Target],
    configurations: Mapping[str, Configuration],
    names: Inventory | None,
    redact: Redaction,
) -> Callable[[str], str]:
    """Return the function that removes secrets from every text and path, and names too if an inventory is given."""
    replaced: dict[str, str] = {}
    if names is not None:
        for number, (name, entry) in enumerate(names.routers.items(), start=1):
            own = [router.name for router in configurations[name].routers]
            replaced |= dict.fromkeys((name, *own, entry.host), f"router-{number}")
        replaced |= {target.user: "user" for target in targets}
    known = sorted((word for word in replaced if len(word) >= _NAME_MIN), key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, known))})(?![\w-])") if known else None

    def hide(text: str) -> str:
        text = redact(text)
        return pattern.sub(lambda found: replaced[found[0]], text) if pattern is not None else text

    return hide
