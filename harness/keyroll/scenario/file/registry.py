"""Which steps and checks a scenario file can name: those of keyroll, and those that other packages add.

A step's class is registered with `@step`, a check's with `@check`, in the module that defines it. A package that adds
some names such modules as entry points of the group `keyroll.scenario`; in tests, importing the module is enough.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any, ClassVar, Generic, TypeVar

from keyroll.scenario.errors import ExtensionError
from keyroll.scenario.file.step import Step

GROUP = "keyroll.scenario"
"""The group of entry points whose modules register steps and checks."""
_OWN_CHECKS = "keyroll.scenario.judge.conditions"
"""The module of keyroll's own checks. A check is one class for both what is written and how it is judged. It belongs to
`judge`, which imports this package; so it is loaded by name here, as the modules of other distributions are."""


class WrittenCheck:
    """What the scenario file needs to know of a check: the base of every class of checks."""

    name: ClassVar[str]
    """The field's name in `expect`: `active`."""
    written: ClassVar[Any]
    """The field's type, by router: `ByRouter[KeyNumber | None]`."""
    session: ClassVar[str | None] = None
    """The kind of session that the file must have for it; None: any."""
    by_session: ClassVar[bool] = False
    """Whether each session is checked separately where the file names its sessions (`BySession`)."""
    names_keys: ClassVar[bool] = False
    """Whether its values are key numbers of the file's chains."""


Kind = TypeVar("Kind")
AnyStepClass = TypeVar("AnyStepClass", bound=type[Step])
AnyCheckClass = TypeVar("AnyCheckClass", bound=type[WrittenCheck])


class Registry(Generic[Kind]):
    """Kinds by name, in the order in which they were added."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._kinds: dict[str, Kind] = {}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def __len__(self) -> int:
        return len(self._kinds)

    def __getitem__(self, name: str) -> Kind:
        return self._kinds[name]

    def names(self) -> tuple[str, ...]:
        """Return the names of all kinds."""
        return tuple(self._kinds)

    def add(self, name: str, kind: Kind) -> None:
        """Add a kind. Raises ExtensionError when another one has its name."""
        if name in self._kinds:
            raise ExtensionError(f"two {self._what}s are named '{name}'")
        self._kinds[name] = kind

    def remove(self, name: str) -> None:
        """Remove a kind (one that a test has added)."""
        del self._kinds[name]


STEPS: Registry[type[Step]] = Registry("step")
CHECKS: Registry[type[WrittenCheck]] = Registry("check")
_loaded: set[str] = set()


def step(cls: AnyStepClass) -> AnyStepClass:
    """Register a class of steps."""
    STEPS.add(cls.kind, cls)
    return cls


def check(cls: AnyCheckClass) -> AnyCheckClass:
    """Register a class of checks."""
    CHECKS.add(cls.name, cls)
    return cls


def load() -> None:
    """Import what registers steps and checks, once: keyroll's own checks, then the modules of other packages.

    Raises:
        ExtensionError: a module of another package cannot be imported, or adds a name that is taken.
    """
    if GROUP in _loaded:
        return
    _loaded.add(GROUP)
    importlib.import_module(_OWN_CHECKS)
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except ExtensionError:
            raise
        except Exception as error:
            raise ExtensionError(
                f"the extension '{entry.name}' ({entry.value}) cannot be imported: {error}",
                remedy="mend or uninstall the package that declares it",
            ) from error
