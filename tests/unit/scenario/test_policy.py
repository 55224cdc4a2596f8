"""The settings of the emulated router in a scenario file (`policy`)."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from keyroll.scenario.file.scenario import Policy


def test_settings_that_a_file_omits_are_left_to_the_topology_and_the_router() -> None:
    assert Policy().settings == {"sending": "clock", "receiving": "tolerance"}
    assert Policy.model_validate({"repoint": "at-once", "deletion": "next-connection"}).settings == {
        "sending": "clock",
        "receiving": "tolerance",
        "repoint": "at-once",
        "deletion": "next-connection",
    }


def test_an_unknown_value_of_a_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="alteration"):
        Policy.model_validate({"alteration": "never"})
