"""A name of the library finds its file from any folder; a file at that path takes precedence."""

from pathlib import Path

import pytest

from keyroll.errors import InputError
from keyroll.scenario.file.library import find_scenario, find_scenarios, library, names

TWO_KEYS = library() / "rollover" / "two-keys.yaml"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["rollover/two-keys", "rollover/two-keys.yaml"])
def test_a_name_finds_its_file_from_any_folder(name: str) -> None:
    assert find_scenario(Path(name)) == TWO_KEYS


def test_an_existing_file_takes_precedence_over_the_library() -> None:
    own = Path("rollover/two-keys.yaml")
    own.parent.mkdir()
    own.write_text("keyroll: 1\n")
    assert find_scenario(own) == own


@pytest.mark.parametrize(
    ("typed", "meant"), [("rollover/two-kyes", "rollover/two-keys"), ("two-keys", "rollover/two-keys")]
)
def test_an_unknown_name_is_an_input_error_that_suggests_a_similar_one(typed: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"did you mean {meant}\\?"):
        find_scenario(Path(typed))


def test_a_name_that_is_similar_to_none_is_an_input_error_that_names_keyroll_list() -> None:
    with pytest.raises(InputError, match="keyroll list"):
        find_scenario(Path("0123456789"))


def test_a_folder_of_the_library_or_all_of_it_can_be_listed() -> None:
    assert TWO_KEYS in find_scenarios([Path("rollover")])
    everything = list(find_scenarios([]))
    assert len(everything) == len(set(everything)) == len(names()) > 100
