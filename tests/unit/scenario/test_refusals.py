"""What a scenario file may say, and how it is told of what it may not: kept word for word, with the JSON schema.

`refusals.json` holds edits of one file, each with the error that it must give (null: none), `schema.json` what
`keyroll schema` printed. They change when the format or a message is meant to change, and
only then.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keyroll.errors import InputError
from keyroll.scenario.file.read import read_cases
from keyroll.scenario.file.scenario import Scenario

KEPT = Path(__file__).parent / "kept"
REFUSALS = json.loads((KEPT / "refusals.json").read_text(encoding="utf-8"))


def error_of(path):
    try:
        read_cases(path)
    except InputError as error:
        return f"{error.where}: {error.message}".replace(str(path), path.name)  # a remedy may be added
    return None


@pytest.mark.parametrize("edit", REFUSALS, ids=lambda edit: edit["new"].strip().rpartition("\n")[2].strip()[:60])
def test_a_mistake_is_told_as_it_always_was(write, two_keys, edit):
    assert edit["old"] in two_keys
    assert error_of(write(two_keys.replace(edit["old"], edit["new"]), "two-keys.yaml")) == edit["error"]


def test_the_schema_is_what_it_was():
    kept = json.loads((KEPT / "schema.json").read_text(encoding="utf-8"))
    assert Scenario.model_json_schema(by_alias=True) == kept
