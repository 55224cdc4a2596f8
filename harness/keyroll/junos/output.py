"""Parse raw show output into typed records, with one template for each command.

`templates/` has the layout of ntc-templates (`index`, `juniper_junos_show_….textfsm`). Every state in our templates
ends in `^. -> Error`, so an unknown line is an error, not a missing peer. For `show system uptime` and
`show route summary` the templates of ntc-templates are sufficient (docs/junos.md 6.2) and used unchanged.
"""

from __future__ import annotations

import csv
import functools
import io
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

import textfsm

from keyroll.junos import convert
from keyroll.junos.convert import Row
from keyroll.junos.errors import OutputError

_NTC = {
    r"sh\w* sys\w* up\w*": "juniper_junos_show_system_uptime.textfsm",
    r"sh\w* ro\w* su\w*": "juniper_junos_show_route_summary.textfsm",
}
_KEPT = 16
"""The number of records kept: the last answers of two routers to each command that samples sessions, and some more."""
_KEPT_LENGTH = 16384
"""The longest answer, in characters, whose record is kept: longer ones, of many peers, are rarely repeated."""
_OPTIONAL = re.compile(r"\[\[(.+?)\]\]")


@dataclass(frozen=True, slots=True)
class Template:
    """A template's file, its package, and whether some of its formats are assumed, not documented (`assumed`)."""

    file: str
    package: str
    command: re.Pattern[str]
    assumed: bool = False


@functools.cache
def templates() -> tuple[Template, ...]:
    """Return every template in the order of the index (the first match is used)."""
    text = resources.files("keyroll.junos").joinpath("templates", "index").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = csv.DictReader(io.StringIO("\n".join(lines)), skipinitialspace=True)
    ours = [
        Template(row["Template"], "keyroll.junos", _command(row["Command"]), assumed=row["Form"] != "seen")
        for row in rows
    ]
    theirs = [Template(file, "ntc_templates", re.compile(command)) for command, file in _NTC.items()]
    return (*ours, *theirs)


def template_for(command: str) -> Template | None:
    """Return the template for this command's output, or None. Commands with a pipe have no template."""
    words = " ".join(command.split()).removesuffix(" | no-more")
    return next((template for template in templates() if template.command.fullmatch(words)), None)


def rows(template: Template, raw: str, *, router: str, command: str) -> list[Row]:
    """Run a template over `raw` (redacted text without echo and prompt).

    Raises:
        OutputError: the template does not know a line; the error names the line and carries `raw`.
    """
    machine = _machine(template)
    machine.Reset()
    try:
        return list(machine.ParseTextToDicts(raw))
    except textfsm.TextFSMError as error:
        found = re.search(r"Input Line: (.*)\.?$", str(error), re.DOTALL)
        line = found[1].rstrip(".\n") if found else str(error)
        raise OutputError(
            f"{router}: the answer to '{command}' has an unknown line for {template.file}: '{line.strip()}'",
            router=router,
            command=command,
            raw=raw,
            remedy="add this line to the template; the raw text is in the run folder",
        ) from None


def parse(command: str, raw: str, *, router: str) -> object | None:
    """Return the typed record of a command's output, or None when there is no template for the command.

    Raises:
        OutputError: the output cannot be parsed. It never counts as "down" or as empty.
    """
    template = template_for(command)
    if template is None:
        return None
    if len(raw) <= _KEPT_LENGTH:
        return _kept(template, command, raw, router)
    return _record(template, command, raw, router)


@functools.lru_cache(maxsize=_KEPT)
def _kept(template: Template, command: str, raw: str, router: str) -> object:
    """Parse an answer, or return the record of the same one: records are never changed, errors are not kept."""
    return _record(template, command, raw, router)


def _record(template: Template, command: str, raw: str, router: str) -> object:
    table = rows(template, raw, router=router, command=command)
    make = _RECORDS[template.file]
    try:
        return make(table)
    except (ValueError, KeyError) as error:
        raise OutputError(
            f"{router}: the answer to '{command}' cannot be parsed: {error}",
            router=router,
            command=command,
            raw=raw,
        ) from None


def _command(text: str) -> re.Pattern[str]:
    """Turn the index's `sh[[ow]] ver[[sion]]` into a pattern (ntc-templates' notation for abbreviations)."""

    def optional(match: re.Match[str]) -> str:
        letters = match[1]
        return "(?:" * len(letters) + "".join(f"{letter})?" for letter in letters)

    return re.compile(_OPTIONAL.sub(optional, text))


class _Machines(threading.local):
    """Loaded templates, one set for each thread, because a TextFSM object holds the state of the parse."""

    def __init__(self) -> None:
        self.read: dict[Template, textfsm.TextFSM] = {}


_MACHINES = _Machines()


def _machine(template: Template) -> textfsm.TextFSM:
    """Return the template, loaded once in each thread: loading takes longer than parsing most answers."""
    machine = _MACHINES.read.get(template)
    if machine is None:
        machine = _MACHINES.read[template] = textfsm.TextFSM(io.StringIO(_source(template)))
    return machine


@functools.cache
def _source(template: Template) -> str:
    return resources.files(template.package).joinpath("templates", template.file).read_text("utf-8")


_RECORDS: dict[str, Callable[[list[Row]], object]] = {
    "juniper_junos_show_security_keychain.textfsm": convert.security_keychain,
    "juniper_junos_show_bgp_summary.textfsm": convert.bgp_summary,
    "juniper_junos_show_bgp_neighbor.textfsm": convert.bgp_neighbors,
    "juniper_junos_show_ldp_session.textfsm": convert.ldp_sessions,
    "juniper_junos_show_ldp_session_detail.textfsm": convert.ldp_session_details,
    "juniper_junos_show_ldp_neighbor.textfsm": convert.ldp_neighbors,
    "juniper_junos_show_ldp_database.textfsm": convert.ldp_database,
    "juniper_junos_show_system_statistics_tcp.textfsm": convert.tcp_statistics,
    "juniper_junos_show_version.textfsm": convert.version,
    "juniper_junos_show_system_uptime.textfsm": convert.system_uptime,
    "juniper_junos_show_route_summary.textfsm": convert.route_summary,
}
