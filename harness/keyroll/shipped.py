"""Files that ship with keyroll beside its code: topologies, and the library of scenarios."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_TREE = _PACKAGE.parents[1]


def shipped(*, in_package: str, in_tree: str) -> Path | None:
    """Return a folder that ships with keyroll: inside the installed package, else in the source tree, else None.

    The package comes first: two folders above an installed one lies whatever else the machine has there.
    """
    for path, proof in ((_PACKAGE / in_package, _PACKAGE), (_TREE / in_tree, _TREE / "pyproject.toml")):
        if path.is_dir() and proof.exists():
            return path
    return None
