"""The ASes of the file: those that both routers open their sessions with, or private ones in place of them.

An AS identifies a network, as a name does. Private ASes (RFC 6996) stay equal where the real ones are equal, different
where these differ, and have as many octets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keyroll.configuration import Session
from keyroll.names import SessionKind
from keyroll.scenario.importing.session_groups import SessionGroup
from keyroll.scenario.importing.sessions import DraftSession

# The highest AS number of two octets (RFC 6793).
_TWO_OCTETS = 65535
_PRIVATE, _PRIVATE4 = 64512, 4200000000
"""The first private ASes of two octets and of four (RFC 6996, section 5)."""
Both = tuple[int, int]
"""R1's and R2's AS."""


@dataclass(frozen=True, slots=True)
class DraftAses:
    """The ASes of the file, and the comment on them."""

    own: Both | None
    """R1's and R2's `as`; None: the file has none, and the lab's own are used."""
    opened: tuple[Both | None, ...] = ()
    """The ASes that both routers open each session with, in the order of the file; None: an LDP session."""
    remark: str = ""
    """The comment: where the ASes are configured and whether they are replaced, or why there are none."""

    def local_as(self, index: int) -> dict[str, int]:
        """Return by router the `local-as` of a session of the file."""
        if self.own is None or (opened := self.opened[index]) is None:
            return {}
        ends = zip(("R1", "R2"), self.own, opened, strict=True)
        return {router: local for router, own, local in ends if local != own}


NO_ASES = DraftAses(None)
"""A file without ASes."""


def as_numbers(groups: Sequence[SessionGroup], *, keep: bool) -> DraftAses:
    """Return the ASes of the sessions that are played; the real ones with `keep`.

    The file has none if one of them is not known, or if they contradict a session's type: it could not be played then.
    """
    found = [pair for one in groups for pair in zip(one.sessions, one.played, strict=True)]
    bgp = [(ends, played) for ends, played in found if played.kind is SessionKind.BGP]
    if not bgp:
        return NO_ASES
    opened = {id(played): _opened(ends) for ends, played in bgp}
    if any(one is None for one in opened.values()):
        return DraftAses(None, remark="ASes are the lab's own: the configurations do not show those of both routers")
    for _, played in bgp:
        if not _fits(played, opened[id(played)]):
            kind = "internal" if played.internal else "external"
            words = f"{played.name} is {kind}, which the routers' ASes do not fit"
            return DraftAses(None, remark=f"ASes are the lab's own: {words}")
    first = bgp[0][0]
    said = [end.own_as for end in first]
    usual = opened[id(bgp[0][1])]
    assert usual is not None  # noqa: S101 - looked at above
    own = tuple(one.value if one is not None and one.value else as_ for one, as_ in zip(said, usual, strict=True))
    private = _Private(keep=keep)
    lines = [f"R{number}:{one.where.line}" for number, one in enumerate(said, 1) if one is not None]
    remark = " and ".join(lines) + ("" if keep else f"{', ' if lines else ''}replaced by private ones")
    return DraftAses(
        (private.of(own[0]), private.of(own[1])),
        tuple(private.of_both(opened.get(id(played))) for _, played in found),
        remark,
    )


def _opened(ends: tuple[Session, Session]) -> Both | None:
    """Return the ASes that both open a session with; one end's AS may be the other's `peer-as`."""
    mine, theirs = (_of_end(end, other) for end, other in (ends, ends[::-1]))
    return None if mine is None or theirs is None else (mine, theirs)


def _of_end(end: Session, other: Session) -> int | None:
    known = end.local_as or other.peer_as
    if not known and "internal" in (end.type, other.type):
        known = end.peer_as or other.local_as
    # AS 0 is reserved, and no network has it (RFC 7607).
    return known or None


def _fits(played: DraftSession, opened: Both | None) -> bool:
    return opened is not None and (opened[0] == opened[1]) == played.internal


class _Private:
    """Private ASes in place of real ones."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._of: dict[int, int] = {}

    def of(self, number: int) -> int:
        """Return the private AS for a real one; the same each time."""
        if self._keep:
            return number
        if number not in self._of:
            wide = number > _TWO_OCTETS
            taken = sum((other > _TWO_OCTETS) == wide for other in self._of)
            self._of[number] = (_PRIVATE4 if wide else _PRIVATE) + taken
        return self._of[number]

    def of_both(self, numbers: Both | None) -> Both | None:
        """Return the private ASes for both routers' ASes."""
        return None if numbers is None else (self.of(numbers[0]), self.of(numbers[1]))
