"""The ends of links, in the namespaces of the containers: captures there, cuts, impairments, injected frames.

Two containers are connected by a veth pair alone, so everything happens at its ends: a cut takes both ends down, an
impairment towards a router is netem on the other end, and an injected frame is sent from the other end.
A capture therefore sees sent frames after impairment (docs/assumptions/containerlab.md).
"""

from __future__ import annotations

import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from keyroll import linux
from keyroll.lab.containerlab.command import Program
from keyroll.lab.local import channel, frame_log, recorder
from keyroll.lab.local.machine_probe import kernel_has_netem
from keyroll.lab.protocol import Impairment, LabError, LabUnfitError

_TRY_SECONDS = 10.0
"""Seconds for `ip link set`, which takes milliseconds; more means that the machine hangs."""


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """One end of a link: a router, its container, its network namespace (a descriptor), and the interface in it."""

    router: str
    container: str
    namespace: int
    interface: str


def start_capture(end: LinkEnd, out: int, stats: int, stop: int) -> recorder.Recorder:
    """Start a process that captures at an end until `stop` closes.

    Raises OSError for an unknown interface.
    """
    with linux.inside(end.namespace):
        title = f"keyroll.lab.local.recorder {end.router}:{end.interface}"
        return recorder.start(end.interface, out, stats, stop, title=title)


class ContainerLink:
    """A link by its two ends. Executes the orders of `keyroll.lab.local.link_controller`.

    `topology` is the file that the lab was deployed from; `frame_log` takes special frames.
    """

    def __init__(self, ends: tuple[LinkEnd, LinkEnd], topology: Path, frame_log: int, program: Program) -> None:
        self._ends = ends
        self._topology = topology
        self._frame_log = frame_log
        self._program = program

    def obey(self, order: channel.Message) -> channel.Message:
        """Execute one order and return the answer."""
        try:
            match order.get("op"):
                case "cut" | "restore":
                    for end in self._ends:
                        _set_link(end, "down" if order["op"] == "cut" else "up")
                case "impair":
                    self._impair(self._ends[1 - order["towards"]], Impairment(**order["impairment"]))
                case "inject":
                    return {"ok": True, "sha256": self._inject(order["towards"], bytes.fromhex(order["frame"]))}
                case other:
                    return {"ok": False, "error": f"invalid order of a link: '{other}'"}
        except (LabError, LabUnfitError) as error:
            return {"ok": False, "error": str(error)}
        except OSError as error:
            return {"ok": False, "error": f"the link's end cannot be reached: {error.strerror or error}"}
        return {"ok": True}

    def _impair(self, end: LinkEnd, wanted: Impairment) -> None:
        if wanted.reorder or wanted.damage:
            raise LabError(
                "containerlab's impairments support neither reorder nor damage", remedy="play it in the embedded lab"
            )
        options = []
        if wanted.delay:
            options += ["--delay", f"{wanted.delay * 1000:g}ms"]
        if wanted.jitter:
            options += ["--jitter", f"{wanted.jitter * 1000:g}ms"]
        if wanted.loss:
            options += ["--loss", f"{wanted.loss * 100:g}"]
        if options and not kernel_has_netem():
            raise LabError("this kernel has no netem (sch_netem)", remedy="play it in the embedded lab")
        if options or kernel_has_netem():
            self._program.netem(self._topology, end.router, end.container, end.interface, options)

    def _inject(self, towards: int, frame: bytes) -> str:
        end = self._ends[1 - towards]
        digest = frame_log.append(self._frame_log, "injected", towards, frame)
        with linux.inside(end.namespace):
            sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        with sender:
            # Bypass the queue and so every capture at this end, because this end's router did not send the frame.
            sender.setsockopt(linux.SOL_PACKET, linux.PACKET_QDISC_BYPASS, 1)
            sender.bind((end.interface, 0))
            sender.send(frame)
        return digest


def _set_link(end: LinkEnd, state: str) -> None:
    with linux.inside(end.namespace):
        result = subprocess.run(
            ["ip", "link", "set", end.interface, state],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TRY_SECONDS,
        )
    if result.returncode:
        raise LabError(f"{end.container}:{end.interface} cannot be set {state}: {result.stderr.strip()}")
