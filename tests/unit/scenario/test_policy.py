"""The emulated router's own settings in a scenario file."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from keyroll.scenario.file.scenario import Policy


def test_what_a_file_leaves_open_is_left_to_the_topology_and_the_router() -> None:
    assert Policy().settings == {"sending": "clock", "receiving": "tolerance"}
    assert Policy.model_validate({"repoint": "at-once", "deletion": "next-connection"}).settings == {
        "sending": "clock",
        "receiving": "tolerance",
        "repoint": "at-once",
        "deletion": "next-connection",
    }


def test_a_rule_is_one_of_two() -> None:
    with pytest.raises(ValidationError, match="alteration"):
        Policy.model_validate({"alteration": "never"})
