"""The owner's control of a lab's links. Implements `keyroll.lab.protocol.SteeringLinks`.

Orders, each answered with `ok` true, or false and `error`; `towards` is the link's end, 0 or 1:

    {"op": "cut"}, {"op": "restore"}
    {"op": "impair", "towards": 0, "impairment": {…}}    the fields of `keyroll.lab.protocol.Impairment`
    {"op": "inject", "towards": 0, "frame": HEX}         answered with the frame's `sha256`
    {"op": "cross-syns", "port": 179}                    embedded labs only
    {"op": "ping"}                                       links that are separate processes
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from keyroll.lab.local import frame_log
from keyroll.lab.local.channel import Message
from keyroll.lab.protocol import Impairment, LabError, SpecialFrame
from keyroll.lab.topology import Link

Order = Callable[[str, Message], Message]
"""Takes a link's name and an order, returns the link's answer."""


class LinkController:
    """See the module. `frame_logs` are the files of `keyroll.lab.local.frame_log`, by link."""

    def __init__(self, lab: str, links: Sequence[Link], frame_logs: Mapping[str, Path], order: Order) -> None:
        self._lab = lab
        self._links = tuple(links)
        self._frame_logs = frame_logs
        self._order = order

    @property
    def names(self) -> tuple[str, ...]:
        """The links' names."""
        return tuple(link.name for link in self._links)

    def cut(self, link: str | None = None) -> None:
        """Cut a link: frames are lost, and both ports lose carrier."""
        self._tell(link, {"op": "cut"})

    def restore(self, link: str | None = None) -> None:
        """Undo `cut`, and a waiting `cross_syns`."""
        self._tell(link, {"op": "restore"})

    def impair(self, impairment: Impairment, *, towards: str, link: str | None = None) -> None:
        """Impair a link in the direction towards a router; `Impairment()` removes every impairment."""
        side = self._side(towards, link)
        self._tell(link, {"op": "impair", "towards": side, "impairment": asdict(impairment)})

    def inject(self, frame: bytes, *, towards: str, link: str | None = None) -> str:
        """Send a frame to a router as if the link had carried it; return its SHA-256."""
        side = self._side(towards, link)
        return str(self._tell(link, {"op": "inject", "towards": side, "frame": frame.hex()})["sha256"])

    def cross_syns(self, port: int, link: str | None = None) -> None:
        """Hold SYNs to a TCP port until there is one in each direction, then send both; works once."""
        self._tell(link, {"op": "cross-syns", "port": port})

    def special_frames(self, link: str | None = None) -> tuple[SpecialFrame, ...]:
        """Return the frames that a link injected, damaged or dropped, in order."""
        plan = self._find(link)
        try:
            return frame_log.read(self._frame_logs[plan.name], plan)
        except (OSError, ValueError, KeyError) as error:
            raise LabError(f"lab {self._lab}: the frame log of link {plan.name} cannot be read: {error}") from error

    def _find(self, name: str | None) -> Link:
        found = [link for link in self._links if name in (None, link.name)]
        if len(found) == 1:
            return found[0]
        there = ", ".join(self.names) or "none"
        what = f"no link '{name}'" if name else "which link?"
        raise LabError(f"lab {self._lab}: {what} There is {there}")

    def _side(self, router: str, link: str | None) -> int:
        plan = self._find(link)
        names = [plan.a[0], plan.b[0]]
        if router not in names:
            raise LabError(f"lab {self._lab}: link {plan.name} does not lead to '{router}'")
        return names.index(router)

    def _tell(self, link: str | None, order: Message) -> Message:
        answer = self._order(self._find(link).name, order)
        if not answer.get("ok"):
            raise LabError(f"lab {self._lab}: {answer.get('error')}")
        return answer
