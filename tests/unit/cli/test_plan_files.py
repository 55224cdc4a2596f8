"""The files of `keyroll plan`: which are written, which are replaced, and which stay."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.cli.plan_pair import USUAL, plan

from keyroll.cli.plan_files import write_together
from keyroll.configuration import read
from keyroll.errors import InputError


def test_each_change_date_has_a_folder_with_a_set_file_and_a_rollback_file_for_each_router(
    configs: list[str], tmp_path: Path
) -> None:
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"))
    names = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    routers = ["lion.rollback.set", "lion.set", "tiger.rollback.set", "tiger.set"]
    assert names == [f"{day}/{name}" for day in ("2027-01-23", "2027-04-23") for name in routers] + [
        "plan.json",
        "plan.md",
    ]


def test_only_the_set_files_hold_secrets_and_they_have_mode_0600(configs: list[str], tmp_path: Path) -> None:
    result = plan(*configs, *USUAL, "--seed", "7", "-o", str(tmp_path / "out"))
    (drawn,) = {
        line.split()[-1]
        for line in (tmp_path / "out" / "2027-01-23" / "lion.set").read_text().splitlines()
        if " secret " in line
    }
    for path in (tmp_path / "out").rglob("*"):
        if path.suffix == ".set":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        elif path.is_file():
            assert drawn not in path.read_text()
            assert "sesame" not in path.read_text()
    assert drawn not in result.output


def test_set_files_and_rollback_files_lead_to_the_planned_states(configs: list[str], tmp_path: Path) -> None:
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"))
    held = read(Path(configs[0]).read_text(), "lion.conf")
    first = (tmp_path / "out" / "2027-01-23" / "lion.set").read_text()
    changed = read(first, "lion.set", base=held)
    assert [key.id for key in changed.main.chains[0].keychain.keys] == [0, 1]
    back = read((tmp_path / "out" / "2027-01-23" / "lion.rollback.set").read_text(), "back", base=changed)
    assert back.main.chains[0].keychain == held.main.chains[0].keychain


def test_a_router_whose_name_leads_out_of_the_folder_is_refused(configs: list[str], tmp_path: Path) -> None:
    path = Path(configs[0])
    path.write_text(path.read_text().replace("host-name lion", "host-name ../../lion"))
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "a" / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert "cannot name a file" in str(result.exception)
    result = plan("--new", "../lion,tiger", *USUAL, "-o", str(tmp_path / "a" / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["lion.conf", "tiger.conf"]


def test_routers_whose_files_would_have_one_name_are_refused(tmp_path: Path) -> None:
    result = plan("--new", "a,a.rollback", *USUAL, "-o", str(tmp_path / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert "would share the file a.rollback.set" in str(result.exception)


def test_force_leaves_no_set_file_of_the_former_plan(configs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan(*configs, *USUAL, "-o", str(out))
    (out / "2027-04-23" / "note.txt").write_text("mine")
    (out / "own.txt").write_text("mine")
    plan(*configs, "--at", "2026-12-02T00:00Z", "--until", "2027-01-31", "--every", "45d", "-o", str(out), "--force")
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    dates = {name.partition("/")[0] for name in names if name.endswith(".set")}
    assert dates == {change["folder"] for change in json.loads((out / "plan.json").read_text())["changes"]}
    assert "2027-04-23/lion.set" not in names
    assert {"2027-04-23/note.txt", "own.txt"} <= set(names), "what is not the plan's stays"


def test_force_removes_nothing_outside_of_the_folder(configs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan(*configs, *USUAL, "-o", str(out))
    data = json.loads((out / "plan.json").read_text())
    data["changes"][0]["folder"] = ".."
    data["changes"][0]["routers"][0]["name"] = "../../lion"
    (out / "plan.json").write_text(json.dumps(data))
    (tmp_path / "lion.set").write_text("mine")
    plan(*configs, *USUAL, "-o", str(out), "--force")
    assert (tmp_path / "lion.set").read_text() == "mine"


class Interrupted(dict[str, str]):
    """Files; reading the second one raises KeyboardInterrupt."""

    def items(self) -> Iterator[tuple[str, str]]:  # type: ignore[override]
        yield from list(super().items())[:1]
        raise KeyboardInterrupt


@pytest.mark.parametrize("there", [False, True])
def test_ctrl_c_while_writing_leaves_the_existing_files(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "out"
    if there:
        write_together(folder, {"day/a.set": "old"}, force=False)
    with pytest.raises(KeyboardInterrupt):
        write_together(folder, Interrupted({"day/a.set": "new", "day/b.set": "new"}), force=True)
    assert [path.name for path in tmp_path.iterdir()] == (["out"] if there else [])
    if there:
        assert (folder / "day" / "a.set").read_text() == "old"


def test_only_force_replaces_existing_files(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_together(folder, {"day/a.set": "old"}, force=False)
    with pytest.raises(InputError, match="already exists"):
        write_together(folder, {"day/a.set": "new"}, force=False)
    write_together(folder, {"day/a.set": "new"}, force=True)
    assert (folder / "day" / "a.set").read_text() == "new"
    assert stat.S_IMODE((folder / "day" / "a.set").stat().st_mode) == 0o600
