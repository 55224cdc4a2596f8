"""`keyroll keys`: the keys of a run are drawn again from its seed, into a new file that only its owner can read."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from keyroll.cli.keys import keys_command
from keyroll.errors import InputError
from keyroll.keychain.generate import draw_secret

SCENARIO = Path(__file__).parents[2] / "scenarios/rollover/two-keys.yaml"


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(SCENARIO, folder / "scenario.yaml")
    write_run(folder)
    return folder


def write_run(folder: Path, **values: object) -> None:
    run = {"seed": 7, "t0": "2030-01-01T00:00:00+00:00", "variant": None, "mutation": None, "scenario": "x", **values}
    (folder / "run.json").write_text(json.dumps(run))


def keys(folder: Path, out: Path, *arguments: str) -> Any:
    result = CliRunner().invoke(keys_command, [str(folder), "--out", str(out), *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    assert "secret" not in result.output.replace("it holds secrets", "")
    return yaml.safe_load(out.read_text())["keys"]


def test_the_same_seed_gives_the_keys_that_the_run_had(run_folder: Path, tmp_path: Path) -> None:
    entries = keys(run_folder, tmp_path / "keys.yaml")
    on_the_link = [entry for entry in entries if "10.0.12.1" in entry["send_id"]]
    assert [entry["send_id"] for entry in on_the_link] == [
        {"10.0.12.1": 1, "10.0.12.2": 2},
        {"10.0.12.1": 3, "10.0.12.2": 4},
    ]
    assert on_the_link[0]["secret"] == draw_secret(7, "new_auth_key/key/0").reveal_text()


def test_the_keys_file_is_readable_by_its_owner_alone(run_folder: Path, tmp_path: Path) -> None:
    keys(run_folder, tmp_path / "keys.yaml")
    assert (tmp_path / "keys.yaml").stat().st_mode & 0o777 == 0o600


def test_what_a_mutation_broke_on_one_router_shows_in_that_routers_keys(run_folder: Path, tmp_path: Path) -> None:
    write_run(run_folder, mutation="other-secret")
    one, other = (keys(run_folder, tmp_path / f"{router}.yaml", "--router", router) for router in ("R1", "R2"))
    assert one[0]["secret"] == other[0]["secret"]
    assert one[1]["secret"] != other[1]["secret"]


def test_an_existing_file_is_never_overwritten(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "keys.yaml").write_text("mine")
    with pytest.raises(InputError, match="already exists"):
        keys(run_folder, tmp_path / "keys.yaml")
    assert (tmp_path / "keys.yaml").read_text() == "mine"


@pytest.mark.parametrize("text", [None, "", "[]", '{"seed": 1}', "\x00"])
def test_a_folder_that_is_not_a_run_folder_is_refused_by_name(
    run_folder: Path, tmp_path: Path, text: str | None
) -> None:
    (run_folder / "run.json").unlink()
    if text is not None:
        (run_folder / "run.json").write_text(text)
    with pytest.raises(InputError, match=r"run\.json"):
        keys(run_folder, tmp_path / "keys.yaml")
