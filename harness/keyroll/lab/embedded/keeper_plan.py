"""The owner's plan of a lab for the keeper, encoded as one message with file descriptors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from keyroll.lab.local.channel import Message

End = tuple[str, str]
"""A router's name and its interface in containerlab's naming: ("R1", "eth1")."""


@dataclass(frozen=True, slots=True)
class RouterPlan:
    """One router. All numbers are descriptors, valid in the process on this side of the channel."""

    name: str
    interfaces: tuple[str, ...]
    boot: int
    """Socket on which the router receives its boot message and sends its events (docs/control.md)."""
    listen: int
    """The listening socket on which the router answers SSH."""
    log: int
    """File for the router's stdout and stderr."""
    captures: Mapping[str, tuple[int, int]]
    """For each interface: the capture file, and the file of its counters."""


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """One link. `frame_log` is a descriptor of the file of `keyroll.lab.local.frame_log`."""

    name: str
    a: End
    b: End
    frame_log: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One lab. `evidence` is the descriptor of the folder for the daemons' logs."""

    evidence: int
    routers: tuple[RouterPlan, ...]
    links: tuple[LinkPlan, ...]

    def to_message(self) -> tuple[Message, tuple[int, ...]]:
        """Return the message and its descriptors; numbers in it are places in the list of descriptors."""
        descriptors: list[int] = []

        def place(fd: int) -> int:
            descriptors.append(fd)
            return len(descriptors) - 1

        message: Message = {
            "op": "deploy",
            "evidence": place(self.evidence),
            "routers": [
                {
                    "name": router.name,
                    "interfaces": list(router.interfaces),
                    "boot": place(router.boot),
                    "listen": place(router.listen),
                    "log": place(router.log),
                    "captures": {name: [place(out), place(stats)] for name, (out, stats) in router.captures.items()},
                }
                for router in self.routers
            ],
            "links": [
                {"name": link.name, "a": list(link.a), "b": list(link.b), "frame_log": place(link.frame_log)}
                for link in self.links
            ],
        }
        return message, tuple(descriptors)

    @classmethod
    def from_message(cls, message: Message, descriptors: list[int]) -> Plan:
        """Rebuild the plan on the other side, with the received descriptors."""
        return cls(
            evidence=descriptors[message["evidence"]],
            routers=tuple(
                RouterPlan(
                    name=router["name"],
                    interfaces=tuple(router["interfaces"]),
                    boot=descriptors[router["boot"]],
                    listen=descriptors[router["listen"]],
                    log=descriptors[router["log"]],
                    captures={
                        name: (descriptors[out], descriptors[stats])
                        for name, (out, stats) in router["captures"].items()
                    },
                )
                for router in message["routers"]
            ),
            links=tuple(
                LinkPlan(link["name"], tuple(link["a"]), tuple(link["b"]), descriptors[link["frame_log"]])
                for link in message["links"]
            ),
        )

    def close(self) -> None:
        """Close every descriptor of it in this process."""
        for fd in (self.evidence, *(link.frame_log for link in self.links)):
            os.close(fd)
        for router in self.routers:
            for fd in (
                router.boot,
                router.listen,
                router.log,
                *(fd for pair in router.captures.values() for fd in pair),
            ):
                os.close(fd)
