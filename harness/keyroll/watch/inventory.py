"""`routers.yml`: the routers that exist, how each is logged in to, and the sessions to look at. Never a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from keyroll.document import DocumentError, load, read

Address = IPv4Address | IPv6Address
SSH_CONFIG = "~/.ssh/config"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}|[0-9A-Fa-f:.]{2,45}")
_USER = r"^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,254}$"
_HOP = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?(?:[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?")
_WAYS = "{env: NAME}, {fd: NUMBER}, {command: [PROGRAM, …]}, {key: FILE} or agent"


class _Strict(BaseModel):
    """A mapping in the file: unknown fields and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


def _host(value: object) -> object:
    if not isinstance(value, str) or not _HOST.fullmatch(value):
        raise ValueError("should be a host name or an address")
    return value


def _address(value: object) -> Address:
    try:
        found = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or getattr(found, "scope_id", None):
        raise ValueError("should be the peer's address, such as 10.0.12.2")
    return found


def _hops(value: object) -> tuple[str, ...]:
    hops = [value] if isinstance(value, str) else value
    if not isinstance(hops, list) or not all(isinstance(hop, str) and _HOP.fullmatch(hop) for hop in hops):
        raise ValueError("should be [USER@]HOST[:PORT], or a list of them, the first hop first")
    return tuple(hops)


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
        raise ValueError("should be a list of words, the program first: no shell reads it")
    return tuple(value)


def _listed(value: object) -> object:
    if not isinstance(value, list):
        # pydantic reports only a ValueError as a mistake in the file.
        raise ValueError("should be a list of sessions: {bgp: ADDRESS} or {ldp: ADDRESS}")  # noqa: TRY004
    return value


def _pair(value: object) -> object:
    if not isinstance(value, Mapping) or len(value) != 2:  # noqa: PLR2004 - a pair
        raise ValueError("should be two routers, each by its name")
    return value


def _spelled(pattern: str, words: str) -> BeforeValidator:
    """Return a validator whose message describes the pattern. It does not quote the value."""

    def spelled(value: object) -> object:
        if not isinstance(value, str) or not re.search(pattern, value):
            raise ValueError(f"should be {words}")
        return value

    return BeforeValidator(spelled, json_schema_input_type=Annotated[str, Field(pattern=pattern)])


_IS_NAME = _spelled(_NAME, "a name of letters, digits, '_', '.' and '-', 63 at most")
_IS_USER = _spelled(_USER, "a login name of letters, digits, '_', '.', '@' and '-', 64 at most")
_IS_VARIABLE = _spelled(_VARIABLE, "the name of an environment variable, such as R1_PASSWORD")


_Name = Annotated[str, Field(pattern=_NAME)]


class Ways(_Strict):
    """Where a secret comes from: exactly one of these."""

    env: Annotated[str | None, Field(pattern=_VARIABLE), _IS_VARIABLE] = None
    """The environment variable that holds the password."""
    fd: Annotated[int | None, Field(ge=3, le=1023)] = None
    """The open file descriptor whose first line is the password."""
    command: Annotated[tuple[str, ...] | None, BeforeValidator(_words, json_schema_input_type=list[str])] = None
    """The command whose first line of output is the password, as words: no shell reads it."""
    key: str | None = None
    """The private key's file. If it has a passphrase, add it to the SSH agent, and use `agent`."""

    @model_validator(mode="after")
    def _one(self) -> Ways:
        if sum(value is not None for value in (self.env, self.fd, self.command, self.key)) != 1:
            raise ValueError(f"should be one of {_WAYS}")
        return self


def _way(value: object) -> object:
    # If a password is typed here, the message does not quote it, and says what to do instead.
    if value != "agent" and not isinstance(value, Mapping):
        raise ValueError(f"this file must not hold a secret: say where it comes from, {_WAYS}")
    return value


class RouterEntry(_Strict):
    """One router, and how it is reached."""

    host: Annotated[str, BeforeValidator(_host, json_schema_input_type=str)]
    """Its name or address; a name may be a `Host` of the SSH configuration."""
    port: Annotated[int | None, Field(ge=1, le=65535)] = None
    """SSH's port; by default the SSH configuration's, else 22."""
    user: Annotated[str | None, Field(pattern=_USER), _IS_USER] = None
    """Who logs in; by default the SSH configuration's `User`."""
    secret: Annotated[Ways | Literal["agent"], BeforeValidator(_way, json_schema_input_type=Any)] = "agent"  # noqa: S105 - not a secret
    """Where the secret comes from."""
    ssh_config: Annotated[str, Field(alias="ssh-config")] = SSH_CONFIG
    """The SSH configuration to follow; `none` follows none."""
    known_hosts: Annotated[str | None, Field(alias="known-hosts")] = None
    """The file of host keys, instead of the user's own."""
    jump: Annotated[tuple[str, ...], BeforeValidator(_hops, json_schema_input_type=str | list[str])] = ()
    """Jump hosts, the first hop first, instead of the SSH configuration's."""
    platform: Literal["junos"] = "junos"


class SessionEntry(_Strict):
    """A session to look at, by the peer's address at either end."""

    bgp: Annotated[Address | None, BeforeValidator(_address, json_schema_input_type=str)] = None
    ldp: Annotated[Address | None, BeforeValidator(_address, json_schema_input_type=str)] = None

    @model_validator(mode="after")
    def _one(self) -> SessionEntry:
        if (self.bgp is None) == (self.ldp is None):
            raise ValueError("should be one session: {bgp: ADDRESS} or {ldp: ADDRESS}")
        return self


class Inventory(_Strict):
    """The whole file."""

    inventory: Literal[1]
    """The format's version; also how the file is recognised."""
    routers: Annotated[
        dict[Annotated[_Name, _IS_NAME], RouterEntry],
        BeforeValidator(
            _pair, json_schema_input_type=Annotated[dict[_Name, RouterEntry], Field(min_length=2, max_length=2)]
        ),
    ]
    """The two routers, by the names that the verdict uses."""
    sessions: Annotated[tuple[SessionEntry, ...], Field(strict=False), BeforeValidator(_listed)] = ()
    """The sessions to look at; by default every one between the two that TCP-AO protects."""


def read_inventory(path: Path) -> Inventory:
    """Read the file.

    Raises:
        DocumentError: names the line, the field and what is allowed there; it quotes no value of `secret`.
    """
    document = load(path, quotes_names=False)
    if not isinstance(document.data, dict) or "inventory" not in document.data:
        raise DocumentError(
            "this is not an inventory: 'inventory: 1' is missing",
            where=document.where(),
            remedy="docs/watch.md has an example; `keyroll schema --inventory` has every field",
        )
    return read(document, Inventory)


def schema() -> dict[str, Any]:
    """Return the JSON schema of the file, for editors."""
    made = Inventory.model_json_schema(by_alias=True)
    made["$defs"]["RouterEntry"]["properties"]["secret"] = {
        "anyOf": [{"const": "agent"}, {"$ref": "#/$defs/Ways"}],
        "default": "agent",
        "title": "Secret",
    }
    return made
