"""The keys of an imported scenario: their numbers, what differs on R2, and labels in place of secrets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from keyroll.keychain.secret import Likeness, Secret


@dataclass(frozen=True, slots=True)
class Differences:
    """What differs on R2 from R1's mirrored key; None: the same. `absent` says that it lacks the key."""

    start: timedelta | None = None
    send: int | None = None
    recv: int | None = None
    algorithm: str | None = None
    secret: str | None = None
    option: str | None = None

    @property
    def differs(self) -> bool:
        """Whether R2's key differs at all."""
        return self != Differences()


@dataclass(frozen=True, slots=True)
class DraftKey:
    """A key of the file: R1's numbers, or the mirrored ones of a key that R2 alone has."""

    number: int
    start: timedelta
    send: int
    recv: int
    algorithm: str | None
    option: str | None
    label: str
    held_by: tuple[str, ...]
    other: Differences
    places: tuple[str, ...]
    """The lines it is configured on: `R1:12`."""
    unknown: bool
    """Whether a router's secret is not known: it is drawn then, and assumed to match."""


class Labels:
    """Gives secrets labels, from which the scenario draws new ones: equal secrets get equal labels.

    Unknown secrets cannot be compared: one gets the label of its place (router, chain and key), the same each time.
    """

    def __init__(self) -> None:
        self._known: list[tuple[Secret, str]] = []
        self._places: dict[object, str] = {}
        self._count = 0

    def of(self, secret: Secret, place: object) -> str:
        """Return the label of a secret; an unknown one gets that of its place."""
        if secret.known:
            for other, label in self._known:
                if secret.compare(other) is Likeness.EQUAL:
                    return label
        elif place in self._places:
            return self._places[place]
        self._count += 1
        label = f"secret-{self._count}"
        if secret.known:
            self._known.append((secret, label))
        else:
            self._places[place] = label
        return label
