"""Names, addresses and files of two routers, replaced in what a scenario file says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_interface

from keyroll.configuration import Configuration
from keyroll.errors import Where

_MAY_BE_ADDRESS = re.compile(r"(?<![\w.:])[0-9a-fA-F:.]{3,}(?:/\d+)?")
"""An address or network, also with a colon or stop of the sentence behind it; times of day are none (`00:00:00`)."""
_QUOTED = re.compile(r"'[^']*'")
"""A word of the configuration, in a finding about a statement that was not understood."""
_BEFORE_A_NAME = r"\b(key-chain|chain|instance|in|group|filter|of|system)"
"""A configuration's names are common words (`peers`, `a`): only behind one of these are they taken for names."""


_AS_NUMBER = re.compile(r"\b(AS|(?:local|peer)-as|autonomous-system) \d+(?:\.\d+)?")
"""An AS identifies a network, as an address does."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something that is said of the two configurations, and where it stands."""

    message: str
    where: Where | None

    @property
    def text(self) -> str:
        """The message with its place."""
        return self.message + (f" ({self.where})" if self.where else "")


class Hidden:
    """What a scenario file does not tell."""

    def __init__(self, configurations: Sequence[Configuration], files: Mapping[str, str]) -> None:
        """Take the names of R1's and R2's configuration; `files` gives each file the name that it has instead."""
        self._routers = [
            (re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])"), f"R{number}")
            for number, one in enumerate(configurations, 1)
            for name in dict.fromkeys((one.main.name, one.host or one.main.name))
        ]
        names = sorted({name for one in configurations for name in _names(one)}, key=len, reverse=True)
        words = "|".join(map(re.escape, names))
        self._names = re.compile(rf"{_BEFORE_A_NAME} (?:{words})(?![\w-])") if words else None
        self._files = files

    def of(self, said: Said) -> Said:
        """Return the same with routers as R1 and R2, and no other name, address, AS or file."""
        message = _QUOTED.sub("'…'", said.message)
        message = _MAY_BE_ADDRESS.sub(_without_address, message)
        message = _AS_NUMBER.sub(r"\1 <number>", message)
        for pattern, name in self._routers:
            message = pattern.sub(name, message)
        if self._names is not None:
            message = self._names.sub(r"\1 <name>", message)
        where = said.where
        if where is not None:
            where = replace(where, file=self._files.get(where.file, "configuration"))
        return Said(message, where)


def _without_address(found: re.Match[str]) -> str:
    text = found[0].rstrip(":.")
    try:
        ip_interface(text)
    except ValueError:
        return found[0]
    return "<address>" + found[0][len(text) :]


def _names(configuration: Configuration) -> Iterator[str]:
    for router in configuration.routers:
        yield from (chain.name for chain in router.chains)
        yield from router.name.split(":")[1:]
        for session in router.sessions:
            yield from (name for name in (session.instance, session.group) if name is not None)
    for level in (("firewall",), ("firewall", "family", "inet"), ("firewall", "family", "inet6")):
        yield from configuration.view(*level, "filter").names()
