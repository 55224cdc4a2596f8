"""A class name is used once in each package, so that a search for it finds one class."""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import keyroll

ROOT = Path(keyroll.__file__).parent
CLASS = re.compile(r"^class _*(\w+)", re.MULTILINE)
PACKAGES = sorted(folder for folder in ROOT.iterdir() if (folder / "__init__.py").is_file())


def classes_of(package: Path) -> Mapping[str, list[str]]:
    """Return {name: files} of the top-level classes of a package; names are without a leading underscore."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(package.rglob("*.py")):
        for name in CLASS.findall(path.read_text(encoding="utf-8")):
            found[name].append(str(path.relative_to(ROOT)))
    return found


def test_a_class_name_is_used_once_in_its_package() -> None:
    twice = {
        f"{package.name}: {name}": paths
        for package in PACKAGES
        for name, paths in classes_of(package).items()
        if len(paths) > 1
    }
    assert not twice
    assert len(PACKAGES) > 10
