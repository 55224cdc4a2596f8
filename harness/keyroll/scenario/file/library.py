"""The library of scenarios that ships with keyroll, and how a name on the command line finds its file.

`rollover/two-keys` names a file of the library from any folder; `rollover` names a folder of it. A file or a folder
that exists by that path comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from keyroll.errors import InputError
from keyroll.scenario.file.read import is_scenario
from keyroll.shipped import shipped
from keyroll.suggest import nearest

_SUFFIX = ".yaml"


def library() -> Path:
    """Return the folder of the library.

    Raises:
        InputError: this installation has none.
    """
    found = shipped(in_package="library", in_tree="tests/scenarios")
    if found is None:
        raise InputError("this installation has no library of scenarios", remedy="name a scenario file by its path")
    return found


def find_scenario(path: Path) -> Path:
    """Return the scenario file that `path` names: a file, else one of the library, with or without `.yaml`.

    Raises:
        InputError: there is neither; the message suggests a similar name.
    """
    if path.exists():
        return path
    in_library = shipped(in_package="library", in_tree="tests/scenarios")
    if in_library is not None and not path.is_absolute():
        named = in_library / path
        for file in (named, named.with_name(named.name + _SUFFIX)):
            if file.is_file():
                return file
    raise InputError(
        f"{path}: there is no such file, and no scenario of the library has that name", remedy=_alike(path)
    )


def find_scenarios(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the scenario files that `paths` name: files, folders, and both of the library. All of it without a path.

    Raises:
        InputError: one of them is not there.
    """
    for path in paths or (library(),):
        folder = path if path.is_dir() else _folder_of_library(path)
        if folder is None:
            yield find_scenario(path)
        else:
            yield from sorted(file for file in folder.rglob("*.y*ml") if is_scenario(file))


def names() -> list[str]:
    """Return the names of the library's files, such as `rollover/two-keys`."""
    root = library()
    return sorted(str(file.relative_to(root).with_suffix("")) for file in root.rglob(f"*{_SUFFIX}"))


def _folder_of_library(path: Path) -> Path | None:
    if path.exists() or path.is_absolute():
        return None
    root = shipped(in_package="library", in_tree="tests/scenarios")
    return root / path if root is not None and (root / path).is_dir() else None


def _alike(path: Path) -> str:
    known = names()
    asked = str(path).removesuffix(_SUFFIX)
    last = {name.rpartition("/")[2]: name for name in known}
    close = nearest(asked, known) or last.get(nearest(path.stem, last) or "")
    return f"did you mean {close}?" if close else "`keyroll list` shows the library"
