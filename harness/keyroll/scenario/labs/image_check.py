"""First test of a router image: does a pair of routers come up, accept TCP-AO, and print output that keyroll can parse?

Does the first steps of docs/containerlab.md, "The first night on a real image". The findings go to a folder that can be
shared: all router output in it is redacted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keyroll.errors import InputError, KeyrollError
from keyroll.junos.errors import OutputError
from keyroll.junos.output import parse, template_for
from keyroll.junos.session import RouterSession
from keyroll.lab.platforms import CJUNOS_EVOLVED, CRPD, EMULATED, PLATFORMS, VJUNOS_EVOLVED, VJUNOS_ROUTER, Platform
from keyroll.lab.protocol import Lab, Router
from keyroll.scenario.labs.connect import target_of

_KINDS = (
    (r"cjunos", "cjunos-evolved", CJUNOS_EVOLVED),
    (r"vjunos-?evolved", "vjunos-evolved", VJUNOS_EVOLVED),
    (r"vjunos-?router", "vjunos", VJUNOS_ROUTER),
    (r"crpd", "crpd", CRPD),
    (r"keyroll-router", "containerlab", EMULATED),
)
"""A part of the image's name, the kind of lab, and its platform; the first match is used."""
COMMANDS = (
    *("show version", "show system uptime", "show system connections", "show system commit"),
    *("show bgp summary", "show bgp neighbor", "show ldp session", "show ldp neighbor", "show security keychain"),
    *("show route summary", "show system statistics tcp"),
)
"""The commands that runs use; their output differs between releases."""


@dataclass(frozen=True, slots=True)
class ImageTest:
    """One test: its name, whether it passed, and a remark."""

    name: str
    good: bool
    said: str


def kind_of(image: str) -> tuple[str, Platform]:
    """Return the kind of lab and the platform for an image's name.

    Raises:
        InputError: the name matches none.
    """
    name = image.rpartition("/")[2].lower()
    for pattern, kind, platform in _KINDS:
        if re.search(pattern, name):
            return kind, platform
    names = ", ".join(kind for _, kind, _ in _KINDS)
    message = f"cannot tell the kind of lab from the image name '{image}'"
    raise InputError(message, remedy=f"use --lab with one of {names}")


def platform_of_lab(kind: str) -> Platform:
    """Return the platform of a kind of lab. Raises InputError for a kind without images."""
    for _, name, platform in _KINDS:
        if name == kind:
            return platform
    raise InputError(f"a lab of kind '{kind}' uses no image")


def check(lab: Lab, folder: Path) -> Iterator[ImageTest]:
    """Deploy a lab, run the commands on its routers, destroy it; their output goes into `folder`."""
    try:
        lab.deploy()
    except KeyrollError as error:
        yield ImageTest("a pair comes up and takes TCP-AO", good=False, said=str(error))
        return
    try:
        seconds = sum(phase.took.total_seconds() for phase in lab.phases if phase.name == "deploy")
        yield ImageTest("a pair comes up and takes TCP-AO", good=True, said=f"after {seconds:.0f} s")
        for router in lab.routers.values():
            yield from _ask(router, folder / router.name)
    finally:
        lab.destroy()


def _ask(router: Router, folder: Path) -> Iterator[ImageTest]:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with RouterSession(target_of(router)) as session:
            for command in (*COMMANDS, PLATFORMS[router.platform].shows_ports):
                yield _show(session, router.name, command, folder)
    except KeyrollError as error:
        yield ImageTest(f"{router.name} answers", good=False, said=str(error))


def _show(session: RouterSession, router: str, command: str, folder: Path) -> ImageTest:
    file = folder / f"{command.replace(' ', '_')}.txt"
    name = f"{router}: {command}"
    try:
        raw = session.show(command).raw
    except KeyrollError as error:
        file.write_text(f"{error}\n", encoding="utf-8")
        return ImageTest(name, good=False, said=error.message)
    file.write_text(raw + "\n", encoding="utf-8")
    if template_for(command) is None:
        return ImageTest(name, good=True, said="written down")
    try:
        parse(command, raw, router=router)
    except OutputError as error:
        return ImageTest(name, good=False, said=error.message)
    return ImageTest(name, good=True, said="understood")
