"""The error messages of scenario files, word for word, and what their JSON schema accepts.

`refusals.json` holds edits of one file, each with the error that it must give (null: none), `schema.json` what
`keyroll schema` printed, without the descriptions. They change when the format or a message is meant to change, and
only then; adding a step, a check or an invariant needs no change of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from keyroll.errors import InputError
from keyroll.scenario.file.read import read_cases
from keyroll.scenario.file.registry import CHECKS, STEPS, load
from keyroll.scenario.file.scenario import Scenario

KEPT = Path(__file__).parent / "kept"
REFUSALS = json.loads((KEPT / "refusals.json").read_text(encoding="utf-8"))


def lists() -> dict[str, tuple[str, ...] | list[str]]:
    """Return {placeholder in `refusals.json`: the names of steps or checks that it stands for}."""
    load()
    steps, checks = STEPS.names(), CHECKS.names()
    return {
        "<steps>": steps,
        "<steps by name>": sorted(steps),
        "<checks>": checks,
        "<checks by name>": sorted(checks),
        "<checks and for by name>": sorted([*checks, "for"]),
    }


def with_names(error: str) -> str:
    for place, names in lists().items():
        error = error.replace(place, ", ".join(names))
    return error


def without_prose(schema: object) -> object:
    """Return a JSON schema without its descriptions: they refuse nothing, and are written in the code only."""
    if isinstance(schema, dict):
        return {
            name: without_prose(value)
            for name, value in schema.items()
            if not (name == "description" and isinstance(value, str))
        }
    return [without_prose(value) for value in schema] if isinstance(schema, list) else schema


def lost(kept: object, now: object, where: str = "") -> Iterator[str]:
    """Yield the places of the kept schema that are missing or different now."""
    if isinstance(kept, dict) and isinstance(now, dict):
        for name, value in kept.items():
            yield from lost(value, now[name], f"{where}/{name}") if name in now else [f"{where}/{name}"]
    elif isinstance(kept, list) and isinstance(now, list):
        yield from (f"{where}: {value}" for value in kept if value not in now)
    elif kept != now:
        yield f"{where}: {kept} became {now}"


def error_of(path: Path) -> str | None:
    try:
        read_cases(path)
    except InputError as error:
        return f"{error.where}: {error.message}".replace(str(path), path.name)  # the remedy is not compared
    return None


@pytest.mark.parametrize("edit", REFUSALS, ids=lambda edit: edit["new"].strip().rpartition("\n")[2].strip()[:60])
def test_error_messages_for_scenario_files_are_unchanged(
    write: Callable[..., Path], two_keys: str, edit: dict[str, Any]
) -> None:
    assert edit["old"] in two_keys
    error = edit["error"] and with_names(edit["error"])
    assert error_of(write(two_keys.replace(edit["old"], edit["new"]), "two-keys.yaml")) == error


def test_the_json_schema_is_unchanged() -> None:
    kept = json.loads((KEPT / "schema.json").read_text(encoding="utf-8"))
    assert list(lost(kept, without_prose(Scenario.model_json_schema(by_alias=True)))) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("properties", "id", "pattern"), ".*"),
        (("$defs", "Step", "properties", "cut"), None),
        (("required",), ["keyroll"]),
        (("properties", "sessions"), {}),
    ],
    ids=str,
)
def test_a_changed_json_schema_is_detected(path: tuple[str, ...], value: object) -> None:
    kept = json.loads((KEPT / "schema.json").read_text(encoding="utf-8"))
    now = json.loads((KEPT / "schema.json").read_text(encoding="utf-8"))
    place = now
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert list(lost(kept, now))
