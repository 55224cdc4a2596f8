"""No class name stands for two things in one room: who greps for it finds one class."""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import keyroll

ROOT = Path(keyroll.__file__).parent
CLASS = re.compile(r"^class _*(\w+)", re.MULTILINE)
ROOMS = sorted(folder for folder in ROOT.iterdir() if (folder / "__init__.py").is_file())


def classes_of(room: Path) -> Mapping[str, list[str]]:
    """Return the top-level classes of a room by name, without the underscore of private ones."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(room.rglob("*.py")):
        for name in CLASS.findall(path.read_text(encoding="utf-8")):
            found[name].append(str(path.relative_to(ROOT)))
    return found


def test_a_class_name_stands_for_one_thing_in_its_room() -> None:
    twice = {
        f"{room.name}: {name}": paths for room in ROOMS for name, paths in classes_of(room).items() if len(paths) > 1
    }
    assert not twice
    assert len(ROOMS) > 10
