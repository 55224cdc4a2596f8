"""Render the topology file of one lab: the user's file with the lab's name and all variables filled in.

containerlab fills in variables from the environment each time it reads the file, but `deploy`, `inspect` and `destroy`
must see the same values. So they are filled in here, once: `${NAME}`, `${NAME:=default}`, `${NAME:-default}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from keyroll.document import DocumentError, load
from keyroll.errors import Where
from keyroll.lab.containerlab.docker import FOLDER_LABEL, HOST_LABEL, NETWORK, Host

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<how>:=|:-|=|-)(?P<default>[^}]*))?\}")
_FILES = ("startup-config", "license")


def filled(text: str, environment: Mapping[str, str]) -> str:
    """Return `text` with its variables filled in; an unset variable without default stays unchanged."""

    def value(match: re.Match[str]) -> str:
        found = environment.get(match["name"])
        if match["how"] is None:
            return match[0] if found is None else found
        empty_counts = match["how"].startswith(":")
        return match["default"] if found is None or (empty_counts and not found) else found

    return _VARIABLE.sub(value, text)


def render(
    path: Path,
    *,
    name: str,
    folder: Path,
    environment: Mapping[str, str],
    variables: Mapping[str, Mapping[str, str]],
) -> str:
    """Return the topology file of a lab called `name` in `folder`.

    Args:
        path: the user's topology file.
        name: the lab's own name.
        folder: the lab's folder; its path labels the containers, so that they can be found without it.
        environment: for variables in the file.
        variables: by node, environment variables of the container.

    Raises:
        DocumentError: the file cannot be read, or is a template.
    """
    text = path.read_text(encoding="utf-8")
    if "{{" in text:
        raise DocumentError("keyroll does not render Go templates in a topology file", where=Where.of(path))
    load(path, text)  # reports mistakes with their places in the file
    data: dict[str, Any] = yaml.safe_load(filled(text, environment))
    _refuse_other_runtimes(data, path)
    data["name"] = name
    # No firewall rules for external access: they would stay after the network is removed, and keyroll needs none.
    data.setdefault("mgmt", {"network": NETWORK, "external-access": False})
    topology = data["topology"]
    for table in ("kinds", "groups", "nodes"):
        for entry in (topology.get(table) or {}).values():
            _anchor(entry or {}, path.parent)
    defaults = topology.setdefault("defaults", {})
    _anchor(defaults, path.parent)
    defaults.setdefault("image-pull-policy", "never")
    defaults.setdefault("labels", {}).update({FOLDER_LABEL: str(folder), HOST_LABEL: str(Host.present())})
    for node, values in variables.items():
        if values:
            entry = topology["nodes"].get(node) or {}
            topology["nodes"][node] = entry | {"env": {**(entry.get("env") or {}), **values}}
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def _refuse_other_runtimes(data: dict[str, Any], path: Path) -> None:
    """Refuse a `runtime:` other than Docker, because keyroll uses Docker's containers. Raises DocumentError."""
    topology = data["topology"]
    tables = [topology.get(table) or {} for table in ("kinds", "groups", "nodes")]
    entries = [topology.get("defaults") or {}, *(entry or {} for table in tables for entry in table.values())]
    for runtime in filter(None, (entry.get("runtime") for entry in entries)):
        if runtime != "docker":
            raise DocumentError(
                f"runtime '{runtime}' is not supported: keyroll works with Docker only",
                where=Where.of(path),
                remedy="leave `runtime:` out",
            )


def own_network(text: str) -> bool:
    """Whether a rendered topology uses keyroll's network (the user named no other)."""
    mgmt = yaml.safe_load(text)["mgmt"]
    # A list: several networks of the user, supported since containerlab 0.80.
    return isinstance(mgmt, dict) and mgmt.get("network") == NETWORK


def _anchor(entry: dict[str, Any], folder: Path) -> None:
    """Make file paths absolute, because the rendered file is in another folder."""
    base = folder.resolve()
    for field in _FILES:
        if isinstance(entry.get(field), str) and "\n" not in entry[field] and "://" not in entry[field]:
            entry[field] = str(base / entry[field])
    if isinstance(entry.get("binds"), list):
        entry["binds"] = [_bind(str(one), base) for one in entry["binds"]]
    if isinstance(entry.get("env-files"), list):
        entry["env-files"] = [str(base / str(one)) for one in entry["env-files"]]


def _bind(text: str, base: Path) -> str:
    source, colon, rest = text.partition(":")
    return f"{base / source}{colon}{rest}" if colon and not source.startswith(("/", "~", "_")) else text
