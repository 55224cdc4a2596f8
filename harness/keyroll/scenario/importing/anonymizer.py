"""Replaces names, addresses, ASes and file names of two routers in what a scenario file says about them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_interface

from keyroll.configuration import Configuration
from keyroll.errors import Where

_MAY_BE_ADDRESS = re.compile(r"(?<![\w.:])[0-9a-fA-F:.]{3,}(?:/\d+)?")
"""What may be an address or network, with the sentence's colon or full stop after it; `ip_interface` refuses times of
day (`00:00:00`), which match as well."""
_QUOTED = re.compile(r"'[^']*'")
"""A word of the configuration, quoted in a finding about a statement that was not understood."""
_BEFORE_A_NAME = r"\b(key-chain|chain|instance|in|group|filter|of|system)"
"""Names in a configuration may be common words (`peers`, `a`), so they are replaced only after one of these words."""


_AS_NUMBER = re.compile(r"\b(AS|(?:local|peer)-as|autonomous-system) \d+(?:\.\d+)?")
"""An AS number: it identifies a network as an address does, so it is replaced too."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A remark on the two configurations, and the place that it is about."""

    message: str
    where: Where | None

    @property
    def text(self) -> str:
        """The message with its place."""
        return self.message + (f" ({self.where})" if self.where else "")


class Anonymizer:
    """Replaces what identifies the two routers and their network."""

    def __init__(self, configurations: Sequence[Configuration], files: Mapping[str, str]) -> None:
        """Collect the names in R1's and R2's configuration; `files` maps each file to the name that replaces it."""
        self._routers = [
            (re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])"), f"R{number}")
            for number, one in enumerate(configurations, 1)
            for name in dict.fromkeys((one.main.name, one.host or one.main.name))
        ]
        names = sorted({name for one in configurations for name in _names(one)}, key=len, reverse=True)
        words = "|".join(map(re.escape, names))
        self._names = re.compile(rf"{_BEFORE_A_NAME} (?:{words})(?![\w-])") if words else None
        self._files = files

    def of(self, said: Remark) -> Remark:
        """Return the remark with routers as R1 and R2, and without any other name, address, AS or file name."""
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
        return Remark(message, where)


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
